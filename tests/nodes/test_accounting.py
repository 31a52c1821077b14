"""What a run spent on models, by its journal: every token once, and what was spent for nothing (M4, M8)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import anyio
import pytest
from pydantic_core import from_json, to_json

from graphrt import Retry, Runtime, Timeout, context, dag, errors, first, node, step
from graphrt.backends.accounting import Spent, read_spent, spent_by
from graphrt.backends.base import Backend, Capabilities
from graphrt.backends.errors import BackendError, BadRequest, RateLimited, ServerError, StreamTruncated, TimedOut
from graphrt.backends.events import (
    Answer,
    Chose,
    Failed,
    Finished,
    PartDelta,
    PartEnded,
    PartStarted,
    Restarted,
    Started,
    StreamEvent,
    Usage,
)
from graphrt.backends.messages import Reasoning, Request, Text, assistant
from graphrt.backends.policies import hedge
from graphrt.backends.prices import OWN, Price, Prices
from graphrt.backends.scripted import Scripted
from graphrt.config import Config
from graphrt.facts import AttemptFailed, Entry, Fact, RunRewound, Span, StepFailed, StepFinished, StepUnknown
from graphrt.facts import Failure as Recorded
from graphrt.journal import MemoryJournal
from graphrt.nodes import ask, generated, llm
from graphrt.run import Run
from graphrt.testing import JumpingClock
from graphrt.types import RunId, StepKey
from tests.backends.played import Played, Step

pytestmark = pytest.mark.anyio
SOON = Retry(attempts=2, base=0)


def said(text: str, input_: int | None, output: int | None, **more: Any) -> Answer:
    return Answer(
        message=assistant(text), finish="stop", usage=Usage(input=input_, output=output, raw={"x": 1}), **more
    )


@llm("Plan {{ topic }}.", model="smart", retry=SOON)
def plan(topic: str) -> str:
    return generated()


@llm("Write {{ what }}.", model="fast", retry=SOON)
def write(what: str) -> str:
    return generated()


@dag
def work(topic: str) -> list[str]:
    planned = plan(topic)
    return [write.named("a")(planned), write.named("b")(planned)]


def runtime(clock: JumpingClock | None = None, **models: Backend) -> Runtime:
    return Runtime(MemoryJournal(), models=models, config=Config(), clock=clock or JumpingClock())


async def spent_in(rt: Runtime, run: Run[Any], prices: Prices | None = None) -> Spent:
    return await read_spent(rt.journal, run.id, prices)


async def records(rt: Runtime, run: Run[Any]) -> list[dict[str, Any]]:
    """What the notes of a run's outcomes keep of its questions, one after the other."""
    found: list[dict[str, Any]] = []
    for entry in await rt.journal.read(RunId(run.id)):
        note = getattr(entry.fact, "note", None)
        found += from_json(note).get("model", []) if note else []
    return found


async def failing(rt: Runtime, what: Any, *args: Any) -> Run[Any]:
    """Run something to the failure it must come to."""
    run = await rt.start(what, *args)
    with pytest.raises(errors.RunFailed):
        await run.result()
    return run


# What is counted.


async def test_tokens_are_summed_by_run_step_role_and_model() -> None:
    """Each answer once; money at the prices that are given (M4)."""
    smart = Scripted([said("p", 100, 10)], name="openai:big")
    fast = Scripted([said("a", 20, 5, model="small-1"), said("b", 30, 7)], name="openai:small")
    prices = Prices({"openai:big": Price(10, 100), "openai:small": Price(1, 2), "openai:small-1": Price(3, 4)})
    async with runtime(smart=smart, fast=fast) as rt:
        run = await rt.start(work, "tides")
        await run.result()
        spent = await spent_in(rt, run, prices)
    total = spent.total
    assert (total.calls, total.input, total.output, total.wasted, total.untold) == (3, 150, 22, 0, 0)
    steps, roles, backends = spent.by("step"), spent.by("role"), spent.by("backend")
    assert {name: (each.input, each.output) for name, each in steps.items()} == {
        "plan": (100, 10),
        "a": (20, 5),
        "b": (30, 7),
    }
    assert {name: each.calls for name, each in roles.items()} == {"smart": 1, "fast": 2}
    assert {name: each.output for name, each in backends.items()} == {"openai:big": 10, "openai:small": 12}
    assert steps["plan"].cost == Decimal("0.002")
    assert steps["a"].cost == Decimal("0.00008")
    assert total.cost == Decimal("0.002") + Decimal("0.00008") + Decimal("0.000044")
    assert (total.unpriced, total.priced_by, total.wasted_cost) == (0, (OWN,), None)


