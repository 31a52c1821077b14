"""Pictures: everything of a graph is in them, the same every time, and no name can break them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from graphrt import Final, Machine, State, dag, draw, each, first, node, quorum, switch, when
from graphrt.draw.sketch import Sketch, sketch
from graphrt.graph import Graph
from graphrt.machine import Machine as AnyMachine
from graphrt.nodes import generated, llm


class Pair(BaseModel):
    left: str
    right: int


@node
def measure(text: str) -> int:
    return len(text)


@node
def pair(text: str, count: int) -> Pair:
    return Pair(left=text, right=count)


@node(retry=3, timeout=2.5, limit="search")
def is_long(count: int) -> bool:
    return count > 3


@llm("Say {{ text }}.", model="fast")
def say(text: str) -> str:
    return generated()


@node
def split(text: str) -> list[str]:
    return text.split()


@node
def total(counts: list[int], chosen: str) -> int:
    return sum(counts) + len(chosen)


@dag
def verbs(text: str, other: str) -> int:
    """Every verb once."""
    both = pair(text, measure(other))
    chosen = when(is_long(both.right), say(both.left), say(text))
    mood = switch(both.left, {"a": say(text), 'b "quoted"': say(other)}, text)
    fastest = first(say(mood), say(chosen))
    quorum(2, measure(text), measure(other), measure(mood))
    lengths = each(measure, split(text))
    return total(lengths, fastest)


@node
def one_less(count: int) -> int:
    return count - 1


@dag
def countdown(count: int) -> int:
    """A dag inside itself."""
    return when(is_long(count), countdown(one_less(count)), count)


# The start's name ends in "in": what leads on from it is no start.
class Login(State):
    name: str = ""


class Middle(State):
    name: str = ""


class Done(Final):
    name: str = ""


door = Machine("door", start=Login, end=Done)


@door.on
def enter(state: Login) -> Middle:
    return Middle(name=state.name)


@door.on
def turn(state: Middle) -> Login | Middle | Done:
    return Done(name=state.name)


@dag
def visit(name: str) -> Done:
    return door(name=name)


@dag
def open_doors(names: list[str]) -> list[Done]:
    return each(visit, names)


class Outer(State):
    names: list[str]


class Over(Final):
    names: list[str]


house = Machine("house", start=Outer, end=Over)


@node
def lock(state: Outer, doors: list[Done]) -> Over:
    return Over(names=[*state.names, *(door.name for door in doors)])


@house.on
@dag
def everything(state: Outer) -> Over:
    return lock(state, open_doors(state.names))


@dag
def unsafe(text: str) -> str:
    """Names that a chart could take for something else."""
    one = say.named("end")(text)
    two = say.named('graph "x"')(one)
    three = say.named("é-->b|c`d`")(two)
    four = say.named("<b>&amp;\t<b>")(three)
    five = say.named("subgraph")(four)
    return switch(five, {"#35;": one, '"#quot;': two}, three)


GRAPHS: list[Graph[..., Any]] = [verbs, countdown, door, open_doors, house, unsafe]
ids = [graph.name for graph in GRAPHS]


@pytest.fixture(params=GRAPHS, ids=ids)
def graph(request: pytest.FixtureRequest) -> Graph[..., Any]:
    found: Graph[..., Any] = request.param
    return found


def sketches(drawn: Sketch) -> Iterator[Sketch]:
    yield drawn
    for box in drawn.boxes:
        if box.inner is not None:
            yield from sketches(box.inner)


BOX = re.compile(r'^ *(?:subgraph )?(n_\w+)(?:\(\[|\[\[|\(\(|[\[{(])"(.*?)"(?:\]\)|\]\]|\)\)|[\]})])$')
ARROW = re.compile(r'^ *(n_\w+) -->(?:\|"([^"]*)"\|)? (n_\w+)$')


def chart(graph: Graph[..., Any]) -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    """Read a mermaid flowchart back: boxes by id, and arrows. Fails on any line that is neither."""
    lines = draw.mermaid(graph).splitlines()
    assert lines[0] == "flowchart TD"
    boxes: dict[str, str] = {}
    arrows = []
    depth = 0
    for line in lines[1:]:
        depth += line.strip().startswith("subgraph ")
        if line.strip() == "end":
            depth -= 1
            assert depth >= 0
        elif found := BOX.match(line):
            assert found[1] not in boxes
            boxes[found[1]] = found[2]
        else:
            found = ARROW.match(line)
            assert found is not None, line
            arrows.append((found[1], found[2] or "", found[3]))
    assert depth == 0
    return boxes, arrows


def plain(label: str) -> str:
    """Read a label's entities and leave its second line out."""
    name = label.partition("<br/>")[0]
    return re.sub(r"#(\d+);", lambda found: chr(int(found[1])), name)


# What is in a picture.


