"""Small graphs, drawn at random or by hand, and a way to drive the pure core without a scheduler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import strategies as st

from graphrt import Dag, Final, Machine, State, dag, each, first, node, quorum, switch, when
from graphrt.decide import Cancel, Fail, Finish, Start, Stuck, decide
from graphrt.facts import (
    Fact,
    Failure,
    RunFailed,
    RunFinished,
    RunResumed,
    RunStarted,
    StepCancelled,
    StepFailed,
    StepFinished,
    StepStarted,
)
from graphrt.outcome import tag_of
from graphrt.state import apply
from graphrt.tree import State as RunState
from graphrt.types import StepKey


@node
def mix(a: int, b: int) -> int:
    return (a * 3 + b + 1) % 97


@node
def odd(a: int) -> bool:
    return a % 2 == 1


@node
def kind(a: int) -> int:
    return a % 3


@node
def upto(a: int) -> list[int]:
    return list(range(a % 4))


@node
def total(values: list[int]) -> int:
    return sum(values)


@node
def zero(a: int) -> int:
    return a * 0


@node
def broken(a: int) -> int:
    raise ValueError(str(a))


class Count(State):
    left: int
    so_far: int = 0


class Counted(Final):
    so_far: int


class Checked(State):
    left: int
    so_far: int


counter = Machine("counter", start=Count, end=Counted)


@counter.on
def look(state: Count) -> Checked | Counted:
    return Counted(so_far=state.so_far) if state.left % 4 == 0 else Checked(left=state.left, so_far=state.so_far)


@node
def back(state: Checked) -> Count:
    return Count(left=state.left % 4 - 1, so_far=(state.so_far * 3 + state.left) % 97)


@dag
def around(state: Checked) -> Count:
    return back(state)


counter.on(around)


@dataclass(frozen=True)
class Kit:
    """The nodes that a spec is drawn with."""

    mix: Any
    odd: Any
    kind: Any
    upto: Any
    total: Any
    zero: Any
    broken: Any
    counter: Any
    more: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    """Verbs of one value that only this kit has."""


PLAIN = Kit(mix, odd, kind, upto, total, zero, broken, counter)

WORLD: Mapping[str, Callable[[int], int]] = {
    "asked": lambda a: (a * 5 + 1) % 97,
    "told": lambda a: (a * 3 + 7 + 1) % 97,
    "slept": lambda a: a,
    "paid": lambda a: (a * 7 + 2) % 97,
    "wired": lambda a: (a * 11 + 3) % 97,
    "packed": lambda a: (a * 13 + 4) % 97,
    "queued": lambda a: (a * 2 + 1) % 97,
}
"""What the verbs that need the world are worth, by plain Python."""

Spec = list[tuple[Any, ...]]
"""One operation a line; numbers refer to the two inputs (0, 1) or to earlier lines (2, 3, ...)."""


@st.composite
def specs(draw: st.DrawFn, depth: int = 2, *, racing: bool = True, world: bool = False) -> Spec:
    lines: Spec = []
    verbs = [
        "mix",
        "each",
        "when",
        "switch",
        *(["first", "rescue", "quorum"] if racing else []),
        "machine",
        *(["dag", "map"] if depth else []),
        *(WORLD if world else []),
    ]
    for number in range(draw(st.integers(1, 6))):
        verb = draw(st.sampled_from(verbs))
        args = tuple(draw(st.integers(0, number + 1)) for _ in range(3))
        inner = draw(specs(depth=depth - 1, racing=racing, world=world)) if verb in {"dag", "map"} else None
        lines.append((verb, *args, inner))
    return lines


def build(spec: Spec, name: str = "g", kit: Kit = PLAIN) -> Dag[[int, int], int]:
    """Draw a spec with the public verbs."""
    mix, odd, kind, upto, total, zero = kit.mix, kit.odd, kit.kind, kit.upto, kit.total, kit.zero

    def body(x: int, y: int) -> int:
        v: list[Any] = [x, y]
        for number, (verb, a, b, c, inner) in enumerate(spec):
            match verb:
                case "mix":
                    made = mix(v[a], v[b])
                case "each":
                    made = total(each(mix, upto(v[a]), v[b]))
                case "when":
                    made = when(odd(v[a]), v[b], v[c])
                case "switch":
                    made = switch(kind(v[a]), {0: v[b], 1: mix(v[c], v[c])}, default=v[a])
                case "first":
                    made = first(zero(mix(v[a], v[b])), zero(v[c]))
                case "rescue":
                    made = first(kit.broken(v[a]), zero(mix(v[b], v[c])))
                case "quorum":
                    made = total(quorum(2, zero(v[a]), zero(mix(v[b], v[b])), zero(v[c])))
                case "machine":
                    made = kit.counter(left=v[a], so_far=v[b]).so_far
                case "dag":
                    made = build(inner, f"d{number}", kit)(v[a], v[b])
                case "map":
                    made = total(each(build(inner, f"m{number}", kit), upto(v[a]), v[b]))
                case _:
                    made = kit.more[verb](v[a])
            v.append(made)
        return v[-1]  # type: ignore[no-any-return] # a placeholder

    body.__name__ = name
    return dag(body)


def meaning(spec: Spec, x: int, y: int) -> int:
    """What a spec is worth, by plain Python."""
    v = [x, y]
    for verb, a, b, c, inner in spec:
        match verb:
            case "mix":
                made = mix.fn(v[a], v[b])
            case "each":
                made = sum(mix.fn(item, v[b]) for item in range(v[a] % 4))
            case "when":
                made = v[b] if v[a] % 2 == 1 else v[c]
            case "switch":
                made = (v[b], mix.fn(v[c], v[c]), v[a])[v[a] % 3]
            case "machine":
                left, made = v[a], v[b]
                while left % 4:
                    left, made = left % 4 - 1, (made * 3 + left) % 97
            case "dag":
                made = meaning(inner, v[a], v[b])
            case "map":
                made = sum(meaning(inner, item, v[b]) for item in range(v[a] % 4))
            case _:
                made = WORLD[verb](v[a]) if verb in WORLD else 0
        v.append(made)
    return v[-1]


class Bench:
    """Drives the core by hand: every choice that the world has is made by `chance`."""

    def __init__(self, state: RunState, chance: Random, *, width: int = 3, failing: float = 0.0) -> None:
        self.state = state
        self.chance = chance
        self.width = width
        self.failing = failing
        self.facts: list[Fact] = []
        self.running: dict[StepKey, Start] = {}
        self.seen: Callable[[], None] = lambda: None

    def fold(self, fact: Fact) -> None:
        apply(self.state, fact, 0.0)
        self.facts.append(fact)
        self.seen()

    def room(self, limit: str | None) -> int:
        return self.width - len(self.running)

    def go(self) -> bytes:
        """Go on to the end; a run that fails is resumed. Returns the result."""
        while True:
            commands = decide(self.state, 0.0, self.room)
            assert commands == decide(self.state, 0.0, self.room), "deciding twice gives the same"
            for command in commands:
                match command:
                    case Start(step=key, attempt=attempt):
                        assert key not in self.running
                        self.running[key] = command
                        self.fold(StepStarted(key, attempt))
                    case Cancel(step=key) if self.chance.random() < 0.8:
                        self.fold(StepCancelled(key, self.running.pop(key).attempt))
                    case Finish(value=value, tag=tag):
                        self.fold(RunFinished(value, tag))
                        return value
                    case Fail(blame=blame):
                        self.fold(RunFailed(blame.step, blame.attempt, blame.failure, blame.node))
                        self.failing /= 2
                        self.fold(RunResumed())
                    case Stuck(waiting=lines):
                        raise AssertionError(lines)
            if self.running:
                start = self.running.pop(self.chance.choice(sorted(self.running)))
                self.fold(self.outcome(start))

    def outcome(self, start: Start) -> Fact:
        if self.chance.random() < self.failing:
            return StepFailed(start.step, start.attempt, Failure("Injected", "by chance"))
        try:
            result = start.node.fn(**start.node.read(start.inputs))
        except ValueError as error:
            return StepFailed(start.step, start.attempt, Failure("ValueError", str(error)))
        port = start.node.signature.returns
        return StepFinished(start.step, start.attempt, port.write(result), tag_of(start.node, result), start.lineage)


def begin(graph: Dag[..., Any], x: int, y: int) -> tuple[RunState, RunStarted]:
    return RunState(graph), RunStarted(graph.name, graph.fingerprint, b'{"x":%d,"y":%d}' % (x, y), 0)
