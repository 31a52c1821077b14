"""How a process ended, in a word."""

from __future__ import annotations

import signal


def ending(code: int) -> str:
    """Name the signal or the exit code in a return code; nothing if it ended well."""
    if code >= 0:
        return f"exit code {code}" if code else ""
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