async def test_what_nobody_told_is_none_and_is_counted_as_such() -> None:
    """Unknown is None, never 0: a sum says how many calls it lacks (M4)."""
    model = Scripted([said("p", 100, 10), said("a", None, None), said("b", 30, 7)], name="house:x")
    async with runtime(smart=model, fast=model) as rt:
        run = await rt.start(work, "tides")
        await run.result()
        spent = await spent_in(rt, run, Prices({"other:x": Price(1, 1)}))
    assert (spent.total.input, spent.total.output, spent.total.cache_read, spent.total.untold) == (130, 17, None, 1)
    assert (spent.total.cost, spent.total.unpriced) == (None, 2)
    nothing = spent.by("step")["a"]
    assert (nothing.calls, nothing.input, nothing.output, nothing.untold, nothing.unpriced) == (1, None, None, 1, 0)


async def test_a_run_that_asked_nobody_spent_nothing() -> None:
    """No calls, no sums, no price."""

    @node
    def add(x: int) -> int:
        return x + 1

    async with runtime() as rt:
        run = await rt.start(add, 1)
        await run.result()
        spent = await spent_in(rt, run, Prices())
    assert (spent.calls, spent.total.input, spent.total.cost, spent.by("step")) == ((), None, None, {})


# What fails.


async def test_what_a_failed_attempt_spent_is_recorded_and_wasted() -> None:
    """M5: an answer that broke off carries its usage, and it was paid for."""
    cut = StreamTruncated("cut", partial=assistant("so f"), usage=Usage(input=90, output=4, raw={"x": 1}))
    model = Scripted([cut, said("p", 100, 10)], name="openai:big")
    async with runtime(smart=model) as rt:
        run = await rt.start(plan, "tides")
        await run.result()
        spent = await spent_in(rt, run, Prices({"openai:big": Price(10, 100)}))
        first, second = await records(rt, run)
    assert first["error"] == {"type": "StreamTruncated", "category": "truncated", "message": "cut"}
    assert (first["usage"], first["said"], "finish" in first) == ({"input": 90, "output": 4}, "so f", False)
    assert ("error" in second, second["usage"]) == (False, {"input": 100, "output": 10})
    assert (spent.total.input, spent.total.output, spent.total.wasted, spent.total.untold) == (190, 14, 94, 0)
    assert spent.total.wasted_cost == Decimal("0.0013")
    assert [(call.attempt, call.error, call.wasted) for call in spent.calls] == [
        (1, "truncated", True),
        (2, None, False),
    ]
    assert {number: each.output for number, each in spent.attempts("plan").items()} == {1: 4, 2: 10}


async def test_a_step_that_fails_for_good_wasted_what_it_was_answered_before() -> None:
    """An answer that does not fit its type was paid for, and so was its repair (M7)."""

    @llm("List.", model="fast", repairs=1)
    def listed() -> list[str]:
        return generated()

    model = Scripted([said("{}", 10, 1), said("[", 12, 2)])
    async with runtime(fast=model) as rt:
        run = await failing(rt, listed)
        spent = await spent_in(rt, run)
    assert (spent.total.calls, spent.total.wasted) == (2, 25)


async def test_an_answer_that_was_mended_is_not_wasted() -> None:
    """What did not fit is a part of the conversation that led to what does."""

    @llm("List.", model="fast", repairs=1)
    def listed() -> list[str]:
        return generated()

    async with runtime(fast=Scripted([said("{}", 10, 1), said('{"result": []}', 12, 2)])) as rt:
        run = await rt.start(listed)
        await run.result()
        spent = await spent_in(rt, run)
    assert (spent.total.calls, spent.total.output, spent.total.wasted) == (2, 3, 0)


