"""Who is computed when: never over the limits, nobody forgotten, and exact where it must be."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from graphrt.backends.llama.engine.schedule import Asked, Call, Limits, Running, Step, company, next_up, plan

EXACT = Limits(slots=6, rows=32, chunk=8, prompts=16, most=40, exact=True, company=2)
TOGETHER = replace(EXACT, exact=False, rows=12)


@st.composite
def crowds(draw: st.DrawFn) -> list[Running]:
    """Slots in use; prompts are read up to a chunk's end unless somebody is at the last of it."""
    slots = draw(st.lists(st.integers(0, EXACT.slots - 1), unique=True, max_size=EXACT.slots))
    ages = draw(st.permutations(range(len(slots))))
    crowd = []
    for slot, age in zip(slots, ages, strict=True):
        reading = draw(st.booleans())
        length = draw(st.integers(0, 5)) * EXACT.chunk if reading else draw(st.integers(1, 40))
        todo = draw(st.integers(1, 40)) if reading else draw(st.sampled_from([1, 1, 1, 2, 9]))
        crowd.append(Running(slot, age, length, todo, reading, own=draw(st.integers(0, length))))
    return crowd


def check(crowd: list[Running], step: Step, limits: Limits) -> None:
    """What holds of every step."""
    by_slot = {each.slot: each for each in crowd}
    done = dict.fromkeys(by_slot, 0)
    for call in step.calls:
        slots = [slot for slot, _ in call.rows]
        assert slots == sorted(set(slots))
        assert not set(slots) & set(call.fill)
        assert 0 < sum(count for _, count in call.rows) + len(call.fill) <= limits.rows
        for slot, count in call.rows:
            assert count > 0
            done[slot] += count
    assert all(done[slot] <= each.todo for slot, each in by_slot.items())
    assert not set(step.preempt) & {slot for slot, count in done.items() if count}


@given(crowds())
def test_an_exact_step_computes_rows_in_the_company_that_their_request_alone_decides(crowd: list[Running]) -> None:
    step = plan(crowd, EXACT)
    check(crowd, step, EXACT)
    assert not step.preempt
    at = {each.slot: each.length for each in crowd}
    reading = {each.slot for each in crowd if each.reading}
    for call in step.calls:
        together = sorted([*(slot for slot, _ in call.rows), *call.fill])
        if len(call.rows) > 1 or call.fill:
            assert all(count == 1 for _, count in call.rows)
            assert not reading & {slot for slot, _ in call.rows}
            assert len(together) >= EXACT.company
        assert all(after == before + 1 for before, after in pairwise(together))
        for slot, count in call.rows:
            if slot in reading:
                assert at[slot] % EXACT.chunk == 0
                whole = next(each.length + each.todo for each in crowd if each.slot == slot)
                assert (at[slot] + count) % EXACT.chunk == 0 or at[slot] + count == whole
            at[slot] += count


@given(crowds())
def test_whoever_writes_has_a_row_in_every_step(crowd: list[Running]) -> None:
    for limits in (EXACT, TOGETHER):
        computed = {slot for call in plan(crowd, limits).calls for slot, _ in call.rows}
        writing = [each for each in crowd if not each.reading]
        if sum(each.todo for each in writing) <= limits.rows:
            assert {each.slot for each in writing} <= computed
        assert not crowd or computed


@given(crowds())
def test_prompts_beside_writers_are_bounded_and_read_oldest_first(crowd: list[Running]) -> None:
    for limits in (EXACT, TOGETHER):
        step = plan(crowd, limits)
        reading = sorted((each for each in crowd if each.reading), key=lambda each: each.since)
        read = [sum(n for call in step.calls for slot, n in call.rows if slot == each.slot) for each in reading]
        if len(reading) < len(crowd):
            assert sum(read) < min(limits.prompts * len(reading), limits.most) + limits.chunk
        begun = [each.todo - count for each, count in zip(reading, read, strict=True)]
        assert all(left == 0 or not any(read[i + 1 :]) for i, left in enumerate(begun))


