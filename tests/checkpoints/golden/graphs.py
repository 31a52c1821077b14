"""The graphs whose runs are kept as golden stores. Add to them; never change one: the runs that are kept began with it.

Every body is async and draws on nothing but its input, so a run comes out the same in every version. `ran` lists the
steps whose bodies ran.
"""

from __future__ import annotations

import anyio
from pydantic import BaseModel, Field

from graphrt import Final, Machine, State, context, dag, each, first, node, quorum, step, switch, when
from graphrt.nodes import answered, person, signal, sleep

ran: list[str] = []


class Weather:
    """What the world is like: in bad weather `sail` fails."""

    fair = True


def _note() -> None:
    ran.append(context().step)


# A dag: each, when, switch, first, quorum, a dag in a dag, a retry, something emitted, a value that is large.


class Weighed(BaseModel):
    word: str
    weight: int


class Report(BaseModel):
    weighed: list[Weighed]
    verdict: str
    size: str
    soon: int
    two: list[int]
    fetched: int
    appendix: str


@node
async def split(text: str) -> list[str]:
    _note()
    return text.split()


@node
async def weigh(word: str, factor: int) -> Weighed:
    _note()
    context().emit("weighed", {"word": word})
    return Weighed(word=word, weight=len(word.encode()) * factor)


@node
async def heavy(weighed: list[Weighed]) -> bool:
    _note()
    return sum(item.weight for item in weighed) > 100


@node
async def praise(weighed: list[Weighed]) -> str:
    _note()
    return f"{len(weighed)} words, und alle sind schön"


@node
async def blame(weighed: list[Weighed]) -> str:
    _note()
    return f"only {len(weighed)} words"


@node
async def size(factor: int) -> str:
    _note()
    return "small" if factor < 5 else "large"


@node
async def at_once(factor: int) -> int:
    _note()
    return factor + 1


@node
async def never(factor: int) -> int:
    _note()
    await anyio.sleep_forever()
    return factor


@node(retry=3)
async def fetch(factor: int) -> int:
    _note()
    if context().attempt == 1:
        raise ConnectionError("the other side hung up")
    return factor * 1000


@node
async def repeat(text: str) -> str:
    _note()
    return f"{text} 🌊 " * 120


@dag
def around(factor: int) -> int:
    return fetch(factor)


@node
async def assemble(  # noqa: PLR0917 - each verb's result
    weighed: list[Weighed], verdict: str, size: str, soon: int, two: list[int], fetched: int, appendix: str
) -> Report:
    _note()
    return Report(
        weighed=weighed, verdict=verdict, size=size, soon=soon, two=two, fetched=fetched, appendix=appendix[:40]
    )


@dag
def report(text: str, factor: int) -> Report:
    weighed = each(weigh, split(text), factor)
    verdict = when(heavy(weighed), praise(weighed), blame(weighed))
    label = switch(size(factor), {"small": "tiny"}, default="huge")
    soon = first(at_once.named("quick")(factor), never.named("slow")(factor))
    two = quorum(2, at_once.named("one")(factor), never.named("two")(factor), at_once.named("three")(factor))
    return assemble(weighed, verdict, label, soon, two, around(factor), repeat(text))


# A machine: a state that grows, so that deltas, large values and snapshots come about.


class Open(State):
    page: int
    lines: list[str] = Field(default_factory=list)


class Checked(State):
    page: int
    lines: list[str]


class Closed(Final):
    pages: int
    lines: list[str]


PAGES = 60

ledger = Machine("ledger", start=Open, end=Closed)


@ledger.on
async def book(state: Open) -> Checked:
    _note()
    line = f"page {state.page}: {state.page * 7919 % 1000} € — carried over"
    return Checked(page=state.page, lines=[*state.lines, line])


@ledger.on
async def audit(state: Checked) -> Open | Closed:
    _note()
    if state.page + 1 >= PAGES:
        return Closed(pages=PAGES, lines=state.lines)
    lines = [*state.lines[:-1], state.lines[-1].upper()] if state.page % 5 == 0 else state.lines
    return Open(page=state.page + 1, lines=lines)


# A step that fails in bad weather, after one that does not.


@node
async def rig(crew: int) -> int:
    _note()
    return crew * 2


@node(retry=2)
async def sail(ropes: int) -> str:
    _note()
    if not Weather.fair:
        raise OSError(5, "a gale, force 9")
    return f"over, with {ropes} ropes"


@dag
def crossing(crew: int) -> str:
    return sail(rig(crew))


# A step that waits until it is cancelled.


@dag
def becalmed(crew: int) -> int:
    return never(rig(crew))


# Waiting for the world: a signal, a person, a timer. Since format 3.


paid = signal("paid", int)


@person("Sail with {{ crew }}?")
def captain(crew: int) -> bool:
    return answered()


@node
async def depart(ropes: int, fee: int, ready: bool, tide: str) -> str:
    _note()
    return f"{ropes} ropes, {fee} paid, {ready}, {tide}"


@dag
def voyage(crew: int) -> str:
    return depart(rig(crew), paid(), captain(crew), sleep("tide", 3600))


# An effect that must not be repeated, and parts of a node that are done once. Since format 3.


def receipt(ropes: int) -> int:
    return ropes * 3


@node(effect="once", check=receipt)
async def toll(ropes: int) -> int:
    _note()
    return ropes * 3


@dag
def passage(crew: int) -> str:
    return sail(toll(rig(crew)))


async def buy(crew: int) -> int:
    ran.append("provision/buy")
    return crew * 10


async def stow(barrels: int) -> int:
    ran.append("provision/stow")
    return barrels + 1


@node
async def provision(crew: int) -> int:
    _note()
    return await step(stow, await step(buy, crew))


@dag
def stores(crew: int) -> int:
    return provision(crew)
