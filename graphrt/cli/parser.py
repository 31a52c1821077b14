"""The commands and their options. Nothing heavy is imported before a command runs, so that `--help` answers at once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

Command = Callable[[argparse.Namespace, Sequence[str]], int]


def _lazy(module: str, name: str) -> Command:
    def command(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
        found: Command = getattr(import_module(f"graphrt.cli.{module}"), name)
        return found(arguments, rest)

    return command


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Parse a command line; what `run` does not know are its graph's own inputs, and come back as they are."""
    parser = _parser()
    arguments, rest = parser.parse_known_args(argv)
    if rest and not arguments.takes_rest:
        parser.error(f"unknown arguments: {' '.join(rest)}")
    return arguments, rest


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="graphrt",
        description="Run typed graphs, durably. stdout is data, stderr is progress.",
        epilog="exit codes: 0 ok, 1 run failed, 2 usage, 3 waiting for a person, 4 not found, "
        "5 graph and run don't fit, 6 backend or configuration, 130 interrupted after a checkpoint",
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    run = _add(commands, "run", "start a run and wait for its result", "running", "run", takes_rest=True)
    run.add_argument("target", metavar="TARGET", help="file.py:graph or pkg.mod:graph")
    run.add_argument("--input", metavar="JSON", help="all inputs as a JSON object; @FILE reads a file, - reads stdin")
    run.add_argument("--run-id", metavar="ID", help="name the run; if the same run is there already, go on with it")
    run.epilog = (
        "Each input of the graph is an option of its own: --topic tides. `graphrt run TARGET --inputs` lists them."
    )
    run.add_argument("--inputs", action="store_true", help="print the graph's inputs and exit")
    _running(run)
    _common(run)

    resume = _add(commands, "resume", "take a run up where its journal ends", "running", "resume")
    resume.add_argument("run", metavar="RUN", help="a run id, the beginning of one, @last or @last-failed")
    resume.add_argument(
        "target", metavar="TARGET", nargs="?", help="where its graph is, if it was not started from here"
    )
    resume.add_argument(
        "--dry-run", action="store_true", help="say what would be run again and what is reused, and stop"
    )
    _running(resume)
    _common(resume)

    ls = _add(commands, "ls", "list runs, newest first", "looking", "ls")
    ls.add_argument(
        "--status", choices=["running", "finished", "failed", "cancelled"], help="only runs that stand there"
    )
    ls.add_argument("--limit", type=_at_least_one, default=20, metavar="N", dest="most", help="how many runs (20)")
    _common(ls)

    show = _add(commands, "show", "show a run: its steps, attempts and outputs", "looking", "show")
    show.add_argument(
        "run",
        metavar="RUN[@STEP]",
        help="a run id, the beginning of one, @last or @last-failed; a step shows all of it",
    )
    _common(show)

    graph = _add(commands, "graph", "draw a graph", "looking", "graph")
    graph.add_argument("target", metavar="TARGET", help="file.py:graph or pkg.mod:graph")
    graph.add_argument("-f", "--format", choices=["text", "mermaid"], default="text")
    _common(graph, store=False)

    check = _add(commands, "check", "find every mistake of a file's graphs", "looking", "check")
    check.add_argument("target", metavar="TARGET", help="file.py, pkg.mod, or one graph: file.py:graph")
    _common(check, store=False)

    demo = _add(commands, "demo", "watch an agent be killed with -9 and go on where it was", "demo", "demo")
    demo.add_argument(
        "--folder", default="graphrt-demo", metavar="DIR", help="where it works (default: ./graphrt-demo)"
    )
    demo.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    demo.add_argument("-q", "--quiet", action="store_true", help="no progress")
    return parser


def _at_least_one(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word} is less than 1")
    return number


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
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


def _common(parser: argparse.ArgumentParser, *, store: bool = True) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    if store:
        parser.add_argument(
            "--store", metavar="FILE", help="the store (default: GRAPHRT_STORE, graphrt.toml, ./graphrt.db)"
        )


def _running(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", action="append", default=[], metavar="ROLE=URI", help="bind a model role; may be repeated"
    )
    parser.add_argument(
        "--limit", action="append", default=[], metavar="NAME=N", help="size a named limit; may be repeated"
    )
    parser.add_argument("--concurrency", type=int, default=64, metavar="N", help="how many steps may be in flight (64)")


OPTIONS = frozenset(
    ["--help", "--input", "--run-id", "--inputs", "--model", "--limit", "--concurrency", "--json", "--quiet", "--store"]
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
