"""What the shipped model answers, through the whole backend: in this process and, as `model`, in one of its own."""

import ctypes
import json
import math
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

pytest.importorskip("tests.llama")

from graphrt import Runtime, node
from graphrt.backends.base import Backend
from graphrt.backends.errors import (
    BackendError,
    BadRequest,
    ContextLengthExceeded,
    NotFound,
    UnsupportedSetting,
)
from graphrt.backends.events import (
    Failed,
    Finished,
    PartDelta,
    PartEnded,
    PartStarted,
    Started,
    StreamEvent,
    Warned,
    fold,
)
from graphrt.backends.llama import LlamaCpp, tiny_model
from graphrt.backends.llama.engine.task import Effort, Work
from graphrt.backends.llama.native import model as native_model
from graphrt.backends.llama.native.context import Span
from graphrt.backends.llama.native.devices import Device
from graphrt.backends.llama.native.library import library
from graphrt.backends.llama.native.model import Model
from graphrt.backends.llama.worker import Job
from graphrt.backends.messages import Media, Message, Request, Settings, Text, ToolCall, ToolResult, system, tool_result
from graphrt.backends.uri import open_backend
from tests.backends.llama.conftest import (
    ADD,
    EXTRACT,
    LOOKUP,
    WEATHER,
    answer,
    ask,
    check_protocol,
    events,
    failure,
    json_of,
    route,
    same,
    without_cost,
)
from tests.backends.test_settings_everywhere import WISHES

pytestmark = pytest.mark.anyio

WILD = Settings(temperature=3.0, seed=7, max_tokens=40)


async def test_it_is_a_backend(llama: LlamaCpp) -> None:
    assert isinstance(llama, Backend)
    assert llama.name == "llama_cpp:tiny-agent-q8_0"
    assert repr(llama) == f"LlamaCpp({str(tiny_model())!r})"


def test_importing_it_loads_no_native_code() -> None:
    code = "import sys, graphrt.backends.llama; print({'llama_cpp', 'numpy', 'llguidance'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("I was charged twice", "billing"),
        ("the app crashes", "technical"),
        ("can we get a discount", "sales"),
        ("tell me a joke", "other"),
    ],
)
async def test_it_routes(model: Backend, text: str, where: str) -> None:
    said = await answer(model, route(f"Hi, {text}"))
    assert json.loads(said.text) == {"route": where}
    assert said.finish == "stop"
    assert said.model == "tiny-agent-q8_0"


async def test_it_extracts(model: Backend) -> None:
    said = await answer(model, ask(system(EXTRACT), "Emma is 34 years old and lives in Oslo."))
    assert json.loads(said.text) == {"name": "Emma", "age": 34, "city": "Oslo"}


async def test_a_tool_is_called_and_its_result_read(model: Backend) -> None:
    question = ask("Where is my order 48213?", tools=(LOOKUP, WEATHER))
    said = await answer(model, question)
    (call,) = said.tool_calls
    assert (call.name, json.loads(call.arguments), call.complete) == ("lookup_order", {"order_id": 48213}, True)
    assert said.finish == "tool_calls"
    assert said.text == ""
    messages = (*question.messages, said.message, tool_result(call, '{"status": "shipped"}'))
    after = await answer(model, ask(*messages, tools=(LOOKUP, WEATHER)))
    assert after.text == "Order 48213 is shipped."


async def test_two_calls_in_one_turn_have_ids_of_their_own(model: Backend) -> None:
    for choice in ("auto", "required"):
        said = await answer(
            model, ask("What is the weather in Oslo and in Paris?", tools=(WEATHER,), tool_choice=choice)
        )
        first, second = said.tool_calls
        assert json.loads(first.arguments) == {"city": "Oslo"}
        assert json.loads(second.arguments) == {"city": "Paris"}
        assert first.call_id != second.call_id
        assert first.id != second.id


async def test_a_call_streams_its_arguments(model: Backend) -> None:
    stream = await events(model, ask("Where is my order 48213?", tools=(LOOKUP,)))
    check_protocol(stream)
    assert isinstance(stream[0], Started)
    (begun,) = [event for event in stream if isinstance(event, PartStarted)]
    pieces = [event.text for event in stream if isinstance(event, PartDelta) and event.id == begun.id]
    (ended,) = [event for event in stream if isinstance(event, PartEnded)]
    assert begun.name == "lookup_order"
    assert len(pieces) > 1
    assert isinstance(ended.part, ToolCall)
    assert "".join(pieces) == ended.part.arguments


