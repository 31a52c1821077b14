"""Runs as people see them: on a terminal, in a notebook, as plain lines."""

from graphrt.view.live import watch as watch
from graphrt.view.notebook import settings as settings

__all__ = ["settings", "watch"]
