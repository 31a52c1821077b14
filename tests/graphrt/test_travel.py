"""Fork, retry, and runs whose graph has changed, through a runtime (D3, D9, D10, D11)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import from_json

from graphrt import Runtime, dag, each, first, keeper, node
from graphrt.config import Config
from graphrt.errors import EffectsRepeated, GraphMismatch, PortError, RunFailed, Suspended, UsageError
from graphrt.facts import RunForked, RunRewound, StepFinished
from graphrt.graph import Graph
from graphrt.journal import Journal, MemoryJournal
from graphrt.migration import _migrations, migration
from graphrt.nodes.signal import signal
from graphrt.run import Run
from graphrt.travel import plan_fork
from graphrt.types import RunId

pytestmark = pytest.mark.anyio
calls: list[str] = []
broken: set[str] = set()


@pytest.fixture(autouse=True)
def _fresh() -> None:
    calls.clear()
    broken.clear()
    _migrations.clear()


@pytest.fixture(params=["memory", "file"])
async def rt(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Runtime]:
    store: Any = MemoryJournal() if request.param == "memory" else tmp_path / "runs.db"
    async with Runtime(store, durability="process", config=Config(), seed=7, linger=0) as opened:
        yield opened


@node
def plan(topic: str) -> list[str]:
    calls.append("plan")
    return [f"{topic} {n}" for n in range(3)]


@node
def search(question: str, depth: int) -> str:
    calls.append(f"search {question}")
    return f"{question}@{depth}"


@node
def grade(topic: str) -> int:
    calls.append("grade")
    return len(topic)


@node
def write(found: list[str], stars: int) -> str:
    calls.append("write")
    if "write" in broken:
        raise ValueError("no ink")
    return f"{', '.join(found)} {'*' * stars}"


@dag
def research(topic: str, depth: int = 1) -> str:
    return write(each(search, plan(topic), depth), grade(topic))


async def outputs(run: Run[Any]) -> dict[str, Any]:
    return {e.fact.step: from_json(e.fact.value) async for e in run.events() if isinstance(e.fact, StepFinished)}


async def finished(rt: Runtime) -> Run[str]:
    run = await rt.start(research, topic="sea")
    assert await run.result() == "sea 0@1, sea 1@1, sea 2@1 ***"
    calls.clear()
    return run


async def test_a_fork_runs_the_step_anew_and_what_depends_on_it_and_leaves_its_parent_as_it_was(rt: Runtime) -> None:
    """D9; D7 of the faults: "re-executes N, reuses M"; the rest is shared by reference."""
    run = await finished(rt)
    before = await rt.journal.read(run.id)
    fork = await rt.fork(run, research, at="each:search[1]", new="again")
    assert await fork.result() == "sea 0@1, sea 1@1, sea 2@1 ***"
    assert sorted(calls) == ["search sea 1", "write"]
    assert await rt.journal.read(run.id) == before
    info = await rt.journal.info(fork.id)
    assert (info.parent, info.status) == (run.id, "finished")
    assert sorted(await outputs(fork)) == ["each:search[1]", "write"]
    calls.clear()
    deeper = await rt.fork(fork, research, at="write")
    assert await deeper.result() == "sea 0@1, sea 1@1, sea 2@1 ***"
    assert calls == ["write"]
    first_fact = (await rt.journal.read(deeper.id))[0].fact
    assert isinstance(first_fact, RunForked)
    assert {span.run for span in first_fact.spans} == {run.id, fork.id}


async def test_a_fork_may_give_a_step_another_output(rt: Runtime) -> None:
    """D9: the step is not run; what it feeds is."""
    run = await finished(rt)
    fork = await rt.fork(run, research, at="grade", output=1)
    assert await fork.result() == "sea 0@1, sea 1@1, sea 2@1 *"
    assert calls == ["write"]
    [entry] = [e async for e in fork.events() if isinstance(e.fact, StepFinished) and e.fact.step == "grade"]
    assert isinstance(entry.fact, StepFinished)
    assert entry.fact.note == b'{"overridden":true}'
    with pytest.raises(PortError, match="grade"):
        await rt.fork(run, research, at="grade", output="many")
    with pytest.raises(UsageError, match=r"'each:search' stands for 'each:search\[0\]', 'each:search\[1\]'"):
        await rt.fork(run, research, at="each:search", output=["x"])
    assert len(await rt.runs()) == 2


async def test_a_fork_may_have_another_input(rt: Runtime) -> None:
    """D9: what the input does not reach is kept."""
    run = await finished(rt)
    fork = await rt.fork(run, research, inputs={"depth": 2})
    assert await fork.result() == "sea 0@2, sea 1@2, sea 2@2 ***"
    assert sorted(calls) == ["search sea 0", "search sea 1", "search sea 2", "write"]
    with pytest.raises(UsageError, match="has no input 'width'; it has topic, depth"):
        await rt.fork(run, research, inputs={"width": 2})
    with pytest.raises(UsageError, match="has no step 'serch'; did you mean"):
        await rt.fork(run, research, at="serch")


async def test_a_failed_run_is_forked_and_goes_on_from_where_it_failed(rt: Runtime) -> None:
    """D9, E9."""
    broken.add("write")
    run = await rt.start(research, topic="sea")
    with pytest.raises(RunFailed):
        await run.result()
    broken.clear()
    calls.clear()
    fork = await rt.fork(run, research, at="grade")
    assert await fork.result() == "sea 0@1, sea 1@1, sea 2@1 ***"
    assert calls == ["grade", "write"]
    assert (await rt.journal.info(run.id)).status == "failed"


async def test_a_step_is_done_anew_in_the_run_itself_and_a_later_resumption_knows_it(
    rt: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D9, D6; D7 of the faults: also a finished run; its new state is written down with the rewind, and can be folded
    without."""
    run = await finished(rt)
    broken.add("write")
    with pytest.raises(RunFailed):
        await (await rt.retry(run, research, at="plan")).result()
    assert sorted(calls) == ["plan", "search sea 0", "search sea 1", "search sea 2", "write"]
    calls.clear()
    with pytest.raises(RunFailed):
        await (await rt.resume(run.id, research)).result()
    assert calls == ["write"]
    monkeypatch.setattr(keeper, "load", lambda graph, text: None)
    broken.clear()
    assert await (await rt.resume(run.id, research)).result() == "sea 0@1, sea 1@1, sea 2@1 ***"
    assert calls == ["write", "write"]
    with pytest.raises(UsageError, match="has no step 'nothing'"):
        await rt.retry(run, research, at="nothing")
    assert (await rt.journal.info(run.id)).status == "finished"