def test_every_node_and_edge_of_the_networkx_graph_is_in_the_sketch(graph: Graph[..., Any]) -> None:
    """A picture leaves nothing out and makes nothing up (V1, G3)."""
    truth = graph.networkx
    drawn = sketch(graph)
    labels = {box.id: box.label for box in drawn.boxes}
    if isinstance(graph, AnyMachine):
        assert {name for name in labels.values() if name != "in"} == set(truth.nodes)
        wanted = Counter((source, target, key) for source, target, key in truth.edges(keys=True))
        found = Counter((labels[a.source], labels[a.target], a.label) for a in drawn.arrows if a.source != "in")
        assert found == wanted
        assert [(a.source, a.target) for a in drawn.arrows if a.source == "in"] == [("in", graph.start.__name__)]
        return
    names = {box.id: f"each:{box.label}" if box.many else box.label for box in drawn.boxes}
    assert [name for id_, name in names.items() if id_ not in {"in", "out"}] == list(truth.nodes)
    between = {(names[a.source], names[a.target]) for a in drawn.arrows if a.source != "in" and a.target != "out"}
    assert between == set(truth.edges())


def test_every_box_and_arrow_of_the_sketch_is_in_the_text(graph: Graph[..., Any]) -> None:
    """One line a box, at its depth; the arrows are on it (V1)."""
    text = draw.text(graph)
    lines = text.splitlines()
    count = sum(len(part.boxes) - 1 for part in sketches(sketch(graph)))  # the entry is in the signature
    heads = sum(1 for _ in sketches(sketch(graph)))
    assert len(lines) == count + heads
    for part in sketches(sketch(graph)):
        assert any(part.signature in line for line in lines)
        for box in part.boxes:
            if box.shape == "start":
                continue
            [line, *_] = [line for line in lines if re.search(rf"[□↺◇○■●] (each )?{re.escape(box.label)}( |$)", line)]
            assert line


def test_every_box_and_arrow_of_the_sketch_is_in_the_chart(graph: Graph[..., Any]) -> None:
    """The chart is read back: as many boxes, with their labels, as many arrows, between boxes that are there (V1)."""
    boxes, arrows = chart(graph)
    parts = list(sketches(sketch(graph)))
    labels = Counter(f"each {box.label}" if box.many else box.label for part in parts for box in part.boxes)
    assert Counter(map(plain, boxes.values())) == labels
    assert len(arrows) == sum(len({(a.source, a.target, a.label) for a in part.arrows}) for part in parts)
    assert all(source in boxes and target in boxes for source, _, target in arrows)


def test_a_picture_is_the_same_every_time_and_in_every_process(graph: Graph[..., Any]) -> None:
    """No picture depends on the order of a set or on an address (V1)."""
    assert draw.text(graph) == draw.text(graph)
    assert draw.mermaid(graph) == draw.mermaid(graph)
    assert draw.svg(graph) == draw.svg(graph)


def test_a_picture_does_not_depend_on_how_python_hashes() -> None:
    """Two processes with different hash seeds draw the same (V1)."""
    program = (
        "from graphrt import draw; from tests.graphrt.test_draw import *\n"
        "for graph in GRAPHS: print(draw.mermaid(graph), draw.svg(graph), draw.svg(graph, direction='right'))"
    )
    pictures = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(pictures) == 1
    assert "subgraph" in pictures.pop()


# How it reads.


def test_a_dag_as_text() -> None:
    """Each step with what it is made of, and what a person wants to know of it."""
    assert draw.text(verbs) == (
        "dag verbs(text: str, other: str) -> int\n"
        "├─ □ measure ← text=other\n"
        "├─ □ pair ← text, count=measure\n"
        "├─ □ is_long ← count=pair.right   (3 tries, 2.5 s, limit search)\n"
        "├─ □ say ← text=pair.left   (llm fast)\n"
        "├─ □ say-2 ← text   (llm fast)\n"
        "├─ ◇ when ← is_long, yes=say, no=say-2\n"
        "├─ □ say-3 ← text   (llm fast)\n"
        "├─ □ say-4 ← text=other   (llm fast)\n"
        '├─ ◇ switch ← pair.left, "a"=say-3, "b \\"quoted\\""=say-4, default=text\n'
        "├─ □ say-5 ← text=switch   (llm fast)\n"
        "├─ □ say-6 ← text=when   (llm fast)\n"
        "├─ ○ first ← say-5, say-6\n"
        "├─ □ measure-2 ← text\n"
        "├─ □ measure-3 ← text=other\n"
        "├─ □ measure-4 ← text=switch\n"
        "├─ ○ quorum ← measure-2, measure-3, measure-4   (2 of 3)\n"
        "├─ □ split ← text\n"
        "├─ □ each measure ← text=split\n"
        "├─ □ total ← counts=measure, chosen=first\n"
        "└─ ■ out ← total\n"
    )


def test_a_machine_as_text() -> None:
    """Each state with where it leads; only the start is marked as one, whatever states are called."""
    assert draw.text(door) == (
        "machine door(name: str) -> Done\n"
        "├─ ● Login ─ enter → Middle   (start)\n"
        "├─ ● Middle ─ turn → Login | Middle | Done\n"
        "└─ ■ Done\n"
    )


