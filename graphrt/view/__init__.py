"""Runs as people see them: on a terminal, in a notebook, as plain lines."""

from graphrt.view.live import watch as watch

__all__ = ["watch"]
