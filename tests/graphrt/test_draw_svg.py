"""SVG: everything of a graph is in it, no name can break it, and there is nothing in it that somebody takes out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrt import dag, draw
from graphrt.draw.lettering import escape, shorten, width
from graphrt.draw.look import LOOKS, Theme
from graphrt.draw.sketch import Sketch, sketch
from graphrt.errors import UsageError
from graphrt.graph import Graph
from graphrt.nodes import answered, person, signal, sleep
from tests.graphrt.test_draw import GRAPHS, door, house, measure, say, sketches, unsafe, verbs

SVG = "{http://www.w3.org/2000/svg}"


@person("Is {{ text }} all right?")
def approve(text: str) -> str:
    return answered()


go = signal("go", str)


@dag
def kinds(text: str, count: int) -> str:
    """Every kind of node."""
    sleep(measure(text), 3.0)
    go()
    return approve(say(text))


ALL: list[Graph[..., Any]] = [*GRAPHS, kinds]


@pytest.fixture(params=ALL, ids=[graph.name for graph in ALL])
def graph(request: pytest.FixtureRequest) -> Graph[..., Any]:
    found: Graph[..., Any] = request.param
    return found


def read(graph: Graph[..., Any], theme: Theme = "light") -> ElementTree.Element:
    return ElementTree.fromstring(draw.svg(graph, theme=theme))


def tooltips(root: ElementTree.Element) -> list[str]:
    return [found.text or "" for found in root.iter(f"{SVG}title")]


def words(root: ElementTree.Element) -> list[str]:
    return [found.text for found in root.iter() if found.tag in {f"{SVG}text", f"{SVG}tspan"} and found.text]


def parts(drawn: Sketch) -> Iterator[Sketch]:
    yield from sketches(drawn)


def test_every_box_is_in_the_picture_with_its_name_and_its_ports(graph: Graph[..., Any]) -> None:
    """The name is written; what goes in and comes out is in the tooltip (V1)."""
    root = read(graph)
    said, told = words(root), tooltips(root)
    for part in parts(sketch(graph)):
        assert any(part.signature in tooltip for tooltip in told)
        for box in part.boxes:
            assert shorten(box.label, 13, 220) in said
            assert any(tooltip.startswith(box.label) and box.ports in tooltip for tooltip in told)


def test_every_arrow_is_in_the_picture_with_its_type(graph: Graph[..., Any]) -> None:
    """Arrows between the same boxes are one; its tooltip tells of each (V1)."""
    root = read(graph)
    told = [tooltip for tooltip in tooltips(root) if " → " in tooltip]
    pairs = [pair for part in parts(sketch(graph)) for pair in {(a.source, a.target) for a in part.arrows}]
    assert len(told) == len(pairs)
    lines = {line for tooltip in told for line in tooltip.splitlines()}
    for part in parts(sketch(graph)):
        names = {box.id: " ".join(box.label.split()) for box in part.boxes}
        for arrow in part.arrows:
            ends = [
                line
                for line in (" ".join(line.split()) for line in lines)
                if line.startswith(".".join([names[arrow.source], *arrow.path]))
                and names[arrow.target] in line
                and line.endswith(arrow.type)
            ]
            assert ends


def test_the_types_of_ports_are_in_the_tooltips() -> None:
    """What a step takes and what an arrow brings (V1)."""
    told = tooltips(read(verbs))
    assert "pair\nnode pair(text: str, count: int) -> Pair" in told
    assert "measure → pair (count): int" in told
    assert "split → measure (text): each str" in told
    assert "say → when (yes): str" in told


def test_conditions_are_written_on_arrows_and_parameters_are_not() -> None:
    """A case can be read without pointing at anything (V1)."""
    said = words(read(verbs))
    assert {"yes", "no", '"a"', '"b \\"quoted\\""', "default"} <= set(said)
    assert "count" not in said


def test_a_state_says_what_handles_it() -> None:
    """The handler is in the box: its arrows are where it leads."""
    said = words(read(door))
    assert "enter · function" in said
    assert "turn · function" in said
    assert "everything · dag" in words(read(house))


def test_a_kind_is_said_in_a_word() -> None:
    """Not only by its shape and its colour (V1)."""
    said = " / ".join(words(read(kinds)))
    for word in ("function", "model fast", "person", "timer", "signal"):
        assert word in said
    assert "function, 3 tries, 2.5 s, limit search" in words(read(verbs))


def test_kinds_differ_in_shape() -> None:
    """A picture without colours can be read (V1)."""
    outlines = set()
    for group in read(kinds).iter(f"{SVG}g"):
        paths = [path.get("d", "") for path in group.findall(f"{SVG}path")]
        texts = [text.text for text in group.findall(f"{SVG}text")]
        if len(texts) == 2 and paths:
            outlines.add((re.sub(r"[^A-Z]", "", paths[0]), *re.findall(r"A(\S+)", paths[0])))
    assert len(outlines) >= 5


@pytest.mark.parametrize("theme", list(LOOKS))
def test_there_is_nothing_in_it_that_is_taken_out(graph: Graph[..., Any], theme: Theme) -> None:
    """A few elements, attributes that say how they look, no reference, and the ground is opaque (V1)."""
    text = draw.svg(graph, theme=theme)
    root = ElementTree.fromstring(text)
    allowed = {"x", "y", "width", "height", "d", "fill", "stroke", "stroke-width", "transform", "text-anchor"}
    top = {"width", "height", "viewBox", "role", "aria-label", "font-family", "font-size"}
    for found in root.iter():
        assert found.tag.removeprefix(SVG) in {"svg", "g", "title", "rect", "path", "text", "tspan"}
        more = top | {"stroke-linejoin", "stroke-linecap"} if found is root else {"font-size", "font-weight", "dx"}
        assert set(found.attrib) <= allowed | more
    assert text.count("http") == 1
    assert "url(" not in text
    ground = root[0]
    assert (ground.get("width"), ground.get("height")) == (root.get("width"), root.get("height"))
    assert ground.get("fill") == LOOKS[theme].ground
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"


@pytest.mark.parametrize("theme", list(LOOKS))
def test_what_is_written_can_be_read(theme: Theme) -> None:
    """Letters are at least 4.5 times as light or as dark as what they are on."""

    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    look = LOOKS[theme]
    pairs = [(text, on) for text in (look.text, look.quiet) for on in (look.ground, look.box, *look.clusters)]
    for one, other in [*pairs, (look.pill_text, look.pill)]:
        low, high = sorted((light(one), light(other)))
        assert (high + 0.05) / (low + 0.05) >= 4.5


def test_no_name_can_break_a_picture() -> None:
    """Markup in a name is text (V1)."""
    root = read(unsafe)
    assert {'graph "x"', "é-->b|c`d`", "<b>&amp; <b>"} <= set(words(root))


LETTERS = st.text(st.sampled_from("ab <>&\"'#;\t\n\r\0\x1b\x7f\x85é漢🙂\u2028\ud800\ufffe"))


@given(LETTERS)
def test_what_is_escaped_is_read_back(text: str) -> None:
    """Any text, in an element and in an attribute; what XML has no way to write is replaced."""
    root = ElementTree.fromstring(f'<a b="{escape(text)}">{escape(text)}</a>')
    plain = [letter for letter in root.text or "" if letter not in "\r\n\t "]
    given_ = [letter for letter in text if letter not in "\r\n\t "]
    assert len(plain) == len(given_)
    assert all(found in (letter, "\ufffd") for found, letter in zip(plain, given_, strict=True))
    assert root.get("b", "").split() == (root.text or "").split()


@given(LETTERS, st.integers(20, 300))
def test_a_long_text_is_cut_with_an_ellipsis(text: str, most: int) -> None:
    """It is never wider than it may be, and it is the beginning of what there was."""
    short = shorten(text, 13, most)
    line = " ".join(text.split())
    assert width(short, 13) <= most + 0.01
    assert short == line or (short.endswith("…") and line.startswith(short[:-1]))


def test_wide_letters_take_twice_the_room() -> None:
    """A name in Chinese or an emoji fits its box."""
    assert width("漢字", 10) == pytest.approx(2 * width("nn", 10))
    assert width("🙂", 10) == pytest.approx(width("漢", 10))
    assert width("e\u0301", 10) == width("e", 10)


@pytest.mark.parametrize(("word", "value"), [("theme", "blue"), ("direction", "up")])
def test_a_look_that_there_is_not_is_refused(word: str, value: str) -> None:
    """The message says which there are."""
    wrong: Any = {word: value}
    with pytest.raises(UsageError, match=f"{word} '{value}' is neither"):
        draw.svg(door, **wrong)