@given(crowds(), st.integers(0, 60))
def test_where_cells_are_shared_no_more_are_used_than_there_are(crowd: list[Running], free: int) -> None:
    step = plan(crowd, TOGETHER, free)
    check(crowd, step, TOGETHER)
    by_age = sorted(crowd, key=lambda each: each.since)
    gained = sum(each.own for each in crowd if each.slot in step.preempt)
    assert sum(count for call in step.calls for _, count in call.rows) <= free + gained
    kept = [each.slot for each in by_age if each.slot not in step.preempt]
    assert [each.slot for each in by_age][: len(kept)] == kept
    assert not crowd or kept


def test_where_cells_are_too_few_for_those_who_write_the_youngest_give_theirs_up() -> None:
    crowd = [Running(slot, since, 20, 1, reading=False, own=20) for slot, since in ((0, 3), (1, 1), (2, 2))]
    assert plan(crowd, TOGETHER, 3) == Step((Call(((0, 1), (1, 1), (2, 1))),))
    assert plan(crowd, TOGETHER, 2) == Step((Call(((1, 1), (2, 1))),), preempt=(0,))
    assert plan(crowd[:1], TOGETHER, 0) == Step(())
    readers = [replace(each, reading=True, todo=9) for each in crowd]
    assert plan(readers, TOGETHER, 0).preempt == (0,)


@given(st.sets(st.integers(0, 9), min_size=1), st.integers(1, 12))
def test_company_has_no_gaps(slots: set[int], least: int) -> None:
    found = list(company(sorted(slots), 10, least))
    assert set(slots) <= set(found) <= set(range(10))
    assert len(found) >= min(least, 10)
    assert len(found) <= max(least, max(slots) - min(slots) + 1)


def test_owners_take_turns_and_each_is_answered_in_order() -> None:
    waiting = [Asked(i, "many") for i in range(5)] + [Asked(5, "one"), Asked(6, "other"), Asked(7, "one")]
    served: dict[Hashable, int] = {}
    order = []
    clock = 8
    while waiting:
        waiting.remove(asked := next_up(waiting, served))
        served[asked.owner] = clock
        clock += 1
        order.append(asked.number)
    assert order == [0, 5, 6, 1, 7, 2, 3, 4]


def test_a_newcomer_waits_for_its_turn() -> None:
    assert next_up([Asked(0, "old"), Asked(9, "new")], {"old": 8}) == Asked(0, "old")
    assert next_up([Asked(1, "old"), Asked(9, "new")], {"old": 10}) == Asked(9, "new")


@dataclass
class Simulated:
    """A request on a made-up machine: its prompt, then tokens one by one."""

    number: int
    owner: int
    prompt: int
    answer: int
    length: int = 0

    def running(self, slot: int) -> Running:
        reading = self.length < self.prompt
        todo = self.prompt - self.length if reading else 1
        return Running(slot, self.number, self.length, todo, reading, own=self.length)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 60), st.integers(1, 20)), min_size=1, max_size=25),
    st.booleans(),
    st.integers(81, 200),
)
def test_everybody_is_answered_in_the_end(asked: list[tuple[int, int, int]], exact: bool, cells: int) -> None:
    limits = EXACT if exact else TOGETHER
    waiting = {i: Simulated(i, owner, prompt, answer) for i, (owner, prompt, answer) in enumerate(asked)}
    slots: dict[int, Simulated] = {}
    served: dict[Hashable, int] = {}
    clock, steps, answered = len(waiting), 0, 0
    while waiting or slots:
        steps += 1
        assert steps < 5000
        while waiting and len(slots) < limits.slots:
            turn = next_up([Asked(each.number, each.owner) for each in waiting.values()], served)
            task = waiting[turn.number]
            room = cells - sum(each.length for each in slots.values())
            if not exact and slots and room < max(task.length, task.prompt) + limits.chunk * (len(slots) + 1):
                break
            del waiting[turn.number]
            served[task.owner] = clock = clock + 1
            slots[min(set(range(limits.slots)) - set(slots))] = task
        free = None if exact else cells - sum(each.length for each in slots.values())
        step = plan([each.running(slot) for slot, each in slots.items()], limits, free)
        for slot in step.preempt:
            task = slots.pop(slot)
            waiting[task.number] = task
        before = answered
        for call in step.calls:
            for slot, count in call.rows:
                slots[slot].length += count
        for slot, task in list(slots.items()):
            if task.length >= task.prompt + task.answer:
                del slots[slot]
                answered += 1
        assert step.calls or step.preempt or answered > before
    assert answered == len(asked)
