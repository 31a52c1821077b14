"""The command line. stdout is data, stderr is progress; every command takes `--json` (V3).

Exit codes: 0 ok · 1 run failed · 2 usage · 3 waiting for a person · 4 not found · 5 graph and run don't fit ·
6 backend or configuration · 130 interrupted after a checkpoint.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import time
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    from graphrt.cli.parser import parse

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that is not Unicode shows \u2713 for a tick, which in JSON is even the same.
            stream.reconfigure(errors="backslashreplace")
    try:
        arguments, rest = parse(sys.argv[1:] if argv is None else argv)
        code = arguments.command(arguments, rest)
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was committed is kept\n")
        code = 130
    except BrokenPipeError:
        # Whoever read stdout has gone: there is nobody left to tell, and nothing more to write when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    except Exception as error:
        from graphrt.cli.exits import code_of

        found = code_of(error)
        if found is None:
            raise  # a bug: its traceback is what a report needs
        sys.stderr.write(f"graphrt: {error}\n")
        code = found
    _leave_threads(code)
    sys.exit(code)


def _leave_threads(code: int) -> None:
    """End now if a sync node that was cancelled or timed out is still at work in its thread.

    Nobody waits for it any more and its outcome will not be recorded; Python would wait, for as long as it takes.
    """
    patience = time.monotonic() + 0.5
    others = [thread for thread in threading.enumerate() if not thread.daemon and thread is not threading.main_thread()]
    for thread in others:
        thread.join(max(0.0, patience - time.monotonic()))
    if any(thread.is_alive() for thread in others):
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
