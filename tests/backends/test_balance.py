"""`balance`: who gets which request, and what becomes of those that fail (M8)."""

from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from random import Random

import pytest

from graphrt.backends import Scripted
from graphrt.backends.base import Backend
from graphrt.backends.errors import BadRequest, ContextLengthExceeded, Overloaded, RateLimited, ServerError
from graphrt.backends.events import Chose, Failed, Usage
from graphrt.backends.messages import Request, ToolSpec, assistant, conversation, system, user
from graphrt.backends.policies import balance
from graphrt.backends.policies.balance import By, beginning, closest, labels, least
from graphrt.testing import JumpingClock
from tests.backends.played import ASK, Played, chosen, failure, heard, opening, says, text_of

pytestmark = pytest.mark.anyio
EVERY: tuple[By, ...] = ("least_outstanding", "weighted", "sticky")


def ask(prompt: str) -> Request:
    return Request(messages=conversation(prompt))


# least outstanding


async def test_requests_at_once_go_to_whoever_has_the_fewest_open_for_its_weight() -> None:
    """M8: a choice counts from the moment it is made, so that requests that start together do not all choose alike."""
    heavy, light = Played("heavy", opening("a b")), Played("light", opening("a b"))
    policy = balance({heavy: 2, light: 1})
    async with AsyncExitStack() as stack:
        choices = []
        for _ in range(6):
            stream = policy.stream(ASK)
            stack.push_async_callback(stream.aclose)
            choices.append(await anext(stream))
        assert [each.outstanding for each in policy.health()] == [4, 2]
        assert choices[0] == Chose("balance", "heavy", "fewest requests open for its weight (0)")
    assert [each.outstanding for each in policy.health()] == [0, 0]


def test_among_equals_the_lot_decides() -> None:
    drawn = Counter(least([3, 3, 9], [1.0, 1.0, 1.0], Random(seed)) for seed in range(100))
    assert set(drawn) == {0, 1}
    assert least([3, 2, 1], [9.0, 1.0, 1.0], Random(0)) == 0


# weighted


async def test_weighted_draws_each_as_often_as_its_weight_says() -> None:
    """The draws are the given generator's: a seed gives the same ones again."""
    three, one = Scripted("a", name="three"), Scripted("b", name="one")

    async def draws(seed: int) -> list[str]:
        policy = balance({three: 3, one: 1}, by="weighted", rng=Random(seed))
        return [chosen(await heard(policy))[0].backend for _ in range(200)]

    first = await draws(7)
    assert first == await draws(7)
    assert 130 <= first.count("three") <= 170
    events = await heard(balance({three: 3, one: 1}, by="weighted", rng=Random(0)))
    assert chosen(events)[0].reason in {"drawn by its weight (3 of 4)", "drawn by its weight (1 of 4)"}


# sticky


async def test_sticky_sends_a_key_to_one_backend_and_only_while_it_rests_to_another() -> None:
    """M8: nothing is remembered, so it holds for other processes too."""
    clock = JumpingClock()
    backends = [Played(name, says(name), clock=clock) for name in "abc"]
    policy = balance(backends, by="sticky", key=lambda request: request.messages[-1].text, clock=clock)
    home = {n: text_of(await heard(policy, ask(str(n)))) for n in range(30)}
    assert set(home.values()) == {"a", "b", "c"}
    broken = Played("a", [Failed(ServerError("broke"))], says("a"), clock=clock)
    again = balance(
        [broken, *backends[1:]], by="sticky", key=lambda request: request.messages[-1].text, rest=10.0, clock=clock
    )
    moved = {n: text_of(await heard(again, ask(str(n)))) for n in range(30)}
    assert {n for n in home if moved[n] != home[n]} == {n for n in home if home[n] == "a"}
    assert broken.opened == 1
    clock.time += 10
    assert {n: text_of(await heard(again, ask(str(n)))) for n in range(30)} == home


def test_sticky_keys_are_shared_out_by_weight_and_a_new_backend_only_takes() -> None:
    names, weights = ["a", "b", "c"], [2.0, 1.0, 1.0]
    before = [closest(str(key), names, weights) for key in range(2000)]
    assert 930 <= before.count(0) <= 1070
    after = [closest(str(key), [*names, "d"], [*weights, 1.0]) for key in range(2000)]
    assert all(new in {old, 3} for old, new in zip(before, after, strict=True))
    assert closest("\ud800", names, weights) in range(3)


def test_the_turns_of_a_conversation_have_the_same_key_and_others_have_another() -> None:
    """Providers cache a prompt by its beginning: tools, instructions and the first question."""
    opening_ = (system("be kind"), user("hello"))
    tool = ToolSpec(name="add", parameters={"type": "object"})
    key = beginning(Request(messages=opening_))
    assert beginning(Request(messages=(*opening_, assistant("hi"), user("more")))) == key
    others = [Request(messages=(system("be brief"), user("hello"))), Request(messages=opening_, tools=(tool,))]
    assert len({key, *map(beginning, others), beginning(Request(messages=(system("be kind"),)))}) == 4


