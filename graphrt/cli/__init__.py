"""The command line. stdout is data, stderr is progress; every command takes `--json` (V3).

Exit codes: 0 ok · 1 run failed · 2 usage · 3 waiting for a person · 4 not found · 5 graph and run don't fit · 6 backend or
configuration · 130 interrupted after a checkpoint.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    from graphrt.cli.parser import parse

    arguments, rest = parse(sys.argv[1:] if argv is None else argv)
    try:
        code = arguments.command(arguments, rest)
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was committed is kept\n")
        code = 130
    except BrokenPipeError:
        # Whoever read stdout has gone: there is nobody left to tell.
        sys.stderr.close()
        code = 141
    except Exception as error:  # noqa: BLE001 - the last stop: known errors become a line and a code, others are raised
        from graphrt.cli.exits import code_of

        found = code_of(error)
        if found is None:
            raise
        sys.stderr.write(f"graphrt: {error}\n")
        code = found
    sys.exit(code)