@pytest.mark.parametrize(
    ("error", "untold"),
    [
        (RateLimited("slow down"), 0),
        (BadRequest("no such field"), 0),
        (ServerError("oops"), 1),
        (TimedOut("silent"), 1),
        (StreamTruncated("cut"), 1),
    ],
)
async def test_who_refuses_charges_nothing_and_who_breaks_may(error: BackendError, untold: int) -> None:
    """L5: what a silent server did is unknown, not 0; what one said no to is nothing."""
    async with runtime(smart=Scripted([error, error])) as rt:
        run = await failing(rt, plan, "tides")
        spent = await spent_in(rt, run)
        calls = await records(rt, run)
    assert [call["error"]["category"] for call in calls] == [error.category] * len(calls)
    assert (spent.total.untold, spent.total.input, spent.total.wasted) == (untold * len(calls), None, 0)


async def test_a_question_that_failed_in_a_step_that_went_on_is_wasted() -> None:
    """The node's own way out: what it tried first is recorded beside what it said in the end."""

    @node
    async def careful() -> str:
        try:
            return (await ask("smart", "go")).text
        except BackendError:
            return (await ask("fast", "go")).text

    cut = StreamTruncated("cut", usage=Usage(input=9, output=4))
    async with runtime(smart=Scripted([cut]), fast=Scripted([said("ok", 5, 1)])) as rt:
        run = await rt.start(careful)
        assert await run.result() == "ok"
        spent = await spent_in(rt, run)
    assert [(call.role, call.wasted) for call in spent.calls] == [("smart", True), ("fast", False)]
    assert (spent.total.output, spent.total.wasted) == (5, 13)


class Slow:
    """Begins an answer, and never ends it."""

    name = "house:slow"
    capabilities = Capabilities()

    def __init__(self, clock: JumpingClock) -> None:
        self.clock = clock

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        yield Started("slow-1")
        await self.clock.wait(anyio.Event(), 1e6)

    async def aclose(self) -> None:
        """Nothing is held."""


async def test_a_question_that_was_given_up_is_recorded_with_its_cost_unknown() -> None:
    """L5, L6: a step's timeout ends the question, and nobody knows what it has cost by then."""

    @llm("Hi.", model="fast", timeout=Timeout(first=20.0))
    def hello() -> str:
        return generated()

    clock = JumpingClock()
    async with runtime(clock, fast=Slow(clock)) as rt:
        run = await failing(rt, hello)
        spent = await spent_in(rt, run)
        [record] = await records(rt, run)
    assert (record["error"]["type"], record["usage"], record["answered_by"]) == ("Cancelled", {}, "slow-1")
    assert "said" not in record
    assert (spent.total.calls, spent.total.untold, spent.total.input) == (1, 1, None)
    assert (spent.calls[0].error, spent.calls[0].wasted) == ("Cancelled", True)


async def test_what_a_step_had_asked_before_nobody_needed_it_is_wasted() -> None:
    """M8: the losers of a race were paid for, too."""

    @node
    async def winner() -> str:
        await context().sleep(5.0)
        return "won"

    @node
    async def loser() -> str:
        await ask("fast", "go")
        await context().sleep(1e6)
        return "late"

    @dag
    def race() -> str:
        return first(winner(), loser())

    async with runtime(fast=Scripted([said("a", 20, 5)])) as rt:
        run = await rt.start(race)
        assert await run.result() == "won"
        spent = await spent_in(rt, run)
    assert [(call.step, call.usage.input, call.wasted) for call in spent.calls] == [("loser", 20, True)]


async def test_a_backend_that_breaks_its_stream_is_recorded_as_well() -> None:
    """What is wrong with it is in the record of its question, too."""

    class Broken(Slow):
        async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
            yield Started("broken-1")
            raise ValueError("a bug")

    async with runtime(smart=Broken(JumpingClock())) as rt:
        run = await failing(rt, plan, "tides")
        calls = await records(rt, run)
    assert [call["error"] for call in calls] == [{"type": "ValueError", "message": "a bug"}] * 2


# Policies.


class Playing:
    """A policy over others, as its events have it."""

    name = "policy(house:a, house:b)"
    capabilities = Capabilities()

    def __init__(self, *events: StreamEvent) -> None:
        self.events = events

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        for event in self.events:
            yield event

    async def aclose(self) -> None:
        """Nothing is held."""