@node(effect="once")
def pay(amount: int) -> str:
    calls.append("pay")
    return f"paid {amount}"


@dag
def order(amount: int) -> str:
    return write([pay(amount)], amount)


async def test_what_must_not_be_repeated_is_repeated_only_when_asked_for(rt: Runtime) -> None:
    """D3, D9: the error names the steps and says what to do; nothing is recorded."""
    run = await rt.start(order, 2)
    await run.result()
    calls.clear()
    for at in ("pay", "write"):
        if at == "write":
            await (await rt.fork(run, order, at=at)).result()
            continue
        with pytest.raises(EffectsRepeated, match=r"'pay'.*again=True") as caught:
            await rt.fork(run, order, at=at)
        assert caught.value.steps == ("pay",)
        with pytest.raises(EffectsRepeated):
            await rt.retry(run, order, at=at)
        with pytest.raises(EffectsRepeated):
            await rt.fork(run, order, inputs={"amount": 3})
    assert calls == ["write"]
    await (await rt.fork(run, order, at="pay", again=True)).result()
    assert calls == ["write", "pay", "write"]


async def test_a_fork_of_a_waiting_run_waits_for_a_message_of_its_own(rt: Runtime) -> None:
    """D9: the inbox is not shared."""
    word = signal("word", str)

    @dag
    def asking(topic: str) -> str:
        return write([word()], grade(topic))

    run = await rt.start(asking, "sea")
    with pytest.raises(Suspended):
        await run.result()
    fork = await rt.fork(run, asking, at="grade", output=1)
    await rt.signal(fork.id, "word", "aye")
    assert await fork.result() == "aye *"
    assert (await rt.journal.info(run.id)).status == "suspended"
    await rt.cancel(run)


