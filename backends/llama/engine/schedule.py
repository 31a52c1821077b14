"""Who is computed next: plain functions over facts, which know nothing of llama.cpp.

A step is a few calls. Exact, the company that a row is computed in may depend on nothing but its own request: a chunk
of a prompt goes alone, and the single rows of those that write go together, in a number that makes no difference.
Otherwise everything that fits goes in one call.

Nobody starves: whoever asks (a run, as a rule) takes a turn after everybody else who waits, the first of its requests
first; prompts are read in the order of admission; and those that write have a row in every step.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that waits, and who asks."""

    number: int
    owner: Hashable


@dataclass(frozen=True, slots=True)
class Running:
    """A request that has a slot. `length` tokens are computed and `todo` are to be; those of a prompt are `reading`.

    `since` is the order of admission and `own` the cells that only this one holds.
    """

    slot: int
    since: int
    length: int
    todo: int
    reading: bool
    own: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a step may do: `rows` in a call; beside those that write `prompts` tokens of prompts for each that reads,
    and `most` of all of them.

    `exact` needs `company` rows in a call of single rows; 0 means that each row goes alone.
    """

    slots: int
    rows: int
    chunk: int
    prompts: int
    most: int
    exact: bool
    company: int = 1

    def beside(self, running: Sequence[Running]) -> int:
        """Tokens of prompts in a step in which others write. The more there are who read, the more is gained once they
        write, too: a call for few costs nearly what it costs for many."""
        return min(self.prompts * sum(each.reading for each in running), self.most)


@dataclass(frozen=True, slots=True)
class Call:
    """One computation: how many tokens of which slot, in the order of the slots, and idle slots that fill it up."""

    rows: tuple[tuple[int, int], ...]
    fill: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now: first free the slots of `preempt`, then `calls`."""

    calls: tuple[Call, ...]
    preempt: tuple[int, ...] = ()


def next_up(waiting: Sequence[Asked], served: Mapping[Hashable, int]) -> Asked:
    """Whose turn it is among at least one: the first request of whoever was served longest ago.

    `served` says when that was, on the clock that numbers the requests; whoever is not there has waited since the
    request came. So nobody is overtaken twice by the same owner, nor by a newcomer after the next turn.
    """
    return min(waiting, key=lambda asked: (served.get(asked.owner, asked.number), asked.number))


def plan(running: Sequence[Running], limits: Limits, free: int | None = None) -> Step:
    """The next step. `free` is how many cells are left, where the sequences share them.

    Where they do not suffice for those that write, the youngest give theirs up; the oldest always goes on.
    """
    by_age = sorted(running, key=lambda each: each.since)
    if limits.exact:
        return Step(_exact(by_age, limits))
    preempt: list[int] = []
    left = by_age
    if free is not None:
        while len(left) > 1 and _needed(left, limits) > free:
            *left, youngest = left
            preempt.append(youngest.slot)
            free += youngest.own
    return Step(_together(left, limits, free), tuple(preempt))


def _needed(running: Sequence[Running], limits: Limits) -> int:
    """The cells that must be had: a row for each that writes; where all read, some for the oldest."""
    writing = sum(min(each.todo, limits.rows) for each in running if not each.reading)
    return writing or min(running[0].todo, limits.chunk)


def _exact(running: Sequence[Running], limits: Limits) -> tuple[Call, ...]:
    calls = []
    single = sorted(each.slot for each in running if not each.reading and each.todo == 1)
    if limits.company == 0:
        calls += [Call(((slot, 1),)) for slot in single]
    elif single:
        window = company(single, limits.slots, limits.company)
        calls.append(Call(tuple((slot, 1) for slot in single), tuple(s for s in window if s not in set(single))))
    calls += [
        Call(((each.slot, min(each.todo, limits.chunk)),)) for each in running if not each.reading and each.todo > 1
    ]
    room = limits.beside(running) if calls else limits.chunk
    for each in running:
        length, todo = each.length, each.todo
        while each.reading and todo > 0 and room > 0:
            count = min(todo, limits.chunk - length % limits.chunk)
            calls.append(Call(((each.slot, count),)))
            length, todo, room = length + count, todo - count, room - count
    return tuple(calls)


def company(slots: Sequence[int], total: int, least: int) -> range:
    """The slots that are computed together with `slots`, which are in order: llama.cpp splits a call at a gap."""
    low, high = slots[0], slots[-1] + 1
    while high - low < min(least, total):
        if high < total:
            high += 1
        else:
            low -= 1
    return range(low, high)


def _together(running: Sequence[Running], limits: Limits, free: int | None) -> tuple[Call, ...]:
    room = limits.rows if free is None else min(limits.rows, free)
    prompts = room if all(each.reading for each in running) else limits.beside(running)
    rows: list[tuple[int, int]] = []
    for each in sorted(running, key=lambda each: (each.reading, each.since)):
        count = min(each.todo, room, prompts) if each.reading else min(each.todo, room)
        if count > 0:
            rows.append((each.slot, count))
            room -= count
            prompts -= count if each.reading else 0
    return (Call(tuple(sorted(rows))),) if rows else ()