async def policy_spent(*events: StreamEvent) -> list[tuple[str, str | None, int | None, bool, Decimal | None]]:
    """What was spent on a step whose model is a policy that says this."""
    return await spent_on(Playing(*events))


async def spent_on(model: Backend) -> list[tuple[str, str | None, int | None, bool, Decimal | None]]:
    """What was spent on a step of this model: on whom, their error, their output, wasted or not, the cost."""
    prices = Prices({"house:a": Price(0, 1_000_000), "house:b": Price(0, 2_000_000)})
    async with runtime(smart=model) as rt:
        run = await rt.start(plan, "tides")
        with suppress(errors.RunFailed):
            await run.result()
        spent = await spent_in(rt, run, prices)
    mine = [call for call in spent.calls if call.attempt == 1]
    return [(call.backend, call.error, call.usage.output, call.wasted, call.cost) for call in mine]


USED = Usage(input=0, output=3, raw={"x": 1})


async def test_a_fallback_s_failed_attempt_is_wasted_on_whom_it_was_made() -> None:
    """M8: and the answer is that of whom it fell back to, at that one's price."""
    found = await policy_spent(
        Chose("fallback", "house:a", "first"),
        Chose("fallback", "house:b", "house:a was cut", error=StreamTruncated("cut: by them"), wasted=USED),
        Started("b-1"),
        Finished("stop", usage=Usage(input=0, output=5)),
    )
    assert found == [("house:a", "truncated", 3, True, Decimal(3)), ("house:b", None, 5, False, Decimal(10))]


async def test_a_hedge_s_loser_is_wasted_whoever_it_was() -> None:
    """L21: both answer, one counts, both cost; also where the first one wins after all."""
    won = Finished("stop", usage=Usage(input=0, output=5))
    first = Chose("hedge", "house:a", "first")
    second = Chose("hedge", "house:b", "house:a was silent for 2 s")
    found = await policy_spent(first, second, Chose("hedge", "house:b", "spoke first", wasted=USED), Started(), won)
    assert [each[:4] for each in found] == [("house:a", None, 3, True), ("house:b", None, 5, False)]
    found = await policy_spent(first, second, Chose("hedge", "house:a", "spoke first", wasted=USED), Started(), won)
    assert [each[:4] for each in found] == [("house:b", None, 3, True), ("house:a", None, 5, False)]


@pytest.mark.parametrize(
    ("last", "lost"),
    [
        (Failed(ServerError("oops", usage=USED)), ("house:b", "server", 3, True, Decimal(6))),
        (60.0, ("house:b", None, None, True, None)),
    ],
    ids=["failed", "let go"],
)
async def test_a_second_that_was_asked_for_nothing_is_paid_at_its_own_price(last: Step, lost: Any) -> None:
    """L21: whatever became of it, since it was named when it was asked."""
    clock = JumpingClock()
    won = Finished("stop", usage=Usage(input=0, output=5))
    one, two = Played("house:a", [3.0, won], clock=clock), Played("house:b", [last], clock=clock)
    assert await spent_on(hedge(one, two, after=2.0, clock=clock)) == [lost, ("house:a", None, 5, False, Decimal(5))]


async def test_whoever_lost_and_is_not_named_is_one_of_the_policy_s_backends() -> None:
    """L21: by a policy of somebody else's; what a cancelled loser cost is not known, and not taken for nothing."""
    found = await policy_spent(
        Chose("hedge", "house:a", "asked first"),
        Chose("hedge", "house:a", "house:b was asked too, and house:a spoke first", wasted=Usage()),
        Finished("stop", usage=Usage(input=0, output=5)),
    )
    assert [each[:4] for each in found] == [("policy(house:a, house:b)", None, None, True), ("house:a", None, 5, False)]


async def test_when_all_fail_each_is_counted_once() -> None:
    """L22: the last one's error ends the question."""
    found = await policy_spent(
        Chose("fallback", "house:a", "first"),
        Chose("fallback", "house:b", "house:a is busy", error=RateLimited("busy")),
        Failed(ServerError("oops", usage=USED)),
    )
    assert [each[:4] for each in found] == [("house:a", "rate_limit", None, True), ("house:b", "server", 3, True)]