def grown(*, renamed: bool = False, harder: bool = False, graded: bool = True) -> Graph[..., Any]:
    """`research`, as its author might go on with it."""

    @dag(name="research")
    def g(topic: str, depth: int = 1) -> str:
        asked = (plan.named("outline") if renamed else plan)(topic)
        stars = grade(topic) if graded else 2
        return write(each(search, asked, depth), strict(stars) if harder else stars)

    return g


@node
def strict(stars: int) -> int:
    calls.append("strict")
    return stars - 1


async def failed(rt: Runtime) -> Run[str]:
    broken.add("write")
    run = await rt.start(research, topic="sea")
    with pytest.raises(RunFailed):
        await run.result()
    broken.clear()
    calls.clear()
    return run


async def test_a_run_goes_on_over_a_changed_graph_if_all_that_had_finished_still_holds(rt: Runtime) -> None:
    """D11, S8: a new step in between runs; nothing else runs again; and the run is of the new graph from then on."""
    run = await failed(rt)
    again = await rt.resume(run.id, grown(harder=True))
    assert await again.result() == "sea 0@1, sea 1@1, sea 2@1 **"
    assert calls == ["strict", "write"]
    info = await rt.journal.info(run.id)
    assert (info.status, info.fingerprint) == ("finished", grown(harder=True).fingerprint)
    assert await rt.journal.definition(info.fingerprint) is not None
    assert await (await rt.resume(run.id, grown(harder=True))).result() == await again.result()


async def test_a_run_that_no_longer_fits_is_refused_with_what_changed_unless_that_is_accepted(rt: Runtime) -> None:
    """D11, S8: before anything is done."""
    run = await failed(rt)
    before = await rt.journal.info(run.id)
    with pytest.raises(GraphMismatch) as caught:
        await rt.resume(run.id, grown(renamed=True))
    assert caught.value.changes == (
        "'plan' seems to be called 'outline' now",
        "step 'plan' would be done again",
        "step 'each:search[0]' would be done again",
        "step 'each:search[1]' would be done again",
        "step 'each:search[2]' would be done again",
    )
    after = await rt.journal.info(run.id)
    assert (after.seq, after.status, after.fingerprint) == (before.seq, "failed", before.fingerprint)
    assert calls == []
    again = await rt.resume(run.id, grown(renamed=True), accept=True)
    assert await again.result() == "sea 0@1, sea 1@1, sea 2@1 ***"
    assert sorted(calls) == ["plan", "search sea 0", "search sea 1", "search sea 2", "write"]


async def test_a_migration_says_what_became_of_a_step_and_nothing_is_done_again(rt: Runtime) -> None:
    """D11, S8: its name is in the record; the step is under its new key from then on, also for the next change."""
    run = await failed(rt)
    new = grown(renamed=True)
    migration(new, research.fingerprint, name="plan is outline", renamed={"plan": "outline"})
    again = await rt.resume(run.id, new)
    assert await again.result() == "sea 0@1, sea 1@1, sea 2@1 ***"
    assert calls == ["write"]
    [rewound] = [e.fact async for e in again.events() if isinstance(e.fact, RunRewound)]
    assert rewound.migration == "plan is outline"
    fork = await rt.fork(run, grown(renamed=True, harder=True))
    assert await fork.result() == "sea 0@1, sea 1@1, sea 2@1 **"
    assert calls == ["write", "strict", "write"]


