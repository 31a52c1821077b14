"""A run in time: what happened (`spans`), a scale of time (`scale`), lanes and rows (`lanes`), the drawing
(`picture`)."""

from graphrt.draw.timeline.picture import timeline as timeline

__all__ = ["timeline"]