async def test_a_forced_call_is_a_call(model: Backend) -> None:
    for settings in (Settings(), Settings(temperature=1.5, seed=5), Settings(temperature=3.0, seed=6)):
        said = await answer(model, ask("Good morning", tools=(LOOKUP,), tool_choice="required", settings=settings))
        assert said.text == ""
        assert all(isinstance(json.loads(call.arguments)["order_id"], int) for call in said.tool_calls)
        assert said.finish == "tool_calls"


async def test_a_named_tool_is_the_one_called(model: Backend) -> None:
    said = await answer(model, ask("What is the weather in Oslo?", tools=(WEATHER, LOOKUP, ADD), tool_choice="add"))
    (call,) = said.tool_calls
    assert call.name == "add"
    assert set(json.loads(call.arguments)) >= {"a", "b"}


async def test_with_tool_choice_none_no_tool_is_offered(model: Backend) -> None:
    offered = await answer(model, ask("Hello", tools=(LOOKUP,)))
    plain = await answer(model, ask("Hello"))
    none = await answer(model, ask("Hello", tools=(LOOKUP,), tool_choice="none"))
    assert same(none, plain)
    assert none.usage.input is not None
    assert offered.usage.input is not None
    assert offered.usage.input > none.usage.input


async def test_one_call_at_a_time_is_one_call(model: Backend) -> None:
    settings = Settings(parallel_tool_calls=False)
    for choice in ("auto", "required"):
        asked = ask(
            "What is the weather in Oslo and in Paris?", tools=(WEATHER,), tool_choice=choice, settings=settings
        )
        assert len((await answer(model, asked)).tool_calls) == 1


async def test_a_tool_choice_that_is_not_offered_is_refused(model: Backend) -> None:
    assert isinstance((await failure(model, ask("Hi", tools=(ADD,), tool_choice="nope"))).error, BadRequest)
    assert isinstance((await failure(model, ask("Hi", tool_choice="required"))).error, BadRequest)


async def test_the_same_request_has_the_same_answer(llama: LlamaCpp) -> None:
    asked = ask("Good morning", settings=WILD)
    first = await answer(llama, asked)
    assert same(await answer(llama, asked), first)
    fresh = LlamaCpp("tiny")
    assert same(await answer(fresh, asked), first)
    await fresh.aclose()


async def test_seeds_differ(model: Backend) -> None:
    texts = {
        (await answer(model, ask("Good morning", settings=Settings(temperature=3.0, seed=seed, max_tokens=20)))).text
        for seed in range(4)
    }
    assert len(texts) > 1


async def test_a_drawn_seed_is_reported_and_repeats_the_answer(model: Backend) -> None:
    settings = Settings(temperature=3.0, max_tokens=20)
    said = await answer(model, ask("Good morning", settings=settings))
    again = settings.model_copy(update={"seed": said.usage.raw["seed"]})
    assert same(await answer(model, ask("Good morning", settings=again)), said)


async def test_without_a_temperature_the_likeliest_token_is_taken(model: Backend) -> None:
    plain = await answer(model, ask("Hello", settings=Settings(seed=1)))
    assert same(plain, await answer(model, ask("Hello", settings=Settings(temperature=0.0, seed=2))))
    assert "seed" not in plain.usage.raw


async def test_a_computed_beginning_is_reused_and_changes_nothing(own: LlamaCpp) -> None:
    long = "Hi, " + "the app crashes, " * 20
    reused = []
    for text in (long + "help", long + "now", "Hi, the app is slow", long + "help", "Please help: I was charged twice"):
        fresh = LlamaCpp()
        asked = route(text).model_copy(update={"settings": WILD})
        alone, after_others = await answer(fresh, asked), await answer(own, asked)
        await fresh.aclose()
        assert same(alone, after_others)
        assert alone.usage.cache_read == 0
        reused.append(after_others.usage.cache_read)
    assert reused[0] == 0
    assert reused[1] is not None
    assert reused[1] >= 64


async def test_an_answer_that_is_read_back_is_the_same_after_any_history(llama: LlamaCpp) -> None:
    asked = ask("Tell me a story", settings=Settings(temperature=3.0, seed=2, max_tokens=120))
    said = await answer(llama, asked)
    onward = ask(*asked.messages, said.message, "And then?", settings=WILD)
    fresh = LlamaCpp()
    assert same(await answer(fresh, onward), await answer(llama, onward))
    await fresh.aclose()