async def test_a_fork_may_go_over_a_changed_graph_with_what_still_holds(rt: Runtime) -> None:
    """D9, D11: a step that is gone is not missed."""
    run = await finished(rt)
    fork = await rt.fork(run, grown(graded=False), at="")
    assert await fork.result() == "sea 0@1, sea 1@1, sea 2@1 **"
    assert calls == ["write"]


async def test_a_frontier_that_cannot_read_its_inputs_is_refused_before_any_effect(rt: Runtime) -> None:
    """D11: accept or not; the line names the step, the port and the place in its input."""

    def graded(kind: Any) -> Graph[..., Any]:
        def take(mark: Any) -> str:
            calls.append("take")
            raise ValueError(mark)

        take.__annotations__["mark"] = kind

        @node(name="mark")
        def marked(topic: str) -> Any:
            return len(topic)

        @dag(name="marking")
        def g(topic: str) -> str:
            return node(take)(marked(topic))

        return g

    run = await rt.start(graded(int), topic="sea")
    with pytest.raises(RunFailed):
        await run.result()
    calls.clear()
    with pytest.raises(GraphMismatch, match="take: node 'take', port 'mark': at /") as caught:
        await rt.resume(run.id, graded(list[str]), accept=True)
    assert caught.value.changes[0] == "'take' takes 'mark' as list[str], not as int any more"
    assert calls == []


async def test_a_store_that_does_not_know_the_old_graph_says_so() -> None:
    """D11: nothing is guessed."""

    class Forgetful(MemoryJournal):
        async def definition(self, fingerprint: str) -> bytes | None:
            return None

    journal: Journal = Forgetful()
    async with Runtime(journal, config=Config()) as rt:
        run = await failed(rt)
        with pytest.raises(GraphMismatch, match="the store does not say what that graph looked like"):
            await rt.resume(run.id, grown(renamed=True))


async def test_other_models_let_only_those_go_that_asked_them() -> None:
    """D9: known from their records; the fork is bound to the new ones, and so is its fork."""

    @node
    def asks(topic: str, role: str) -> str:
        from graphrt import context

        context().notes["model"] = [{"role": role}]
        calls.append(role)
        return f"{role} {context().models[role]}"

    @dag
    def talk(topic: str) -> list[str]:
        return [asks.named("a")(topic, "fast"), asks.named("b")(topic, "smart")]

    async with Runtime(MemoryJournal(), models={"fast": "x:1", "smart": "x:2"}, config=Config()) as rt:
        run = await rt.start(talk, "sea")
        assert await run.result() == ["fast x:1", "smart x:2"]
        calls.clear()
        fork = await rt.fork(run, talk, models={"smart": "x:3"})
        assert await fork.result() == ["fast x:1", "smart x:3"]
        assert calls == ["smart"]
        again = await rt.fork(fork, talk, at="b")
        assert await again.result() == ["fast x:1", "smart x:3"]
        plan_ = await plan_fork(rt.journal, RunId(run.id), talk, models={"none": "x:4"})
        assert (plan_.rewind.reused, plan_.rewind.again) == (2, ())


async def test_what_an_abandoned_branch_did_never_reaches_a_fork(rt: Runtime) -> None:
    """D9; D7 of the faults: after a retry, a fork shares what counts, and not what was let go."""

    @node
    def counting(topic: str) -> int:
        calls.append("counting")
        return len(calls)

    @dag
    def counts(topic: str) -> str:
        return write([topic], first(counting(topic)))

    run = await rt.start(counts, "sea")
    assert await run.result() == "sea *"
    assert await (await rt.retry(run, counts, at="counting")).result() == "sea ***"
    fork = await rt.fork(run, counts, at="write")
    assert await fork.result() == "sea ***"
    found = await rt.diff(run, fork)
    assert [(row.step, row.verdict) for row in found.rows] == [
        ("(input)", "same"),
        ("counting", "shared"),
        ("write", "same"),
        ("(result)", "same"),
    ]
