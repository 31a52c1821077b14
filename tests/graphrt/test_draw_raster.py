"""An SVG becomes pixels with letters of our own (V1)."""

import struct
import sys

import pytest

from graphrt.draw.raster import MARKS, rasterize
from graphrt.errors import UsageError

pytest.importorskip("resvg_py", reason="the extra png is not installed")


def picture(text: str, size: int = 40) -> str:
    """A small SVG in fonts that may not be there."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" viewBox="0 0 {size} {size}">'
        f'<rect width="{size}" height="{size}" fill="#ffffff"/><text x="4" y="28" font-size="20" '
        f'font-family="Nowhere, sans-serif" fill="#000000">{text}</text></svg>'
    )


def test_a_png_has_the_size_of_its_svg_times_the_zoom() -> None:
    found = rasterize(picture("ab"), zoom=3.0)
    assert found.startswith(b"\x89PNG\r\n")
    assert struct.unpack(">II", found[16:24]) == (120, 120)


def test_text_leaves_ink_where_no_font_is_installed_and_the_same_each_time() -> None:
    assert rasterize(picture("ab")) == rasterize(picture("ab"))
    assert len({rasterize(picture(text)) for text in ("", " ", "a", "é", "λ", "ж", "→", "╭", "●")}) == 8


@pytest.mark.parametrize("mark", sorted(set(map(chr, MARKS)) - {"\n", "\t"}))
def test_the_marks_are_in_the_font(mark: str) -> None:
    assert rasterize(picture(mark)) not in {rasterize(picture("")), rasterize(picture("\ufffd"))}


def test_without_its_extra_a_png_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from graphrt.draw import raster

    raster._resvg.cache_clear()
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(UsageError, match=r"pip install 'graphrt\[png\]'; an SVG needs nothing"):
        rasterize(picture("a"))
    raster._resvg.cache_clear()


def test_what_is_no_svg_is_an_error() -> None:
    with pytest.raises(ValueError, match="root node"):
        rasterize("<svg")
