"""Runs as people see them: on a terminal, in a notebook, as plain lines. Each name is imported when it is asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphrt.view.bundles import timeline as timeline
    from graphrt.view.live import watch as watch
    from graphrt.view.notebook import settings as settings

__all__ = ["settings", "timeline", "watch"]

_HOMES = {"settings": "notebook", "timeline": "bundles", "watch": "live"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