async def test_concurrent_requests_have_the_answers_they_have_alone(model: Backend) -> None:
    requests = [route(f"Hi, {text}") for text in ("I was charged twice", "the app crashes", "tell me a joke")]
    requests += [ask("Good morning", settings=WILD.model_copy(update={"seed": seed})) for seed in range(4)]
    requests.append(ask("Where is my order 48213?", tools=(LOOKUP,)))
    alone = [await answer(model, request) for request in requests]
    together = {}

    async def run(at: int) -> None:
        together[at] = await answer(model, requests[at])

    async with anyio.create_task_group() as tasks:
        for at in range(len(requests)):
            tasks.start_soon(run, at)
    assert len(requests) == 8
    assert all(same(together[at], alone[at]) for at in range(len(requests)))


async def test_a_reader_that_stands_still_holds_nobody_up(model: Backend) -> None:
    slow = model.stream(route("Hi, the app crashes"))
    first = await anext(slow)
    assert json.loads((await answer(model, route("Hi, I was charged twice"))).text) == {"route": "billing"}
    rest = [event async for event in slow]
    assert json.loads(fold([first, *rest]).text) == {"route": "technical"}


class Held:
    """The loaded model, stuck in the next call that writes until it is interrupted: what is cancelled has begun."""

    def __init__(self, backend: LlamaCpp, patch: pytest.MonkeyPatch) -> None:
        speaker = backend._worker.speaker
        assert speaker is not None
        engine = speaker.engine
        self.reached, self.interrupted = threading.Event(), threading.Event()
        self.answered: list[Request] = []
        raise_flag, compute, respond = engine.context.abort.set, engine.context.compute, speaker.answer

        def interrupt() -> None:
            raise_flag()
            self.interrupted.set()

        def stuck(spans: Sequence[Span]) -> Any:
            if not any(task.reading for task in engine.tasks):
                patch.setattr(engine.context, "compute", compute)
                self.reached.set()
                self.interrupted.wait(timeout=20)
            return compute(spans)

        def answering(request: Request, emit: Callable[[StreamEvent], None], effort: Effort) -> Work:
            self.answered.append(request)
            yield from respond(request, emit, effort)

        patch.setattr(engine.context.abort, "set", interrupt)
        patch.setattr(engine.context, "compute", stuck)
        patch.setattr(speaker, "answer", answering)

    async def stuck(self) -> None:
        """Wait until it is."""
        assert await anyio.to_thread.run_sync(self.reached.wait, 20)