@pytest.mark.parametrize(("began", "answered_by"), [([Started("b-1")], "b-1"), ([Started()], None), ([], None)])
async def test_the_model_that_began_an_answer_which_then_began_anew_is_not_the_one_that_answered(
    began: list[StreamEvent], answered_by: str | None
) -> None:
    """M8: a restart may go to another model."""
    model = Playing(Started("a-1"), Restarted("cut"), *began, Finished("stop", usage=USED))
    async with runtime(smart=model) as rt:
        run = await rt.start(plan, "tides")
        await run.result()
        [record] = await records(rt, run)
    assert record.get("answered_by") == answered_by


async def test_after_a_restart_a_part_is_shown_live_by_what_it_is_now() -> None:
    """M8: another model may think in the part whose name was a text's before."""
    text, thought = Text(id="1", text="so"), Reasoning(id="1", text="hm")
    said_first = (PartStarted("1", "text"), PartDelta("1", "so"), PartEnded("1", text))
    said_then = (PartStarted("1", "reasoning"), PartDelta("1", "hm"), PartEnded("1", thought))
    model = Playing(Started(), *said_first, Restarted("cut"), *said_then, Finished("stop"))
    async with runtime(smart=model) as rt:
        run = await rt.start(plan, "tides")
        assert [live.text async for live in run.live()] == ["so"]


@pytest.mark.parametrize(("model", "recorded"), [("gpt-4", True), ("gpt-4o", False), ("gpt-4o-1", True)])
async def test_the_model_that_answered_is_recorded_unless_it_is_the_one_that_was_asked(
    model: str, recorded: bool
) -> None:
    """A name within a name is another model, at another price."""
    async with runtime(smart=Scripted([said("p", 1, 1, model=model)], name="openai:gpt-4o")) as rt:
        run = await rt.start(plan, "tides")
        await run.result()
        [record] = await records(rt, run)
    assert record.get("answered_by") == (model if recorded else None)


# Retries, forks, parts of a step.


async def test_what_a_retry_does_anew_was_spent_twice_and_is_wasted_once() -> None:
    """D9: a journal only grows; what no longer counts was paid for all the same."""

    def answers(plan: int, a: int, b: int) -> Scripted:
        counts = {"Plan": plan, "Write a": a, "Write b": b}
        return Scripted({words: said(words[-1], count, 1) for words, count in counts.items()})

    @dag
    def both(topic: str) -> list[str]:
        plan(topic)
        return [write.named("a")("a"), write.named("b")("b")]

    async with runtime(smart=answers(100, 20, 30), fast=answers(100, 20, 30)) as rt:
        run = await rt.start(both, "tides")
        await run.result()
        first = (await spent_in(rt, run)).total
        rt.models.update(smart=answers(7, 7, 7), fast=answers(7, 7, 7))
        await (await rt.retry(run.id, both, at="b")).result()
        second = (await spent_in(rt, run)).total
        await (await rt.retry(run.id, both, at="a")).result()
        third = await spent_in(rt, run)
    assert (first.calls, first.input, first.wasted) == (3, 150, 0)
    assert (second.calls, second.input, second.wasted) == (4, 157, 31)
    assert (third.total.calls, third.total.input, third.total.wasted) == (5, 164, 31 + 21)
    assert {name: each.wasted for name, each in third.by("step").items()} == {"plan": 0, "a": 21, "b": 31}


async def test_a_fork_spends_what_it_does_itself() -> None:
    """D9: what it shares is its parent's, who paid for it; no token is counted for both."""
    model = Scripted([said("p", 100, 10), said("a", 20, 5), said("b", 30, 7), said("b", 40, 8)])
    async with runtime(smart=model, fast=model) as rt:
        run = await rt.start(work, "tides")
        await run.result()
        fork = await rt.fork(run, work, at="b")
        await fork.result()
        parent, child = await spent_in(rt, run), await spent_in(rt, fork)
    assert (parent.total.calls, parent.total.wasted) == (3, 0)
    assert [(call.step, call.usage.input, call.wasted) for call in child.calls] == [("b", 40, False)]


