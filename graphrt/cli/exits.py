"""Which exit code an error means (V3)."""

from __future__ import annotations

from graphrt import errors

OK, FAILED, USAGE, WAITING, NOT_FOUND, MISMATCH, CONFIGURATION, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 130


_MISCONFIGURED = frozenset({"BindingError", "AuthFailed", "NotFound"})
"""Failures of a step that no retry mends, but another binding, key or address."""


class TargetNotFound(Exception):
    """A target names a file, module or graph that is not there."""


class TargetBroken(Exception):
    """A target's module raised an error of its own while it was imported; the message is its traceback."""


def code_of(error: BaseException) -> int | None:
    """Return the exit code of an error, or None if it is not one that a user can act on."""
    from graphrt.backends.errors import BackendError, BindingError

    match error:
        case errors.RunCancelled():
            return INTERRUPTED
        case errors.Suspended():
            return WAITING
        case errors.RunFailed(error_type=name) if name in _MISCONFIGURED:
            return CONFIGURATION
        case errors.RunError():
            return FAILED
        case errors.RunNotFound() | TargetNotFound():
            return NOT_FOUND
        case errors.GraphMismatch():
            return MISMATCH
        case errors.RunOver() | errors.MessageConflict():
            return USAGE
        case BindingError() | BackendError() | errors.StoreError():
            return CONFIGURATION
        case errors.GraphError() | errors.UsageError() | errors.PortError() | TargetBroken():
            return USAGE
        case _:
            return None
