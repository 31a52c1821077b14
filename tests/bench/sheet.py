"""Twelve graphs, light and dark, to be looked at: loops in loops, wide fan-outs, long names, graphs in graphs.

    python -m tests.bench.sheet OUT_DIR

Writes NN-name-light.svg and NN-name-dark.svg, and prints a line for each graph: boxes, arrows, crossings, size.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from graphrt.demo import agent
from graphrt.draw.layout import Direction
from graphrt.draw.look import LOOKS
from graphrt.draw.sketch import Arrow, Box, Shape, Sketch, sketch
from graphrt.draw.svg import Drawing, Scene, arrange
from tests.graphrt import test_draw


@dataclass(frozen=True)
class Sheet:
    """A graph of the sheet."""

    name: str
    drawn: Sketch
    direction: Direction = "down"


def words(name: str, arrows: str, kinds: str = "", inner: Sequence[Sketch] = ()) -> Sketch:
    """A sketch from words: `a>b:label` is an arrow, `a=llm` a kind; a sketch is inside the box of its name."""
    links = [part.partition(":") for part in arrows.split()]
    pairs = [(*ends.split(">"), label.replace("_", " ")) for ends, _, label in links]
    names = dict.fromkeys(end for source, target, _ in pairs for end in (source, target))
    kind_of = dict(part.split("=") for part in kinds.split())
    within = {part.name: part for part in inner}
    shapes: dict[str, Shape] = {"in": "start", "out": "end", "choice": "choice", "join": "join", "state": "state"}

    def shape(label: str) -> Shape:
        return shapes.get(kind_of.get(label, label), "step")

    boxes = [
        Box(
            f"{name}.{label}",
            label,
            shape(label),
            inner=within.get(label),
            kind=kind_of.get(label, "node"),
            many=kind_of.get(label) == "each",
        )
        for label in names
    ]
    drawn = [Arrow(f"{name}.{source}", f"{name}.{target}", label) for source, target, label in pairs]
    return Sketch(name, "dag", f"{name}()", tuple(boxes), tuple(drawn))


def research() -> Sketch:
    """An agent that searches, reads and writes, with people and reviews: 26 boxes, 6 loops."""
    loop = words(
        "research_loop",
        "in>fan_out fan_out>search_web fan_out>search_arxiv fan_out>search_kb search_web>fetch_pages "
        "search_arxiv>fetch_pages search_kb>dedupe fetch_pages>fetch_pages fetch_pages>dedupe dedupe>rank_passages "
        "rank_passages>enough_evidence enough_evidence>fan_out enough_evidence>out",
        "search_web=tool search_arxiv=tool search_kb=tool fetch_pages=tool rank_passages=llm enough_evidence=choice",
    )
    panel = words(
        "review_panel",
        "in>critic_style in>critic_facts in>critic_safety critic_style>merge_reviews critic_facts>merge_reviews "
        "critic_safety>merge_reviews merge_reviews>quality_gate quality_gate>out",
        "critic_style=llm critic_facts=llm critic_safety=llm quality_gate=choice",
    )
    return words(
        "report",
        "in>classify ask_clarification>classify classify>ask_clarification classify>plan_research "
        "plan_research>research_loop research_loop>draft_report:enough classify>draft_report:smalltalk "
        "plan_research>on_error exec_tools>draft_report draft_report>exec_tools draft_report>review_panel "
        "review_panel>human_approval review_panel>revise revise>review_panel human_approval>check_citations "
        "human_approval>revise check_citations>publish check_citations>on_error publish>summarize_memory "
        "summarize_memory>out on_error>out",
        "classify=choice ask_clarification=person plan_research=llm draft_report=choice exec_tools=tool revise=llm "
        "human_approval=person publish=tool summarize_memory=llm",
        [loop, panel],
    )


def states(name: str, count: int, seed: int, back: int, ahead: int) -> Sketch:
    """A machine of many states: a chain with branches, and arrows back."""
    chance = random.Random(seed)
    arrows = [(max(0, number - chance.randint(1, 3)), number) for number in range(1, count)]
    arrows += [(number, max(0, number - chance.randint(1, 9))) for number in chance.sample(range(count), back)]
    arrows += [(number, min(count - 1, number + chance.randint(2, 8))) for number in chance.sample(range(count), ahead)]
    text = " ".join(f"state_{a}>state_{b}" for a, b in arrows)
    return words(name, f"in>state_0 {text}", " ".join(f"state_{number}=state" for number in range(count)))


def sheets() -> list[Sheet]:
    """The twelve."""
    loops = (
        "in>plan plan>act act>observe observe>act observe>reflect reflect>plan reflect>write write>check check>write "
        "check>plan check>check check>publish"
    )
    letters = "abcdefgh"
    columns = " ".join(f"{one}0>{other}1" for one in letters for other in letters if (ord(one) * ord(other)) % 5 == 1)
    long = words(
        "long_names",
        "in>summarise_every_paragraph_of_the_quarterly_report_for_the_board in>短い名前 短い名前>out "
        "summarise_every_paragraph_of_the_quarterly_report_for_the_board>merge:a_condition_that_is_longer_than_a_line "
        "in>merge:otherwise merge>out",
        "merge=choice summarise_every_paragraph_of_the_quarterly_report_for_the_board=llm",
    )
    wide = " ".join(f"split>part_{number} part_{number}>join" for number in range(24))
    return [
        Sheet("three", words("three", "in>answer answer>out", "answer=llm")),
        Sheet("door", sketch(test_draw.door)),
        Sheet("verbs", sketch(test_draw.verbs)),
        Sheet("verbs-right", sketch(test_draw.verbs), "right"),
        Sheet("nested", sketch(test_draw.house)),
        Sheet("demo", sketch(agent.inbox)),
        Sheet(
            "loops", words("loops", loops, " ".join(f"{each}=state" for each in loops.replace(">", " ").split()[1:]))
        ),
        Sheet("research", research()),
        Sheet("wide", words("wide", f"in>split {wide} join>out", "join=join")),
        Sheet("long", long, "right"),
        Sheet("dense", words("dense", f"{columns} " + " ".join(f"in>{one}0 {one}1>out" for one in letters))),
        Sheet("states-200", states("states-200", 200, 7, 24, 30), "right"),
    ]


def parts(drawn: Sketch) -> Iterator[Sketch]:
    """A sketch and all inside it."""
    yield drawn
    for box in drawn.boxes:
        if box.inner is not None:
            yield from parts(box.inner)


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    print(f"{'graph':<16} {'boxes':>6} {'arrows':>7} {'crossings':>10} {'back':>5} {'size':>12}")
    for number, sheet in enumerate(sheets(), 1):
        for theme in LOOKS:
            text = Drawing(sheet.drawn, theme=theme, direction=sheet.direction).draw()
            (out / f"{number:02}-{sheet.name}-{theme}.svg").write_text(text, encoding="utf-8")
        placed = arrange(sheet.drawn, Scene(sheet.direction))
        boxes = sum(len(part.boxes) for part in parts(sheet.drawn))
        print(
            f"{sheet.name:<16} {boxes:>6} {len(placed.routes):>7} {placed.crossings:>10} {sum(placed.back):>5} "
            f"{f'{placed.width:.0f} x {placed.height:.0f}':>12}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
