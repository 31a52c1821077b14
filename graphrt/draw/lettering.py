"""How wide a text is, without a font: enough to make a box that holds it."""

from __future__ import annotations

import re
import unicodedata

_WIDTHS = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
)  # fmt: skip
"""How far each ASCII character from the space on moves a sans-serif line on, in thousandths of its size."""
_OTHER = 667
_WIDE = 1112
_SAFETY = 1.15
"""The font that is there may be wider than the one that was asked for."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def width(text: str, size: float) -> float:
    """Return how wide a line may come out, in pixels, at a font size in pixels."""
    return sum(map(_advance, text)) * size * _SAFETY / 1000


def shorten(text: str, size: float, most: float) -> str:
    """Write a text on one line and cut it so that it is not wider than `most`; an ellipsis says that it was cut."""
    line = " ".join(text.split())
    if width(line, size) <= most:
        return line
    left = most - width("…", size)
    for end, letter in enumerate(line):
        left -= _advance(letter) * size * _SAFETY / 1000
        if left < 0:
            return line[:end].rstrip() + "…"
    return line


def escape(text: str) -> str:
    """Write a text so that XML reads it as text, in an element or an attribute; what XML cannot hold becomes U+FFFD."""
    return re.sub(r'[&<>"]', lambda found: _ENTITIES[found[0]], _NOT_XML.sub("\ufffd", text))


def _advance(letter: str) -> int:
    if " " <= letter <= "~":
        return _WIDTHS[ord(letter) - 32]
    if unicodedata.combining(letter):
        return 0
    return _WIDE if unicodedata.east_asian_width(letter) in {"W", "F"} else _OTHER
