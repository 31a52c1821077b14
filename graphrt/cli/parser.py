"""The commands and their options. Nothing heavy is imported before a command runs, so that `--help` answers at once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TypeAlias

from graphrt.cli.formats import FORMATS, PICTURES

Command = Callable[[argparse.Namespace, Sequence[str]], int]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _lazy(module: str, name: str) -> Command:
    def command(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
        found: Command = getattr(import_module(f"graphrt.cli.{module}"), name)
        return found(arguments, rest)

    return command


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Parse a command line; what `run` does not know are its graph's own inputs, and come back as they are."""
    parser = parser_of_all()
    arguments, rest = parser.parse_known_args(argv)
    if rest and not arguments.takes_rest:
        parser.error(f"unknown arguments: {' '.join(rest)}")
    return arguments, rest


def parser_of_all() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    parser = argparse.ArgumentParser(
        prog="graphrt",
        description="Run typed graphs, durably. stdout is data, stderr is progress.",
        epilog="exit codes: 0 ok, 1 run failed, 2 usage, 3 waiting for a person or a signal, 4 not found, "
        "5 graph and run don't fit, 6 backend or configuration, 130 interrupted after a checkpoint",
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    _running_commands(commands)
    _travelling_commands(commands)
    _asking_commands(commands)
    _looking_commands(commands)
    _keeping_commands(commands)
    return parser


def _running_commands(commands: Commands) -> None:
    """Start, take up and serve runs."""
    run = _add(commands, "run", "start a run and wait for its result", "running", "run", takes_rest=True)
    run.add_argument("target", metavar="TARGET", help="file.py:graph or pkg.mod:graph")
    run.add_argument("--input", metavar="JSON", help="all inputs as a JSON object; @FILE reads a file, - reads stdin")
    run.add_argument("--run-id", metavar="ID", help="name the run; if the same run is there already, go on with it")
    run.epilog = (
        "Each input of the graph is an option of its own: --topic tides. `graphrt run TARGET --inputs` lists them."
    )
    run.add_argument("--inputs", action="store_true", help="print the graph's inputs and exit")
    _watching(run)
    _running(run)
    _common(run)

    resume = _add(commands, "resume", "take a run up where its journal ends", "running", "resume")
    resume.add_argument("run", metavar="RUN", help=_RUN)
    resume.add_argument("target", metavar="TARGET", nargs="?", help=_TARGET)
    resume.add_argument(
        "--accept", action="store_true", help="where its graph has changed, let go of what no longer holds"
    )
    _anew(resume)
    _watching(resume)
    _running(resume)
    _common(resume)

    worker = _add(
        commands, "worker", "serve a store: take over, wake and deliver, until interrupted", "working", "worker"
    )
    worker.add_argument(
        "places", metavar="FILE", nargs="*", help="file.py or pkg.mod whose runs it serves (all that can be found)"
    )
    worker.add_argument("--once", action="store_true", help="do what is due now, and end")
    worker.add_argument(
        "--grace",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="how long steps in flight may go on once it is asked to end (10)",
    )
    worker.add_argument(
        "--attempts",
        type=_at_least_one,
        default=10,
        metavar="N",
        help="leave a run alone that was taken up so often in a row without a step coming to an end (10)",
    )
    _running(worker)
    _common(worker, as_json="print what happens to runs on stdout, a JSON object a line")


def _travelling_commands(commands: Commands) -> None:
    """What is done with a run's past."""
    fork = _add(commands, "fork", "begin a new run from another one's history", "travelling", "fork")
    fork.add_argument("run", metavar="RUN", help=_RUN)
    fork.add_argument("target", metavar="TARGET", nargs="?", help=_TARGET)
    fork.add_argument("--at", metavar="STEP", default="", help="the step that is done anew, with all that needs it")
    fork.add_argument("--output", metavar="JSON", help=f"the output of that step, instead of doing it; {_VALUE}")
    fork.add_argument(
        "--input", action="append", default=[], metavar="NAME=JSON", help="another input of the run; may be repeated"
    )
    fork.add_argument("--run-id", metavar="ID", help="name the new run")
    _anew(fork)
    _watching(fork)
    _running(fork, model="another model for a role, kept with the fork; what asked it is asked anew; may be repeated")
    _common(fork)

    retry = _add(commands, "retry", "do a step anew in the run itself, with all that needs it", "travelling", "retry")
    retry.add_argument("run", metavar="RUN", help=_RUN)
    retry.add_argument("target", metavar="TARGET", nargs="?", help=_TARGET)
    retry.add_argument("--at", metavar="STEP", required=True, help="the step, finished or not")
    _anew(retry)
    _watching(retry)
    _running(retry)
    _common(retry)

    replay = _add(commands, "replay", "run today's code against a recorded run", "travelling", "replay")
    replay.add_argument("run", metavar="RUN", help=_RUN)
    replay.add_argument("target", metavar="TARGET", nargs="?", help=_TARGET)
    _common(replay)

    diff = _add(commands, "diff", "compare two runs step by step", "travelling", "diff")
    diff.add_argument("a", metavar="RUN", help=_RUN)
    diff.add_argument("b", metavar="RUN", help=_RUN)
    _common(diff)


def _asking_commands(commands: Commands) -> None:
    """What comes to a run from outside."""
    inbox = _add(commands, "inbox", "list what people are asked: answers and decisions", "answering", "inbox")
    inbox.add_argument("run", metavar="RUN", nargs="?", help="only of this run")
    _common(inbox)

    answer = _add(commands, "answer", "answer what a run asks a person", "answering", "answer")
    answer.add_argument("run", metavar="RUN", help=_RUN)
    answer.add_argument("step", metavar="STEP", help="the step that asks, or the end of its key")
    answer.add_argument("value", metavar="JSON", help=f"the answer; {_VALUE}")
    _telling(answer)

    signal = _add(commands, "signal", "send a signal to a run", "answering", "signal")
    signal.add_argument("run", metavar="RUN", help=_RUN)
    signal.add_argument("name", metavar="NAME", help="the signal's name")
    signal.add_argument("value", metavar="JSON", nargs="?", default="null", help=f"what it says (null); {_VALUE}")
    signal.add_argument("--id", metavar="ID", help="name the message: sent again under this id, it changes nothing")
    _telling(signal)

    resolve = _add(commands, "resolve", "say what became of an effect of which nobody knows", "answering", "resolve")
    resolve.add_argument("run", metavar="RUN", help=_RUN)
    resolve.add_argument("step", metavar="STEP", help="the step, or the end of its key; STEP/NAME for a part of one")
    became = resolve.add_mutually_exclusive_group(required=True)
    became.add_argument("--done", metavar="JSON", help=f"it was done, with this output; {_VALUE}")
    became.add_argument("--not-done", action="store_true", help="it was not done, and may be tried again")
    _telling(resolve)

    cancel = _add(commands, "cancel", "cancel a run, wherever it is driven", "answering", "cancel")
    cancel.add_argument("run", metavar="RUN", help=_RUN)
    cancel.set_defaults(model=[], limit=[], concurrency=64)
    _common(cancel)


def _looking_commands(commands: Commands) -> None:
    """What is only looked at."""
    ls = _add(commands, "ls", "list runs, newest first", "looking", "ls")
    ls.add_argument(
        "--status",
        choices=["running", "suspended", "finished", "failed", "cancelled"],
        help="only runs that stand there",
    )
    ls.add_argument("--limit", type=_at_least_one, default=20, metavar="N", dest="most", help="how many runs (20)")
    _common(ls)

    show = _add(commands, "show", "show a run: its steps, attempts and outputs", "looking", "show")
    show.add_argument(
        "run",
        metavar="RUN[@STEP]",
        help=f"{_RUN}; a step shows all of it",
    )
    show.add_argument("--timeline", action="store_true", help="draw what happened when, with a lane for each node")
    show.add_argument("-f", "--format", choices=["text", *PICTURES], help="how to draw the timeline (text)")
    show.add_argument("-o", "--output", metavar="FILE", help="where to (stdout)")
    show.add_argument("--theme", choices=["light", "dark"], help="light, or dark (svg, png)")
    _common(show)

    graph = _add(commands, "graph", "draw a graph", "drawing", "graph")
    graph.add_argument(
        "target", metavar="TARGET", nargs="?", help="file.py:graph or pkg.mod:graph (with --run: as it was recorded)"
    )
    graph.add_argument("-f", "--format", choices=list(FORMATS), default="text", help="how to draw it (text)")
    graph.add_argument("-o", "--output", metavar="FILE", help="where to (stdout)")
    graph.add_argument("--run", metavar="RUN", help="show where a run of it stands (svg, png)")
    graph.add_argument("--theme", choices=["light", "dark"], help="light, or dark (svg, png)")
    graph.add_argument("--direction", choices=["down", "right"], help="down, or right (svg, png)")
    graph.add_argument(
        "--engine", choices=["graphrt", "graphviz"], help="what lays it out: graphrt, or the extra graphviz (svg, png)"
    )
    _common(graph)

    check = _add(commands, "check", "find every mistake of a file's graphs", "looking", "check")
    check.add_argument("target", metavar="TARGET", help="file.py, pkg.mod, or one graph: file.py:graph")
    _common(check, store=False)

    demo = _add(commands, "demo", "watch an agent be killed with -9 and go on where it was", "demo", "demo")
    demo.add_argument(
        "--folder", default="graphrt-demo", metavar="DIR", help="where it works (default: ./graphrt-demo)"
    )
    demo.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    demo.add_argument("-q", "--quiet", action="store_true", help="no progress")

    completion = _add(
        commands, "completion", "print a script that completes commands, runs and steps", "completion", "completion"
    )
    completion.add_argument("shell", choices=["bash", "zsh", "fish"], help="where it is to complete; it says how")
    completion.add_argument("--line", help=argparse.SUPPRESS)  # how the scripts ask what completes a line
    completion.add_argument("--word", help=argparse.SUPPRESS)


def _keeping_commands(commands: Commands) -> None:
    """What keeps a store small and sound, and runs as files."""
    size = _add(commands, "size", "say what takes up the room in a store: by table and by run", "keeping", "size")
    size.add_argument("--limit", type=_at_least_one, default=20, metavar="N", dest="most", help="how many runs (20)")
    size.add_argument(
        "--older-than", type=_age, default=_age("30d"), metavar="AGE", help="say what pruning so would free (30d)"
    )
    _common(size)

    prune = _add(commands, "prune", "remove runs that ended long ago", "keeping", "prune_command")
    prune.add_argument(
        "--older-than", type=_age, required=True, metavar="AGE", help="how long ago they ended: 30d, 12h, 90s"
    )
    prune.add_argument(
        "--status",
        type=_endings,
        default=_ENDINGS,
        metavar="STATUS,…",
        help="how they ended (finished,failed,cancelled)",
    )
    prune.add_argument(
        "--keep", type=_not_negative, default=0, metavar="N", help="keep the N newest of them, however old (0)"
    )
    prune.add_argument("--dry-run", action="store_true", help="say what would be removed, and stop")
    _common(prune)

    vacuum = _add(
        commands, "vacuum", "give a store's free pages back: its file gets smaller", "keeping", "vacuum_command"
    )
    vacuum.add_argument(
        "--incremental",
        action="store_true",
        help="only cut free pages off the end, which holds nobody up; the first time prepares the file for it",
    )
    _common(vacuum)

    doctor = _add(
        commands, "doctor", "say what is the matter with a store, its runs, a model, or llama.cpp", "doctor", "doctor"
    )
    doctor.add_argument("store", metavar="FILE", nargs="?", help="the store (default: as for --store)")
    doctor.add_argument(
        "--file-only", action="store_true", help="look at the file alone: import none of the graphs its runs name"
    )
    doctor.add_argument("--salvage", metavar="OUT.json", help="write every run that can be read whole, for `import`")
    doctor.add_argument(
        "--model",
        metavar="URI",
        help="instead of a store: ask this model, or the one of a role, what it really does; it costs some tokens",
    )
    doctor.add_argument(
        "--timeout",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="how long a model may take for a question, or llama.cpp for its trial (60)",
    )
    doctor.add_argument(
        "--llama",
        action="store_true",
        help="instead of a store: say whether the llama.cpp that is installed fits this machine, by trying it",
    )
    _common(doctor, store=False)
    doctor.epilog = (
        "It changes nothing. Exit code 0: nothing has to be done (warnings may be told), the model does what its "
        "profile says, llama.cpp fits; 6: something has to be, or differs."
    )

    export = _add(commands, "export", "write a run as one JSON file", "transfer", "export")
    export.add_argument("run", metavar="RUN", help=_RUN)
    export.add_argument("-o", "--output", metavar="FILE", help="where to (stdout)")
    _common(export)

    import_ = _add(commands, "import", "take the runs of a file into a store", "transfer", "import_")
    import_.add_argument("file", metavar="FILE", help="what `graphrt export` wrote; - reads stdin")
    import_.add_argument("--as", metavar="ID", dest="new", help="give the run another id")
    import_.add_argument("--target", metavar="TARGET", help="where its graph is: file.py:graph or pkg.mod:graph")
    _common(import_)


_ENDINGS = ("finished", "failed", "cancelled")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class _Age(float):
    """Seconds, and the word that said so."""

    word: str


def _age(word: str) -> _Age:
    number, unit = word[:-1], word[-1:]
    if not number.isdecimal() or unit not in _UNITS:
        raise argparse.ArgumentTypeError(f"{word!r} is no age; write 30d, 12h, 15m or 90s")
    age = _Age(int(number) * _UNITS[unit])
    age.word = word
    return age


def _endings(words: str) -> tuple[str, ...]:
    found = tuple(word.strip() for word in words.split(","))
    wrong = [word for word in found if word not in _ENDINGS]
    if wrong:
        raise argparse.ArgumentTypeError(f"{wrong[0]!r} is no way to end; write {','.join(_ENDINGS)} or some of them")
    return found


def _not_negative(word: str) -> int:
    number = int(word)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{word} is less than 0")
    return number


_RUN = "a run id, the beginning of one, @last or @last-failed"
_TARGET = "where its graph is, if it was not started from here"
_VALUE = "@FILE reads a file, - reads stdin"


def _seconds(word: str) -> float:
    number = float(word)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{word} is no number of seconds")
    return number


def _at_least_one(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word} is less than 1")
    return number


def _add(
    commands: Commands,
    name: str,
    about: str,
    module: str,
    function: str,
    *,
    takes_rest: bool = False,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
    parser.set_defaults(command=_lazy(module, function), takes_rest=takes_rest)
    return parser


def _common(
    parser: argparse.ArgumentParser, *, store: bool = True, as_json: str = "print one JSON document on stdout"
) -> None:
    parser.add_argument("--json", action="store_true", help=as_json)
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    if store:
        parser.add_argument(
            "--store", metavar="FILE", help="the store (default: GRAPHRT_STORE, graphrt.toml, ./graphrt.db)"
        )


def _running(parser: argparse.ArgumentParser, *, model: str = "bind a model role; may be repeated") -> None:
    parser.add_argument("--model", action="append", default=[], metavar="ROLE=URI", help=model)
    parser.add_argument(
        "--limit", action="append", default=[], metavar="NAME=N", help="size a named limit; may be repeated"
    )
    parser.add_argument("--concurrency", type=int, default=64, metavar="N", help="how many steps may be in flight (64)")


def _watching(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--watch",
        action="store_true",
        help="show the state of each node in place; with --json, print each event as a line and the result as the last",
    )


def _anew(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--again", action="store_true", help="do again also what must not be repeated, because doing it twice is right"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be run again and what is reused, and stop"
    )


def _telling(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--resume", action="store_true", help="take the run up and wait for its result")
    _running(parser)
    _common(parser)


OPTIONS = frozenset(
    [
        "--help",
        "--input",
        "--run-id",
        "--inputs",
        "--watch",
        "--model",
        "--limit",
        "--concurrency",
        "--json",
        "--quiet",
        "--store",
    ]
)
"""What `run` takes for itself. A test compares it with the parser."""


class _Version(argparse.Action):
    """Reads the installed version only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:  # noqa: A002 - argparse's name
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        sys.stdout.write(f"graphrt {version('graphrt')}\n")
        parser.exit()
