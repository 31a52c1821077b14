"""A backend costs so much and no more, and the ledger says what was spent (M8)."""

from collections.abc import AsyncGenerator, Iterable

import anyio
import pytest

from graphrt.backends import Backend
from graphrt.backends.errors import QuotaExceeded, ServerError, StreamTruncated
from graphrt.backends.events import (
    Answer,
    Chose,
    Failed,
    Finished,
    PartDelta,
    PartStarted,
    Restarted,
    Started,
    StreamEvent,
    Usage,
    complete,
)
from graphrt.backends.messages import Request, assistant, conversation
from graphrt.backends.policies.budget import Budgeted, Ledger, Spent, budget
from graphrt.backends.scripted import Scripted
from graphrt.errors import UsageError
from graphrt.testing import JumpingClock

pytestmark = pytest.mark.anyio
ASK = Request(messages=conversation("x" * 40))  # about 10 tokens


def answer(input: int | None = None, output: int | None = None) -> Answer:
    return Answer(message=assistant("hi"), finish="stop", usage=Usage(input=input, output=output))


class Says(Scripted):
    """Says these events, each after a second."""

    def __init__(self, events: Iterable[StreamEvent], clock: JumpingClock | None = None) -> None:
        super().__init__("")
        self.events = tuple(events)
        self.clock = clock or JumpingClock()

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        for event in self.events:
            await self.clock.wait(anyio.Event(), 1.0)
            yield event


async def spent(backend: Budgeted) -> Spent:
    async for _ in backend.stream(ASK):
        pass
    return backend.statistics()


async def test_a_budget_that_is_spent_refuses_and_says_what_was_spent() -> None:
    source = Scripted([answer(60, 20), answer(30, 10), "never"])
    backend = budget(source, tokens=100)
    for _ in range(2):  # a call that is under way is not cut
        await complete(backend.stream(ASK))
    with pytest.raises(
        QuotaExceeded, match=r"budget of 100 tokens is spent: 2 calls took 120 tokens.*raise tokens="
    ) as e:
        await complete(backend.stream(ASK))
    assert (e.value.provider, e.value.code, e.value.retryable) == ("scripted", "budget_spent", False)
    assert len(source.requests) == 2
    assert backend.statistics() == Spent(calls=2, tokens=120, seconds=backend.statistics().seconds, refused=1)


async def test_money_is_what_your_function_says_of_who_answered() -> None:
    asked: list[tuple[str, Usage]] = []

    def price(name: str, usage: Usage) -> float:
        asked.append((name, usage))
        return 0.25

    backend = budget(Scripted([answer(1, 1)] * 3, name="openai:gpt"), money=0.5, price=price)
    for _ in range(2):
        await complete(backend.stream(ASK))
    assert asked == [("openai:gpt", Usage(input=1, output=1))] * 2
    with pytest.raises(QuotaExceeded, match=r"budget of 0.5 money is spent.*0\.5000 in money"):
        await complete(backend.stream(ASK))


async def test_a_price_that_nobody_knows_is_not_nothing() -> None:
    backend = budget(Scripted([answer(1, 1)] * 3), money=0.5, price=lambda *_: None)
    await complete(backend.stream(ASK))
    assert backend.statistics().unpriced == 1
    with pytest.raises(QuotaExceeded, match=r"1 attempts had no known price.*teach price= 'scripted'"):
        await complete(backend.stream(ASK))


async def test_only_waiting_for_the_backend_takes_time() -> None:
    clock = JumpingClock()
    backend = budget(Says([Started(), Finished("stop")], clock), seconds=3.0, clock=clock)
    async for _ in backend.stream(ASK):
        clock.time += 100  # the reader's own time
    assert backend.statistics().seconds == pytest.approx(2)
    await complete(backend.stream(ASK))
    with pytest.raises(QuotaExceeded, match="budget of 3 seconds is spent"):
        await complete(backend.stream(ASK))


SAID: list[StreamEvent] = [Started(), PartStarted("1", "text"), PartDelta("1", "y" * 20)]


async def test_what_nobody_counts_is_estimated() -> None:
    found = await spent(budget(Says([*SAID, Finished("stop")])))
    assert (found.calls, found.tokens, found.estimated) == (1, 15, 1)
    half = await spent(budget(Says([*SAID, Finished("stop", usage=Usage(input=3))])))
    assert (half.tokens, half.estimated) == (8, 1)
    known = await spent(budget(Says([*SAID, Finished("stop", usage=Usage(input=0, output=0))])))
    assert (known.tokens, known.estimated) == (0, 0)


async def test_a_failure_costs_what_had_arrived_and_nothing_if_nothing_had() -> None:
    refused = await spent(budget(Says([Failed(ServerError("x"))])))
    assert (refused.tokens, refused.estimated) == (0, 0)
    cut = await spent(budget(Says([*SAID, Failed(StreamTruncated("x"))])))
    assert (cut.tokens, cut.estimated) == (15, 1)
    counted = await spent(budget(Says([*SAID, Failed(StreamTruncated("x", usage=Usage(input=9, output=4)))])))
    assert (counted.tokens, counted.estimated) == (13, 0)


async def test_attempts_that_a_policy_behind_it_gave_up_are_paid_for_by_their_own_names() -> None:
    """M8: wasted tokens count."""
    paid: list[tuple[str, int | None, int | None]] = []

    def price(name: str, usage: Usage) -> float:
        paid.append((name, usage.input, usage.output))
        return 1.0

    events: list[StreamEvent] = [
        Chose("fallback", "a", "the first"),
        *SAID,
        Chose("fallback", "b", "it failed", error=ServerError("x"), wasted=Usage(input=7, output=2)),
        Restarted("it failed"),
        *SAID,
        Chose("fallback", "c", "it failed", error=ServerError("x")),
        Restarted("it failed"),
        Started(),
        Finished("stop", usage=Usage(input=5, output=1)),
    ]
    found = await spent(budget(Says(events), money=100.0, price=price))
    assert paid == [("a", 7, 2), ("b", 10, 5), ("c", 5, 1)]
    assert (found.tokens, found.money, found.calls, found.estimated) == (30, 3.0, 1, 1)


@pytest.mark.parametrize("way", ["close", "cancel"])
async def test_a_stream_that_is_given_up_is_paid_for_and_closed(way: str) -> None:
    source = Scripted("aaaa bbbb cccc dddd")
    backend = budget(source, tokens=100)
    stream = backend.stream(ASK)
    if way == "close":
        async for event in stream:
            if isinstance(event, PartDelta):
                break
        await stream.aclose()
    else:
        with anyio.CancelScope() as scope:
            async for event in stream:
                if isinstance(event, PartDelta):
                    scope.cancel()
    assert source.active == 0
    assert backend.statistics().tokens == 11
    assert backend.statistics().estimated == 1


async def test_one_ledger_pays_for_several_models() -> None:
    ledger = Ledger(tokens=10)
    big, small = budget(Scripted([answer(8, 1)]), ledger), budget(Scripted([answer(8, 1)] * 2), ledger)
    assert isinstance(big, Backend)
    await complete(big.stream(ASK))
    await complete(small.stream(ASK))
    with pytest.raises(QuotaExceeded):
        await complete(small.stream(ASK))
    assert ledger.statistics() == small.statistics()


def test_a_budget_s_numbers_are_checked_and_given_in_one_place() -> None:
    with pytest.raises(UsageError, match="needs price="):
        Ledger(money=1.0)
    with pytest.raises(UsageError, match="not both"):
        budget(Scripted("x"), Ledger(), tokens=3)
