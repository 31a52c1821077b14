"""`completion`: scripts for shells, and what completes a line in them.

A script asks this same command, with `--line`, at each press of the key; so only the standard library is imported here,
and a store is asked in SQL, by the views that it offers to everybody. What cannot be found out completes nothing: a key
press is no place for errors. Nothing is changed, and no graph is imported.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import os
import shlex
import sqlite3
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

BASH = """\
# graphrt in bash: put this line into ~/.bashrc
#   eval "$(graphrt completion bash)"
_graphrt() {
    local candidate
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <("${COMP_WORDS[0]}" completion bash --line="${COMP_LINE:0:COMP_POINT}" --word="$2" 2>/dev/null)
}
complete -o default -F _graphrt graphrt
"""
ZSH = """\
#compdef graphrt
# graphrt in zsh: put this line into ~/.zshrc, beneath compinit
#   eval "$(graphrt completion zsh)"
_graphrt() {
    local -a candidates
    candidates=("${(@f)$("${words[1]}" completion zsh --line="${(j: :)words[1,CURRENT-1]} $PREFIX" 2>/dev/null)}")
    if [[ -n "${candidates[1]}" ]]; then
        _describe -V graphrt candidates
    else
        _files
    fi
}
if [[ "${funcstack[1]}" == _graphrt ]]; then
    _graphrt "$@"
else
    compdef _graphrt graphrt
fi
"""
FISH = """\
# graphrt in fish: put this line into ~/.config/fish/config.fish
#   graphrt completion fish | source
function __graphrt_complete
    set -l words (commandline -opc)
    $words[1] completion fish --line=(commandline -cp | string collect) 2>/dev/null
end
complete -c graphrt -k -a '(__graphrt_complete)'
complete -c graphrt -n 'string length -q -- (__graphrt_complete)' -f
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
MOST = 200
"""How many runs are offered, the newest."""


class Candidate(NamedTuple):
    """A word that could stand there, and what it is."""

    word: str
    about: str = ""


def completion(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Print a shell's script, or what completes a line in it."""
    if arguments.line is None:
        sys.stdout.write(SCRIPTS[arguments.shell])
        return 0
    from graphrt.cli.parser import parser_of_all

    words = split(arguments.line)
    for candidate in complete(parser_of_all(), words[1:]):
        sys.stdout.write(_written(candidate, arguments.shell, words[-1], arguments.word) + "\n")
    return 0


def _written(candidate: Candidate, shell: str, current: str, word: str | None) -> str:
    about = " ".join(candidate.about.split())
    match shell:
        case "zsh":
            return candidate.word.replace("\\", "\\\\").replace(":", "\\:") + (f":{about}" if about else "")
        case "fish":
            return f"{candidate.word}\t{about}" if about else candidate.word
        case _:
            # bash breaks words at @, : and =, and takes what follows the last of them for the whole.
            before = "" if word is None or not current.endswith(word) else current[: len(current) - len(word)]
            return candidate.word.removeprefix(before)


def split(line: str) -> list[str]:
    """Break a line up to the cursor into words, the last being the one that is written at, empty if none is begun."""
    for end in ("", '"', "'"):
        with contextlib.suppress(ValueError):
            words = shlex.split(line + end)
            break
    else:
        words = line.split()
    if not words or (line[-1:].isspace() and not end):
        words.append("")
    return words


@dataclass
class _Line:
    """What was written before the word to complete."""

    taken: list[str] = field(default_factory=list)
    """The arguments that are no options."""
    store: str | None = None
    waits: argparse.Action | None = None
    """The option that the next word is the value of."""


def complete(parser: argparse.ArgumentParser, words: Sequence[str]) -> Iterator[Candidate]:
    """Yield what the last of these words could be. The words are those after the program's name."""
    *before, current = words
    commands = _commands(parser)
    name = next((word for word in before if not word.startswith("-")), None)
    if name is None:
        yield from _beginning(current, _options(parser) if current.startswith("-") else _names(commands))
        return
    command = commands.choices.get(name)
    if command is None:
        return
    line = _read(command, before[before.index(name) + 1 :])
    option, equals, value = current.partition("=")
    if line.waits is not None:
        yield from _beginning(current, _values(line.waits, line, current))
    elif option.startswith("--") and equals:
        action = command._option_string_actions.get(option)
        for found in _beginning(value, _values(action, line, value) if action else ()):
            yield found._replace(word=f"{option}={found.word}")
    elif current.startswith("-"):
        yield from _beginning(current, _options(command))
    else:
        yield from _beginning(current, _values(_positional(command, len(line.taken)), line, current))


def _beginning(word: str, candidates: Iterator[Candidate] | Sequence[Candidate]) -> Iterator[Candidate]:
    return (candidate for candidate in candidates if candidate.word.startswith(word))


def _commands(parser: argparse.ArgumentParser) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    return next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))