async def test_cancelled_in_the_middle_it_stops_and_leaves_the_next_request_alone(
    own: LlamaCpp, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = await answer(own, route("Hi, the app crashes"))
    held = Held(own, monkeypatch)
    seen = []
    with anyio.CancelScope() as scope:
        async for event in own.stream(route("Hi, the app is slow")):
            seen.append(event)
            if isinstance(event, PartStarted | PartDelta) and not scope.cancel_called:
                await held.stuck()
                scope.cancel()
    assert held.interrupted.is_set()
    assert not any(isinstance(event, (Finished, Failed)) for event in seen)
    assert same(await answer(own, route("Hi, the app crashes")), expected)


async def test_closing_the_stream_stops_the_sampling(own: LlamaCpp, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = await answer(own, route("Hi, the app crashes"))
    held = Held(own, monkeypatch)
    stream = own.stream(route("Hi, the app is slow"))
    await anext(stream)
    await held.stuck()
    await stream.aclose()
    assert held.interrupted.is_set()
    assert same(await answer(own, route("Hi, the app crashes")), expected)


async def test_requests_are_answered_in_the_order_they_came_and_those_given_up_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    llama = LlamaCpp(parallel=1)
    await answer(llama, ask("Hello"))
    held = Held(llama, monkeypatch)
    first, given_up, *others = [ask(text) for text in ("Hello", "Thanks", "Bye", "Good morning", "Who are you?")]
    running = llama.stream(first)
    await anext(running)
    await held.stuck()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await answer(llama, given_up)
    async with anyio.create_task_group() as tasks:
        for request in others:
            before = len(llama._worker._line)
            tasks.start_soon(answer, llama, request)
            while len(llama._worker._line) == before:
                await anyio.lowlevel.checkpoint()
        await running.aclose()
    assert held.answered == [first, *others]
    await llama.aclose()


async def test_runs_that_ask_are_told_apart_so_that_they_take_turns(
    own: LlamaCpp, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners: list[object] = []
    submit = own._worker.submit

    def seen(job: Job) -> bool:
        owners.append(job.owner)
        return submit(job)

    monkeypatch.setattr(own._worker, "submit", seen)

    @node
    async def routed(text: str) -> str:
        return (await answer(own, route(text))).text

    async with Runtime() as rt:
        runs = [await rt.start(routed, text=f"Hi, {text}") for text in ("I was charged twice", "the app crashes")]
        said = [json.loads(await run.result()) for run in runs]
    assert said == [{"route": "billing"}, {"route": "technical"}]
    assert set(owners) == {run.id for run in runs}
    await answer(own, route("Hi"))
    assert owners[-1] is None


async def test_one_backend_serves_several_event_loops(model: Backend, anyio_backend_name: str) -> None:
    def elsewhere() -> str:
        async def run() -> str:
            return (await answer(model, route("Hi, the app crashes"))).text

        return anyio.run(run, backend=anyio_backend_name)

    here = await answer(model, route("Hi, I was charged twice"))
    there = await anyio.to_thread.run_sync(elsewhere)
    assert (json.loads(here.text), json.loads(there)) == ({"route": "billing"}, {"route": "technical"})


async def test_closing_waits_for_what_was_asked_and_refuses_the_rest() -> None:
    backend = LlamaCpp()
    stream = backend.stream(route("Hi, the app crashes"))
    first = await anext(stream)
    await backend.aclose()
    await backend.aclose()
    rest = [event async for event in stream]
    assert json.loads(fold([first, *rest]).text) == {"route": "technical"}
    error = (await failure(backend, route("Hi"))).error
    assert "closed" in str(error)
    assert not error.retryable


async def test_a_cancelled_close_interrupts_what_runs() -> None:
    backend = LlamaCpp()
    stream = backend.stream(ask("Hi " * 250, settings=Settings(temperature=9.0, seed=1)))
    await anext(stream)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await backend.aclose()
    *_, last = [event async for event in stream]
    assert isinstance(last, Failed)
    assert "closed" in str(last.error)


async def test_a_backend_that_was_never_used_closes() -> None:
    await LlamaCpp().aclose()


def test_a_forgotten_backend_ends_with_its_process() -> None:
    code = """
import anyio
from graphrt.backends.llama import LlamaCpp
from graphrt.backends.messages import Request, Settings, user

async def main():
    backend = LlamaCpp()
    stream = backend.stream(Request(messages=(user("Hi " * 250),), settings=Settings(temperature=9.0, seed=1)))
    print(type(await anext(stream)).__name__)
    globals().update(kept=(backend, stream))

anyio.run(main)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (said.returncode, said.stdout.strip(), said.stderr) == (0, "Started", "")


async def test_text_is_streamed_and_never_half_a_character(model: Backend) -> None:
    schema = json_of("s", {"enum": ["Ünïcödé ✓ 👍🏽 日本語"]})
    stream = await events(model, ask("Hello", output=schema))
    pieces = [event.text for event in stream if isinstance(event, PartDelta)]
    assert len(pieces) > 3
    assert "�" not in "".join(pieces)
    assert json.loads("".join(pieces)) == "Ünïcödé ✓ 👍🏽 日本語"


async def test_a_cut_in_the_middle_of_a_character_drops_its_half(model: Backend) -> None:
    schema = json_of("s", {"enum": ["👍"]})
    texts = [
        (await answer(model, ask("Hello", output=schema, settings=Settings(max_tokens=count)))).text
        for count in range(1, 8)
    ]
    assert texts[-1] == '"👍"'
    assert all(text in {"", '"', '"👍', '"👍"'} for text in texts)


async def test_stop_strings_end_the_text_before_them(model: Backend) -> None:
    whole = (await answer(model, route("Hi, the app crashes"))).text
    assert whole == '{"route": "technical"}'
    for stop in ("technical", "cal", '": "', "route", "}", "{"):
        stream = await events(
            model, route("Hi, the app crashes").model_copy(update={"settings": Settings(stop=("nowhere", stop))})
        )
        said = fold(stream)
        assert said.text == whole[: whole.index(stop)]
        assert (said.finish, said.raw_finish) == ("stop", "stop_string")
    never = await answer(model, route("Hi, the app crashes").model_copy(update={"settings": Settings(stop=("}}",))}))
    assert never.text == whole


async def test_max_tokens_cuts_and_says_so(model: Backend) -> None:
    said = await answer(model, route("Hi, the app crashes").model_copy(update={"settings": Settings(max_tokens=3)}))
    assert (said.finish, said.raw_finish, said.usage.output) == ("length", "max_tokens", 3)
    assert '{"route": "technical"}'.startswith(said.text)
    assert said.text


async def test_a_call_that_is_cut_is_never_complete(llama: LlamaCpp) -> None:
    for count in range(1, 24):
        for choice in ("auto", "required"):
            settings = Settings(max_tokens=count)
            asked = ask("Where is my order 48213?", tools=(LOOKUP,), tool_choice=choice, settings=settings)
            said = await answer(llama, asked)
            assert said.finish == "length"
            assert not any(call.complete for call in said.tool_calls)
            assert "<tool_call>" not in said.text


async def test_a_full_context_ends_the_answer(llama: LlamaCpp) -> None:
    small = LlamaCpp(n_ctx=30)
    said = await answer(small, ask("Hi", settings=Settings(temperature=9.0, seed=3)))
    assert (said.finish, said.raw_finish) == ("length", "context_full")
    assert said.usage.input is not None
    assert said.usage.output == 30 - said.usage.input + 1
    await small.aclose()


async def test_a_prompt_longer_than_the_context_says_both_numbers(model: Backend) -> None:
    asked = ask("word " * 1500)
    error = (await failure(model, asked)).error
    assert isinstance(error, ContextLengthExceeded)
    assert error.usage is not None
    assert str(error.usage.input) in str(error)
    assert "1024" in str(error)
    assert json.loads((await answer(model, route("Hi, the app crashes"))).text) == {"route": "technical"}


async def test_usage_counts_what_was_read_and_written(own: LlamaCpp) -> None:
    first = (await answer(own, route("Hi, the app crashes"))).usage
    again = (await answer(own, route("Hi, the app crashes"))).usage
    assert (first.input, first.output) == (again.input, again.output) == (43, 7)
    assert (first.cache_read, again.cache_read) == (0, 32)
    assert first.reasoning == 0


async def test_usage_says_what_was_computed_and_how_long_it_took(own: LlamaCpp) -> None:
    await answer(own, route("Hi, the app crashes"))
    usage = (await answer(own, route("Hi, the app crashes"))).usage
    assert usage.input is not None
    assert usage.output is not None
    assert usage.cache_read == 32
    assert usage.raw["computed"] == usage.input - 32 + usage.output
    times = [usage.raw[f"{name}_seconds"] for name in ("queue", "prefill", "decode")]
    assert all(0 < seconds < 60 for seconds in times)
    cut = (await failure(own, ask("word " * 1500))).error
    assert cut.usage is not None
    assert cut.usage.raw["computed"] == 0


@pytest.mark.processor
async def test_capabilities_are_known_once_the_model_is_loaded() -> None:
    backend = LlamaCpp()
    before = backend.capabilities
    assert (before.json_schema, before.seed, before.tools, before.context_tokens) == (True, True, None, None)
    assert before.batch_invariant is None
    await answer(backend, route("Hi"))
    after = backend.capabilities
    assert (after.tools, after.context_tokens, after.batch_invariant) == (True, 1024, True)
    await backend.aclose()


async def test_who_does_not_ask_for_exactness_is_not_promised_it() -> None:
    backend = open_backend("llama_cpp:tiny?exact=false&parallel=2&cache_tokens=1500")
    assert isinstance(backend, LlamaCpp)
    said = [await answer(backend, route("Hi, the app crashes")) for _ in range(2)]
    assert [json.loads(each.text) for each in said] == [{"route": "technical"}] * 2
    assert backend.capabilities.batch_invariant is False
    await backend.aclose()


async def test_settings_that_are_not_honoured_are_named(model: Backend) -> None:
    settings = Settings(reasoning_effort="high", top_p=0.5, max_tokens=2)
    stream = await events(model, ask("Hello", settings=settings, extra={"mirostat": 2}))
    assert [event.setting for event in stream if isinstance(event, Warned)] == [
        "reasoning_effort",
        "top_p",
        "extra.mirostat",
    ]
    assert isinstance(stream[-1], Finished)
    strict = settings.model_copy(update={"strict": True})
    stream = await events(model, ask("Hello", settings=strict))
    assert len(stream) == 1
    assert isinstance(stream[0], Failed)
    assert isinstance(stream[0].error, UnsupportedSetting)
    assert "reasoning_effort" in str(stream[0].error)


HONOURED = {"max_tokens", "temperature", "top_p", "top_k", "min_p", "seed", "stop", "presence_penalty"} | {
    "frequency_penalty",
    "parallel_tool_calls",
    "cache",  # equal beginnings are computed once, whoever asks
}


@pytest.mark.parametrize("setting", [name for name in Settings.model_fields if name != "strict"])
async def test_a_setting_is_honoured_or_named(llama: LlamaCpp, setting: str) -> None:
    """M6: a new setting fails here until somebody has thought of it."""
    wish = {setting: WISHES[setting], "max_tokens": 2, "temperature": 0.5}
    stream = await events(llama, ask("Hello", settings=Settings(**wish)))
    named = [event.setting for event in stream if isinstance(event, Warned)]
    assert named == ([] if setting in HONOURED else [setting])


@pytest.mark.parametrize(
    "settings",
    [
        Settings(max_tokens=0),
        Settings(temperature=-1.0),
        Settings(temperature=math.nan),
        Settings(top_p=1.5),
        Settings(min_p=-0.1),
        Settings(top_k=-2),
        Settings(stop=("",)),
    ],
    ids=repr,
)
async def test_settings_that_mean_nothing_are_refused(model: Backend, settings: Settings) -> None:
    assert isinstance((await failure(model, ask("Hello", settings=settings))).error, BadRequest)


async def test_media_is_refused(model: Backend) -> None:
    picture = Message(role="user", parts=(Text(text="?"), Media(media_type="image/png", data="AA==")))
    result = ToolResult(call_id="c", name="shoot", content="", media=(Media(media_type="image/png", data="AA=="),))
    for shown in (picture, Message(role="tool", parts=(result,))):
        error = (await failure(model, ask(shown))).error
        assert isinstance(error, BadRequest)
        assert "image/png" in str(error)


async def test_no_messages_are_refused_and_odd_ones_are_not_fatal(model: Backend) -> None:
    assert isinstance((await failure(model, ask())).error, BadRequest)
    for text in ("", "\x00", "\ud800", "\ue0000\ue001", "👍🏽" * 20):
        assert (await answer(model, ask(text, settings=Settings(max_tokens=3)))).finish in {"stop", "length"}


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    backend = LlamaCpp(tmp_path / "no.gguf")
    error = (await failure(backend, route("Hi"))).error
    assert isinstance(error, NotFound)
    assert "no.gguf" in str(error)
    await backend.aclose()


async def test_a_damaged_file_is_named_and_does_no_harm(tmp_path: Path) -> None:
    whole = tiny_model().read_bytes()
    damaged = {
        "empty": b"",
        "text": b"not a model at all",
        "magic": b"GGUF",
        "head": whole[:5000],
        "half": whole[: len(whole) // 2],
        "version": whole[:4] + b"\xff\xff\xff\xff" + whole[8:],
        "counts": whole[:8] + b"\xff" * 16 + whole[24:],
    }
    for name, content in damaged.items():
        path = tmp_path / f"{name}.gguf"
        path.write_bytes(content)
        backend = LlamaCpp(path)
        error = (await failure(backend, route("Hi"))).error
        assert isinstance(error, BackendError)
        assert str(path) in str(error)
        assert not error.retryable
        await backend.aclose()


async def test_a_file_that_comes_later_is_found(tmp_path: Path) -> None:
    path = tmp_path / "late.gguf"
    backend = LlamaCpp(path)
    await failure(backend, route("Hi"))
    path.write_bytes(tiny_model().read_bytes())
    assert json.loads((await answer(backend, route("Hi, the app crashes"))).text) == {"route": "technical"}
    await backend.aclose()


async def test_a_missing_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from graphrt.backends.llama.native import library

    library.library.cache_clear()
    for module in ("llama_cpp", "xllamacpp"):
        monkeypatch.setitem(sys.modules, module, None)
    backend = LlamaCpp()
    error = (await failure(backend, route("Hi"))).error
    assert "pip install 'graphrt[llama]'" in str(error)
    await backend.aclose()
    library.library.cache_clear()


@pytest.mark.parametrize(
    "options",
    [
        {"n_ctx": 0},
        {"n_ctx": -5},
        {"n_ctx": 2**40},
        {"n_threads": 0},
        {"n_gpu_layers": -2},
        {"main_gpu": -1},
        {"parallel": 0},
        {"parallel": 257},
        {"cache_tokens": 0},
        {"tensor_split": "a lot"},
        {"tensor_split": [1.0, -1.0]},
    ],
)
def test_options_that_would_kill_the_process_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        LlamaCpp(**options)


@pytest.mark.processor
@pytest.mark.parametrize("others", ["", "&main_gpu=0", "&tensor_split=3,1&offload_kqv=false"])
async def test_layers_for_a_gpu_that_is_not_there_are_refused(others: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library(), "llama_supports_gpu_offload", lambda: False)
    backend = open_backend(f"llama_cpp:tiny?n_gpu_layers=-1{others}")
    assert isinstance(backend, LlamaCpp)
    error = (await failure(backend, route("Hi"))).error
    assert "n_gpu_layers is -1, and this llama.cpp finds no GPU" in str(error)
    assert not error.retryable
    await backend.aclose()


async def test_without_layers_for_them_no_gpu_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build for GPUs would use them for large products else."""
    lib, seen = library(), []
    load = lib.llama_model_load_from_file

    def watched(path: bytes, params: Any) -> Any:
        seen.append(ctypes.c_void_p.from_address(params.devices).value)  # the first of a list that ends in a null
        return load(path, params)

    monkeypatch.setattr(lib, "llama_model_load_from_file", watched)
    monkeypatch.setattr(lib, "llama_supports_gpu_offload", lambda: True)
    backend = open_backend("llama_cpp:tiny?n_gpu_layers=0&main_gpu=0&offload_kqv=false")
    assert json.loads((await answer(backend, route("Hi, the app crashes"))).text) == {"route": "technical"}
    assert seen == [None]
    assert backend.capabilities.batch_invariant
    await backend.aclose()


async def test_answers_that_are_said_while_a_gpu_computes_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop strings, tools, schemas, a limit: whatever may end an answer is looked at before the next token is asked."""
    asked = [
        route("Hi, the app crashes"),
        ask("Where is my order 48213?", tools=(LOOKUP, WEATHER)),
        ask("Where is my order 48213?", tools=(LOOKUP,), settings=Settings(parallel_tool_calls=False)),
        ask("Hello", settings=Settings(max_tokens=3)),
        ask("Hello", settings=Settings(stop=("e",))),
        ask("Hello", settings=Settings(temperature=1.0, seed=3, max_tokens=20)),
        ask("Give me a number", output=json_of("s", {"type": "integer"})),
    ]
    found = []
    for offloaded in (False, True):
        monkeypatch.setattr(Model, "offloaded", offloaded)
        backend = LlamaCpp(exact=False, parallel=4)
        answers = [await answer(backend, request) for request in asked]
        async with anyio.create_task_group() as tasks:
            for request in asked:
                tasks.start_soon(answer, backend, request)
        found.append([without_cost(each) for each in answers])
        await backend.aclose()
    assert found[0] == found[1]


def test_one_gpu_that_takes_all_and_several_that_share_are_two_wishes() -> None:
    with pytest.raises(ValueError, match="main_gpu takes every layer alone"):
        LlamaCpp(n_gpu_layers=-1, main_gpu=1, tensor_split="3,1")


async def test_a_gpu_beyond_those_that_are_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library(), "llama_supports_gpu_offload", lambda: True)
    monkeypatch.setattr(native_model, "gpus", lambda lib: [Device("NVIDIA H200", 1 << 37)])
    backend = LlamaCpp(n_gpu_layers=-1, main_gpu=1)
    assert "main_gpu is 1, and this llama.cpp finds 1, counted from 0" in str(
        (await failure(backend, route("Hi"))).error
    )
    await backend.aclose()


async def test_more_shares_than_there_may_be_devices_are_refused() -> None:
    crowded = LlamaCpp(tensor_split=[1.0] * 1000)
    assert "1000 shares" in str((await failure(crowded, route("Hi"))).error)
    await crowded.aclose()


async def test_a_chat_template_can_be_given() -> None:
    backend = LlamaCpp(chat_template="{{ raise_exception('only strangers') }}")
    error = (await failure(backend, route("Hi"))).error
    assert isinstance(error, BadRequest)
    assert "only strangers" in str(error)
    await backend.aclose()
