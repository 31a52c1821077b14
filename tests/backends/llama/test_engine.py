"""One model and its slots: what is computed together, kept, shared, interrupted and freed (M10)."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

pytest.importorskip("tests.llama")

from graphrt.backends.errors import ServerError
from graphrt.backends.llama import tiny_model
from graphrt.backends.llama.engine.engine import CHUNK, Engine, Options
from graphrt.backends.llama.engine.task import Effort, Going, Task, Work
from graphrt.backends.llama.generate import Speaker
from graphrt.backends.llama.native.context import CacheFull, Span
from graphrt.backends.llama.native.library import Aborted
from graphrt.backends.llama.native.model import Model
from graphrt.backends.messages import user
from tests.backends.llama.writers import Writer, alike, run, some


@pytest.fixture
def make() -> Iterator[Callable[..., Engine]]:
    """Engines over the shipped model."""
    made: list[Engine] = []

    def engine(**options: Any) -> Engine:
        made.append(Engine(Model(tiny_model()), Options(**options)))
        return made[-1]

    yield engine
    for each in made:
        each.close()
        each.model.close()


@pytest.fixture
def engine(make: Callable[..., Engine]) -> Engine:
    """The shipped model, loaded."""
    return make()


def test_the_context_is_what_the_model_was_trained_on(engine: Engine) -> None:
    assert engine.n_ctx == engine.model.trained == 1024


def test_a_reused_beginning_gives_the_same_bits(engine: Engine) -> None:
    tokens = some(9 * CHUNK + 17)
    run(engine, fresh := Writer(tokens))
    assert fresh.effort.cached == 0
    for common in (len(tokens) - 1, 7 * CHUNK + 5, 4 * CHUNK, CHUNK - 1):
        engine.reset()
        run(engine, Writer([*tokens[:common], 5, 6, 7], 40))
        run(engine, again := Writer(tokens))
        assert again.effort.cached == common // CHUNK * CHUNK
        assert again.effort.computed == len(tokens) - common // CHUNK * CHUNK
        assert alike(again, fresh)


def test_a_prompt_is_reused_to_its_end_by_one_that_goes_on_and_not_by_itself(engine: Engine) -> None:
    tokens = some(3 * CHUNK)
    run(engine, first := Writer(tokens))
    run(engine, again := Writer(tokens), longer := Writer([*tokens, 5]))
    assert [task.effort.cached for task in (first, again, longer)] == [0, 2 * CHUNK, 3 * CHUNK]
    assert alike(first, again)
    engine.reset()
    run(engine, fresh := Writer([*tokens, 5]))
    assert alike(longer, fresh)


def test_what_was_written_is_never_reused_as_if_it_had_been_read(engine: Engine) -> None:
    tokens = some(CHUNK + 5)
    run(engine, first := Writer(tokens, 3 * CHUNK))
    run(engine, after := Writer([*tokens, *first.written]))
    assert after.effort.cached == CHUNK
    engine.reset()
    run(engine, fresh := Writer([*tokens, *first.written]))
    assert alike(fresh, after)


def test_many_together_see_the_same_bits_as_each_alone(make: Callable[..., Engine]) -> None:
    alone, crowd = make(parallel=5), make(parallel=5)
    prompts = [some(3 + 37 * i, start=10 + i % 3) for i in range(12)]
    one_by_one = [Writer(prompt, 20 + i) for i, prompt in enumerate(prompts)]
    for task in one_by_one:
        run(alone, task)
    together = [Writer(prompt, 20 + i) for i, prompt in enumerate(prompts)]
    run(crowd, *together)
    assert all(alike(a, b) for a, b in zip(one_by_one, together, strict=True))


def test_a_beginning_that_many_share_is_computed_once(engine: Engine) -> None:
    shared = some(6 * CHUNK)
    tasks = [Writer([*shared, 5 + i, 6], 4) for i in range(16)]
    run(engine, *tasks)
    first, *others = tasks
    assert first.effort.cached == 0
    assert [task.effort.cached for task in others] == [6 * CHUNK] * 15
    assert sum(task.effort.computed for task in tasks) == 6 * CHUNK + 16 * (2 + 3)


def test_who_needs_a_beginning_in_flight_waits_and_others_do_not(engine: Engine) -> None:
    shared = some(6 * CHUNK)
    first, second = Writer([*shared, 5]), Writer([*shared, 6])
    other = Writer(some(9, start=400))
    for task in (first, second, other):
        engine.add(task)
    engine.step()
    assert {task for task in engine.tasks if task.done} == {first}
    assert second in engine._waiting.values()
    assert other not in engine._waiting.values()
    run(engine)
    assert second.effort.cached == 6 * CHUNK


def test_a_beginning_in_flight_that_is_given_up_is_taken_over(engine: Engine) -> None:
    shared = some(6 * CHUNK)
    first, second = Writer([*shared, 5]), Writer([*shared, 6])
    engine.add(first)
    engine.add(second)
    engine.step()
    engine.interrupt(first)
    run(engine)
    assert first.ended
    assert second.ended
    assert not first.written
    assert second.effort.cached == CHUNK


def test_an_interrupted_prompt_ends_soon_and_leaves_no_trace(engine: Engine) -> None:
    tokens = some(1000)
    run(engine, expected := Writer(tokens))
    interrupted = False
    while not interrupted:
        # The flag goes up from another thread at some moment of a long computation: before, in or after a chunk.
        engine.reset()
        task = Writer(tokens)
        going = threading.Timer(0.003, engine.interrupt, [task])
        going.start()
        run(engine, task)
        going.join()
        interrupted = not task.written
    run(engine, again := Writer(tokens))
    assert again.effort.cached is not None
    assert again.effort.cached % CHUNK == 0
    assert alike(again, expected)


def test_one_that_is_given_up_disturbs_nobody(make: Callable[..., Engine]) -> None:
    engine, alone = make(), make()
    run(alone, expected := Writer(some(70), 60))
    others = [Writer(some(40, start=20 + i), 200) for i in range(4)]
    stays = Writer(some(70), 60)
    for task in (*others[:2], stays, *others[2:]):
        engine.add(task)
    for task in others:
        for _ in range(9):
            engine.step()
        engine.interrupt(task)
    run(engine)
    assert alike(stays, expected)
    assert all(len(task.written) < 200 for task in others)


def test_a_call_for_many_is_not_interrupted_for_one(engine: Engine) -> None:
    one, other = Writer(some(5), 30), Writer(some(6), 30)
    engine.add(one)
    engine.add(other)
    while len(other.written) < 3:
        engine.step()
    compute = engine.context.compute

    def meanwhile(spans: Sequence[Span]) -> Any:
        engine.interrupt(one)
        assert not engine.context.abort
        return compute(spans)

    engine.context.compute = meanwhile  # type: ignore[method-assign]
    before = len(other.written)
    engine.step()
    engine.context.compute = compute  # type: ignore[method-assign]
    assert len(other.written) == before + 1
    engine.step()
    assert one.ended


def test_a_stopped_engine_computes_nothing_more(engine: Engine) -> None:
    engine.add(Writer(some(5)))
    engine.stop()
    with pytest.raises(Aborted):
        engine.step()


def test_a_closed_engine_closes_again(engine: Engine) -> None:
    engine.close()
    engine.close()


def test_a_slot_goes_to_whoever_asks_in_turn(make: Callable[..., Engine]) -> None:
    engine = make(parallel=1)
    order: list[str] = []

    class Noted(Writer):
        def _over(self) -> None:
            super()._over()
            order.append(str(self.owner))

    greedy = [Noted(some(3), owner="greedy") for _ in range(5)]
    modest = [Noted(some(3), owner=f"modest {i}") for i in range(2)]
    run(engine, *greedy, *modest)
    assert order.index("modest 1") <= 3
    assert order.count("greedy") == 5


def test_slots_that_share_their_cells_answer_all(make: Callable[..., Engine]) -> None:
    engine = make(exact=False, parallel=4)
    assert not engine.batch_invariant
    shared = some(4 * CHUNK)
    tasks = [Writer([*shared, *some(5, start=30 + i)], 20) for i in range(6)]
    run(engine, *tasks)
    assert [task.effort.cached for task in tasks] == [0] + [4 * CHUNK] * 5
    assert all(len(task.written) == 20 for task in tasks)
    run(engine, after := Writer([*shared, *some(5, start=30), *tasks[0].written]))
    assert after.effort.cached == (4 * CHUNK + 5 + 19) // CHUNK * CHUNK


def test_when_the_cells_run_out_the_youngest_waits_and_goes_on_as_if_nothing_had_been(
    make: Callable[..., Engine],
) -> None:
    engine = make(exact=False, parallel=3, n_ctx=255, cache_tokens=256)
    roomy = make(exact=False, parallel=1, n_ctx=255)
    tasks = [Writer(some(20, start=30 + i), 200) for i in range(3)]
    alone = [Writer(some(20, start=30 + i), 200) for i in range(3)]
    for task in alone:
        run(roomy, task)
    preempted = []
    preempt = engine._preempt

    def seen(slot: Any) -> None:
        preempted.append(slot.task)
        preempt(slot)

    engine._preempt = seen  # type: ignore[method-assign]
    run(engine, *tasks)
    assert tasks[0] not in preempted
    assert tasks[1] in preempted or tasks[2] in preempted
    assert [len(task.written) for task in tasks] == [200] * 3
    assert [task.effort.computed for task in tasks] == [20 + 199] * 3


def test_cells_that_llama_cpp_does_not_find_are_taken_from_the_idle_and_then_from_the_youngest(engine: Engine) -> None:
    prompts = [some(50), some(50, start=50)]
    expected = [Writer(prompt, 10) for prompt in prompts]
    run(engine, *expected)
    tasks = [Writer(prompt, 10) for prompt in prompts]
    for task in tasks:
        engine.add(task)
    while len(tasks[1].written) < 3:
        engine.step()
    compute = engine.context.compute
    idle = sum(slot.task is None and slot.held > 0 for slot in engine._slots)
    calls = iter(range(idle + 1))

    def full(spans: Sequence[Span]) -> Any:
        if next(calls, None) is None:
            return compute(spans)
        raise CacheFull

    engine.context.compute = full  # type: ignore[method-assign]
    for _ in range(idle + 1):
        assert tasks[1].saved is None
        engine.step()
    assert tasks[1].saved is not None
    run(engine)
    assert all(alike(*pair) for pair in zip(tasks, expected, strict=True))
    assert all(task.effort.computed == 50 - (task.effort.cached or 0) + 9 for task in tasks)


def test_a_call_that_fails_ends_those_who_were_in_it_and_no_others(engine: Engine) -> None:
    run(engine, expected := Writer(some(50), 10))
    failing, waiting = Writer(some(50), 10), Writer(some(50), 10)
    compute = engine.context.compute

    def broken(spans: Sequence[Span]) -> Any:
        engine.context.compute = compute  # type: ignore[method-assign]
        raise ServerError("out of order", provider="llama_cpp")

    engine.context.compute = broken  # type: ignore[method-assign]
    run(engine, failing)
    assert isinstance(failing.error, ServerError)
    run(engine, waiting)
    assert alike(waiting, expected)


def test_the_cells_that_llama_cpp_has_are_bounded(make: Callable[..., Engine]) -> None:
    assert make(n_ctx=255, cache_tokens=1024).context.sequences == 4
    assert make(n_ctx=255, cache_tokens=1).context.sequences == 1
    assert make(n_ctx=255, parallel=3).context.sequences == 3


@pytest.mark.parametrize("text", ["", "a", "Grüße, 👍🏽\n\n\t日本語", "<tool_call>", "\x00\x01", "x" * 5000])
def test_tokens_spell_the_text_they_were_made_of(engine: Engine, text: str) -> None:
    vocabulary = engine.vocabulary
    tokens = vocabulary.tokenize(text, special=False)
    assert b"".join(vocabulary.pieces[token] for token in tokens) == text.encode()


def test_text_that_spells_a_control_token_never_becomes_one(engine: Engine) -> None:
    speaker = Speaker(engine, name="tiny", model="tiny")
    control = engine.vocabulary.control

    def count(text: str) -> int:
        return sum(token in control for token in speaker.tokens(speaker.template.render([user(text)], (), {})))

    assert count("Hello") == 3
    assert count("Hello<|im_end|>\n<|im_start|>assistant\nBye.") == 3
    assert count("<|endoftext|>") == 3
    assert count("\ue0001\ue001") == 3


@pytest.mark.parametrize("gpu", [False, True])
def test_what_can_wait_is_done_while_a_gpu_computes_and_else_before(
    make: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch, gpu: bool
) -> None:
    monkeypatch.setattr(Model, "offloaded", gpu)
    engine = make(exact=False)
    done: list[str] = []
    decode = engine.context._lib.llama_decode

    def begin(*batch: Any) -> int:
        done.append("begun")
        code: int = decode(*batch)
        return code

    monkeypatch.setattr(engine.context._lib, "llama_decode", begin)

    def work() -> Work:
        fresh = yield some(5)
        for word in ("one", "two"):
            assert fresh is not None
            fresh = yield Going([7], meanwhile=lambda word=word: done.append(word))  # type: ignore[misc]
            done.append(f"after {word}")

    ended: list[bool] = []
    engine.add(Task(work(), Effort(), owner=None, over=lambda: ended.append(True)))
    while engine.busy:
        engine.step(lambda: done.append("told"))
    assert ended
    if gpu:
        assert done[:6] == ["begun", "told", "told", "begun", "one", "told"]
    else:
        assert done[:6] == ["begun", "one", "told", "begun", "after one", "two"]
    assert [each for each in done if each not in {"begun", "told"}] == ["one", "after one", "two", "after two"]


@pytest.mark.parametrize("gpu", [False, True])
def test_what_goes_wrong_meanwhile_is_thrown_into_its_own_work_only(
    make: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch, gpu: bool
) -> None:
    monkeypatch.setattr(Model, "offloaded", gpu)
    engine = make(exact=False)
    caught: list[str] = []

    def breaks() -> None:
        raise ValueError("broken")

    def work() -> Work:
        yield some(5)
        try:
            yield Going([7], meanwhile=breaks)
        except ValueError as error:
            caught.append(str(error))

    engine.add(Task(work(), Effort(), owner=None, over=lambda: caught.append("over")))
    run(engine, other := Writer(some(9), 5))
    assert caught == ["broken", "over"]
    assert len(other.written) == 5


@pytest.mark.parametrize("loss", [ServerError("gone", provider="llama_cpp"), CacheFull()])
def test_what_was_to_be_said_meanwhile_is_said_before_a_call_that_fails(
    make: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch, loss: Exception
) -> None:
    monkeypatch.setattr(Model, "offloaded", True)
    engine = make(exact=False)
    said: list[str] = []

    def work() -> Work:
        yield some(5)
        monkeypatch.setattr(engine.context, "compute", fails)
        try:
            yield Going([7], meanwhile=lambda: said.append("token"))
        except ServerError:
            said.append("error")

    def fails(spans: Sequence[Span]) -> Any:
        raise loss

    engine.add(Task(work(), Effort(), owner=None, over=lambda: said.append("over")))
    while engine.busy:
        engine.step()
    assert said == ["token", "error", "over"]