def _names(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> Iterator[Candidate]:
    for action in commands._choices_actions:
        yield Candidate(action.dest, action.help or "")


def _options(parser: argparse.ArgumentParser) -> Iterator[Candidate]:
    for action in parser._actions:
        if action.help != argparse.SUPPRESS:
            yield from (Candidate(word, action.help or "") for word in action.option_strings if word.startswith("--"))


def _positional(parser: argparse.ArgumentParser, place: int) -> argparse.Action | None:
    places = [action for action in parser._actions if not action.option_strings]
    if place < len(places):
        return places[place]
    return places[-1] if places and places[-1].nargs in {"*", "+"} else None


def _read(parser: argparse.ArgumentParser, words: Sequence[str]) -> _Line:
    line = _Line()
    for word in words:
        if line.waits is not None:
            action, value = line.waits, word
            line.waits = None
        elif word.startswith("-"):
            option, equals, value = word.partition("=")
            found = parser._option_string_actions.get(option)
            if found is None or found.nargs == 0:
                continue
            if not equals:
                line.waits = found
                continue
            action = found
        else:
            line.taken.append(word)
            continue
        if action.dest == "store":
            line.store = value
    return line


def _values(action: argparse.Action | None, line: _Line, current: str) -> Iterator[Candidate]:
    """Yield what an argument could be, by its choices or by what the help calls it; nothing leaves it to the shell."""
    if action is None:
        return
    if action.choices is not None:
        yield from (Candidate(str(choice)) for choice in action.choices)
        return
    match action.metavar:
        case "RUN":
            yield from _runs(line)
        case "RUN[@STEP]":
            run, _, _ = current.rpartition("@")
            yield from (Candidate(f"{run}@{step}", about) for step, about in _steps(line, run)) if run else _runs(line)
        case "STEP" if line.taken:
            yield from _steps(line, line.taken[0])
        case "TARGET":
            yield from _targets(current)


def _store(line: _Line) -> str:
    """Return the path of the store that a command would open; the rules are those of `graphrt.config`."""
    named = line.store or os.environ.get("GRAPHRT_STORE")
    if named:
        return named
    here = Path.cwd()
    path = next((path for place in (here, *here.parents) if (path := place / "graphrt.toml").is_file()), None)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        if path is not None:
            return str(path.parent / tomllib.loads(path.read_text(encoding="utf-8"))["store"]["path"])
    return "graphrt.db"


def _ask(line: _Line, question: str, *values: str) -> list[tuple[str, ...]]:
    place = f"file:{quote(str(Path(_store(line)).absolute()))}?mode=ro"
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(place, uri=True, timeout=0.2)) as store:
        return store.execute(question, values).fetchall()
    return []


def _runs(line: _Line) -> Iterator[Candidate]:
    runs = _ask(line, f"SELECT run, status, graph FROM overview LIMIT {MOST}")  # noqa: S608 - a number of ours
    if runs:
        yield Candidate("@last", "the newest run")
    if any(status == "failed" for _, status, _ in runs):
        yield Candidate("@last-failed", "the newest run that failed")
    yield from (Candidate(run, f"{status} {graph}") for run, status, graph in runs)


def _steps(line: _Line, word: str) -> Iterator[Candidate]:
    runs = _ask(line, f"SELECT run, status FROM overview LIMIT {MOST}")  # noqa: S608
    failed = [run for run, status in runs if status == "failed"]
    meant = {"@last": [run for run, _ in runs[:1]], "@last-failed": failed[:1]}
    found = meant.get(word, [word] if (word,) in {(run,) for run, _ in runs} else [])
    found = found or [run for run, _ in runs if run.startswith(word)]
    if len(found) == 1:
        question = "SELECT step, kind FROM journal WHERE run = ? AND step IS NOT NULL ORDER BY seq"
        last = {step: kind for step, kind in _ask(line, question, found[0])}  # noqa: C416 - rows are tuples of any length
        yield from (Candidate(step, kind) for step, kind in last.items())


_MAKERS = frozenset({"dag", "node", "llm", "tool", "person", "Machine"})
"""What makes a graph or a node, as people write it in a file."""


def _targets(current: str) -> Iterator[Candidate]:
    """Yield the graphs of a file, by its text: it is not imported. Files themselves are the shell's to complete."""
    place, colon, _ = current.partition(":")
    if not colon or not place.endswith(".py"):
        return
    with contextlib.suppress(OSError, SyntaxError, ValueError):
        for statement in ast.parse(Path(place).read_text(encoding="utf-8")).body:
            match statement:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    made = {_name(each) for each in statement.decorator_list} & _MAKERS
                    if made and not name.startswith("_"):
                        yield Candidate(f"{place}:{name}", " ".join(made))
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=func)):
                    if _name(func) in _MAKERS:
                        yield Candidate(f"{place}:{name}", "machine")


def _name(maker: ast.expr) -> str:
    match maker:
        case ast.Call(func=func):
            return _name(func)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