async def test_a_part_of_a_failed_attempt_that_is_done_is_not_wasted() -> None:
    """D4: the next attempt takes what it came to from the record, and does not ask again."""
    tries: list[int] = []

    async def outline() -> str:
        return (await ask("smart", "outline")).text

    @node(retry=SOON)
    async def article() -> str:
        found = await step(outline)
        await ask("smart", "a title")
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionError("gone")
        return found

    model = Scripted([said("o", 100, 10), said("t", 5, 1), said("t", 6, 2)])
    async with runtime(smart=model) as rt:
        run = await rt.start(article)
        assert await run.result() == "o"
        spent = await spent_in(rt, run)
    assert [(call.attempt, call.usage.input, call.wasted) for call in spent.calls] == [
        (1, 100, False),
        (1, 5, True),
        (2, 6, False),
    ]
    assert len(model.requests) == 3


# Pure: over entries that are written down here.


def entry(seq: int, fact: Fact) -> Entry:
    return Entry(seq, 1_000.0 + seq, fact)


def note_of(*calls: Mapping[str, Any]) -> bytes:
    return to_json({"model": list(calls)})


def finished(seq: int, *calls: Mapping[str, Any], step: str = "s") -> Entry:
    return entry(seq, StepFinished(StepKey(step), 1, b'""', note=note_of(*calls)))


CALL = {"role": "fast", "backend": "house:x", "usage": {"input": 10, "output": 2}}
LOST = Recorded("X", "x")


@pytest.mark.parametrize(
    ("fact", "wasted"),
    [
        (StepFinished(StepKey("s"), 1, b'""', note=note_of(CALL)), 0),
        (StepUnknown(StepKey("s"), 1, LOST, note=note_of(CALL)), 0),
        (AttemptFailed(StepKey("s"), 1, LOST, 0.0, note=note_of(CALL)), 12),
        (StepFailed(StepKey("s"), 1, LOST, note=note_of(CALL)), 12),
    ],
)
def test_every_outcome_s_note_counts(fact: Fact, wasted: int) -> None:
    """Whatever an attempt came to; of an effect that may have been had nobody knows that it was for nothing."""
    spent = spent_by("r", [entry(1, fact)])
    assert (spent.total.input, spent.total.output, spent.total.wasted) == (10, 2, wasted)


def test_only_the_last_rewind_says_what_counts_and_only_spans_of_the_run_itself_do() -> None:
    """D9: each lets go anew; a span of another run holds none of this run's entries."""
    entries = [
        finished(1, CALL, step="a"),
        finished(2, CALL, step="b"),
        entry(3, RunRewound("b", "g", "f", spans=(Span("r", 1, 1),))),
        finished(4, CALL, step="b"),
        entry(5, RunRewound("a", "g", "f", spans=(Span("parent", 1, 2), Span("r", 4, 4)))),
        finished(6, CALL, step="a"),
    ]
    assert [call.wasted for call in spent_by("r", entries).calls] == [True, True, False, False]


def test_a_note_that_keeps_something_else_is_passed_over() -> None:
    """Notes are the node's own: it may put there what it likes."""
    odd: Sequence[Any] = [
        "x",
        {"role": "fast"},
        {"role": "fast", "usage": None},
        {"usage": {"input": "many", "old": 1}},
    ]
    spent = spent_by("r", [finished(1, *odd), entry(2, StepFinished(StepKey("t"), 1, b'""', note=b'{"model":"m"}'))])
    assert [(call.usage, call.backend, call.role) for call in spent.calls] == [(Usage(), "", "")]


def test_prices_are_those_of_the_time_of_the_call() -> None:
    """A price that changes tomorrow does not change what yesterday cost."""
    asked: list[float | None] = []

    class Watching(Prices):
        def quote(self, backend: str, usage: Usage, *, answered_by: str | None = None, at: float | None = None) -> None:
            asked.append(at)

    spent_by("r", [finished(7, CALL)], Watching())
    assert asked == [1_007.0]


async def test_a_record_of_two_thousand_entries_is_read_to_its_end() -> None:
    """A journal is read by pages."""

    @node(retry=Retry(attempts=700, base=0))
    async def stubborn() -> str:
        answer = await ask("smart", "go")
        if answer.text != "at last":
            raise ConnectionError("gone")
        return answer.text

    model = Scripted([said("no", 1, 1)] * 699 + [said("at last", 1, 1)])
    async with runtime(smart=model) as rt:
        run = await rt.start(stubborn)
        await run.result()
        spent = await spent_in(rt, run)
    assert (spent.total.input, spent.total.wasted) == (700, 1398)