async def test_backends_of_the_same_name_share_the_keys_all_the_same() -> None:
    assert labels(["a", "b", "a", "a"]) == ["a", "b", "a#2", "a#3"]
    same = [Played("same", says("x")), Played("same", says("x"))]
    policy = balance(same, by="sticky", key=lambda request: request.messages[-1].text)
    for n in range(20):
        await heard(policy, ask(str(n)))
    assert all(each.opened for each in same)


# failures


@pytest.mark.parametrize("by", EVERY)
async def test_one_that_fails_leads_to_another_and_is_left_alone_for_a_while(by: By) -> None:
    """M8: one that fails at once has always the fewest open requests, and would draw them all."""
    clock = JumpingClock()
    bad = Played("bad", [Failed(Overloaded("busy", usage=Usage(input=3)))], clock=clock)
    policy = balance({bad: 1000, Played("good", says("yes"), clock=clock): 1}, by=by, rest=10.0, clock=clock)
    events = await heard(policy)
    first, second = chosen(events)
    assert (first.backend, second.backend, text_of(events)) == ("bad", "good", "yes")
    assert (second.error, second.wasted) == (failure_of(bad), Usage(input=3))
    assert second.reason.startswith("bad did not answer (overloaded); ")
    for _ in range(5):
        (choice,) = chosen(await heard(policy))
        assert choice.backend == "good"
        assert choice.reason.endswith("; bad resting")
    clock.time += 10
    await heard(policy)
    assert bad.opened == 2


def failure_of(played: Played) -> Exception:
    (failed,) = played._programmes[0]
    assert isinstance(failed, Failed)
    return failed.error


async def test_the_pause_that_a_provider_asks_for_counts_where_it_is_longer() -> None:
    """L1."""
    clock = JumpingClock()
    bad = Played("bad", [Failed(RateLimited("wait", retry_after=60.0))], clock=clock)
    policy = balance({bad: 1000, Played("good", says("yes"), clock=clock): 1}, rest=10.0, clock=clock)
    await heard(policy)
    assert policy.health()[0].rests == 60.0


@pytest.mark.parametrize("error", [BadRequest("what?"), ContextLengthExceeded("too long")])
async def test_an_error_of_the_request_is_no_reason_to_leave_a_backend_alone(error: Exception) -> None:
    assert isinstance(error, (BadRequest, ContextLengthExceeded))
    policy = balance([Played("one", [Failed(error)])])
    assert failure(await heard(policy)) is error
    assert policy.health()[0].rests == 0.0


async def test_if_all_of_them_rest_the_one_whose_rest_is_over_first_is_asked() -> None:
    """L22: rather a request too many than an answer too few."""
    clock = JumpingClock()
    late = Played("late", [Failed(RateLimited("wait", retry_after=60.0))], clock=clock)
    soon = Played("soon", [Failed(RateLimited("wait", retry_after=20.0))], says("yes"), clock=clock)
    policy = balance({late: 1000, soon: 1}, clock=clock)
    assert failure(await heard(policy)).attempts == ("late: rate_limit: wait",)
    events = await heard(policy)
    assert [choice.backend for choice in chosen(events)] == ["soon"]
    assert text_of(events) == "yes"


async def test_once_an_answer_began_it_ends_in_its_own_error() -> None:
    """M8."""
    error = ServerError("broke")
    other = Played("other", says("no"))
    policy = balance({Played("one", [*opening("half"), Failed(error)]): 1000, other: 1})
    assert failure(await heard(policy)) is error
    assert other.opened == 0


# what it is


async def test_names_and_backends_may_be_given_with_weights_or_all_alike() -> None:
    by_name: Mapping[str, float] = {"scripted:a": 2, "scripted:b": 1}
    mine: Mapping[Backend, float] = {Scripted("c"): 1}
    mixed = balance({"scripted:d": 1, Scripted("e"): 0.5})
    for policy in (balance(by_name), balance(mine), mixed, balance(["scripted:f", Scripted("g")])):
        assert isinstance(policy, Backend)
        assert text_of(await heard(policy)) in "abcdefg"
    assert balance(["scripted:a", Scripted("b", name="mine")]).name == "balance(scripted, mine)"


def test_what_is_wrong_is_found_before_anything_runs() -> None:
    for weight in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="must be above 0"):
            balance({"scripted:a": weight})
    with pytest.raises(ValueError, match="one of least_outstanding, weighted, sticky"):
        balance(["scripted:a"], by="luck")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match='a key is for by="sticky"'):
        balance(["scripted:a"], key=beginning)
    with pytest.raises(ValueError, match="scripted:a twice"):
        balance(["scripted:a", "scripted:a"])
    with pytest.raises(ValueError, match="needs a backend"):
        balance([])