def test_graphs_inside_graphs_as_text() -> None:
    """A dag as a handler of a machine, a machine for each item of a list: each depth is indented under its box (G2)."""
    assert draw.text(house) == (
        "machine house(names: list[str]) -> Over\n"
        "├─ ● Outer ─ everything → Over   (start)\n"
        "│  dag everything(state: Outer) -> Over\n"
        "│  ├─ □ open_doors ← names=state.names\n"
        "│  │  dag open_doors(names: list[str]) -> list[Done]\n"
        "│  │  ├─ □ each visit ← name=names\n"
        "│  │  │  dag visit(name: str) -> Done\n"
        "│  │  │  ├─ □ door ← name\n"
        "│  │  │  │  machine door(name: str) -> Done\n"
        "│  │  │  │  ├─ ● Login ─ enter → Middle   (start)\n"
        "│  │  │  │  ├─ ● Middle ─ turn → Login | Middle | Done\n"
        "│  │  │  │  └─ ■ Done\n"
        "│  │  │  └─ ■ out ← door\n"
        "│  │  └─ ■ out ← visit\n"
        "│  ├─ □ lock ← state, doors=open_doors\n"
        "│  └─ ■ out ← lock\n"
        "└─ ■ Over\n"
    )


def test_a_recursion_is_shown_once_and_then_named() -> None:
    """A graph inside itself ends (G2)."""
    assert draw.text(countdown) == (
        "dag countdown(count: int) -> int\n"
        "├─ □ is_long ← count   (3 tries, 2.5 s, limit search)\n"
        "├─ □ one_less ← count\n"
        "├─ ↺ countdown ← count=one_less\n"
        "├─ ◇ when ← is_long, yes=countdown, no=count\n"
        "└─ ■ out ← when\n"
    )
    boxes, _ = chart(countdown)
    assert list(boxes.values()).count("countdown") == 1


def test_a_machine_inside_its_own_handler_is_shown_once_and_then_named() -> None:
    """Recursion through a machine ends too (G2)."""

    class Ask(State):
        depth: int = 0

    class Told(Final):
        depth: int = 0

    inside = Machine("inside", start=Ask, end=Told)

    @node
    def told(state: Ask, below: Told) -> Told:
        return Told(depth=state.depth + below.depth)

    @inside.on
    @dag
    def deeper(state: Ask) -> Told:
        return told(state, inside(depth=state.depth))

    text = draw.text(inside)
    assert text.count("machine inside(") == 1
    assert "↺ inside ← depth=state.depth" in text


def test_a_machine_as_a_chart() -> None:
    """The handler's name is on each arrow."""
    assert draw.mermaid(door) == (
        "flowchart TD\n"
        '    n_in(["in<br/><small>name</small>"])\n'
        '    n_Login("Login")\n'
        '    n_Middle("Middle")\n'
        '    n_Done(["Done"])\n'
        "    n_in --> n_Login\n"
        '    n_Login -->|"enter"| n_Middle\n'
        '    n_Middle -->|"turn"| n_Login\n'
        '    n_Middle -->|"turn"| n_Middle\n'
        '    n_Middle -->|"turn"| n_Done\n'
    )


# Names that could break it.


def test_no_name_can_break_a_chart() -> None:
    """Ids are letters, digits and `_`; what a label would read as markup is written as entities (V1)."""
    text = draw.mermaid(unsafe)
    boxes, arrows = chart(unsafe)
    assert [plain(label) for label in boxes.values()] == [
        "in",
        "end",
        'graph "x"',
        "é-->b|c`d`",
        "<b>&amp;\t<b>",
        "subgraph",
        "switch",
        "out",
    ]
    assert [plain(label) for _, label, _ in arrows] == [*["text"] * 5, "", '"#35;"', '"\\"#quot;"', "default", ""]
    assert all(re.fullmatch(r"[A-Za-z0-9_]+", box) for box in boxes)
    assert "<b>" not in text
    assert "`" not in text
    assert not re.search(r"^ +(end|subgraph)\[", text, re.MULTILINE)


def test_ids_of_different_depths_are_never_the_same() -> None:
    """A state called as a path inside another state is another box: `A` holding step 0, and a state `A_0`."""

    class A(State):
        x: int = 0

    class A_0(State):
        x: int = 0

    class Ä(State):  # noqa: PLC2401 - people do
        x: int = 0

    class End(Final):
        x: int = 0

    tricky = Machine("tricky", start=A, end=End)

    @node
    def on(state: A) -> A_0:
        return A_0()

    @tricky.on
    @dag
    def inside(state: A) -> A_0:
        return on(state)

    @tricky.on
    def further(state: A_0) -> Ä:
        return Ä()

    @tricky.on
    def last(state: Ä) -> End:
        return End()

    boxes, _ = chart(tricky)  # fails on an id that is there twice
    assert [plain(label) for label in boxes.values()] == ["in", "A", "in", "on", "out", "A_0", "Ä", "End"]
