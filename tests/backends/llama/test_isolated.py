"""A model in a process of its own: it answers as the one in this process does, and dies alone."""

import gc
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

pytest.importorskip("tests.llama")

from graphrt import Runtime, node
from graphrt.backends import open_backend
from graphrt.backends.base import Backend, Capabilities
from graphrt.backends.errors import BadRequest, BindingError, ContextLengthExceeded, ServerError, UnsupportedSetting
from graphrt.backends.events import Drafted, Failed, Finished, PartDelta, PartEnded, Started, StreamEvent, fold
from graphrt.backends.llama import Isolated, LlamaCpp, isolated, process, tiny_model
from graphrt.backends.llama.mailbox import Mailbox, Post
from graphrt.backends.llama.owner import ask_for
from graphrt.backends.messages import Media, Message, Request, Settings
from graphrt.config import Config
from graphrt.facts import AttemptFailed
from graphrt.nodes import generated, llm
from tests.backends.llama.conftest import (
    LOOKUP,
    ROUTE,
    answer,
    ask,
    check_protocol,
    events,
    failure,
    json_of,
    route,
    same,
)

pytestmark = pytest.mark.anyio

LONG = ask("Hi " * 250, settings=Settings(temperature=9.0, seed=1))
"""Its answer takes half a second."""


async def begun(stream: AsyncGenerator[StreamEvent]) -> list[StreamEvent]:
    """Read a stream until it has said something."""
    seen = []
    async for event in stream:
        seen.append(event)
        if isinstance(event, PartDelta):
            break
    return seen


def said_by(stream: list[StreamEvent]) -> str:
    return "".join(event.text for event in stream if isinstance(event, PartDelta))


def kill(backend: Isolated, how: signal.Signals = signal.SIGKILL) -> int:
    """Send a signal to the model's process, and return which that was."""
    pid = backend.pid
    assert pid is not None
    os.kill(pid, how)
    return pid


def ended(pid: int) -> Callable[[], bool]:
    """A function that waits until a process, of whomever it is the child, has ended."""
    there = os.pidfd_open(pid)

    def wait() -> bool:
        try:
            return bool(select.select([there], [], [], 20)[0])
        finally:
            os.close(there)

    return wait


def test_it_is_a_backend_that_starts_nothing_before_it_is_asked() -> None:
    backend = open_backend("llama_cpp+worker:tiny?n_ctx=256&n_threads=1")
    assert isinstance(backend, Isolated)
    assert isinstance(backend, Backend)
    assert backend.name == "llama_cpp+worker:tiny-agent-q8_0"
    assert repr(backend) == f"Isolated({str(tiny_model())!r})"
    assert backend.capabilities == LlamaCpp(n_ctx=256).capabilities
    assert backend.pid is None


def test_its_options_are_checked_as_the_other_s_are() -> None:
    with pytest.raises(BindingError, match="n_ctx is 0"):
        open_backend("llama_cpp+worker:tiny?n_ctx=0")
    with pytest.raises(BindingError, match="n_cxt"):
        open_backend("llama_cpp+worker:tiny?n_cxt=5")


@pytest.mark.parametrize(
    "request_",
    [
        route("Hi, I was charged twice"),
        ask("Where is my order 48213?", tools=(LOOKUP,)),
        ask("Good morning", settings=Settings(temperature=1.0, seed=7, max_tokens=40, top_k=5)),
        ask("Hi", output=json_of("n", {"enum": ["yes", "no"]})),
        ask("Hi", settings=Settings(max_tokens=3, reasoning_effort="high")),
        ask("\ud800\x00 👍🏽", settings=Settings(max_tokens=3)),
    ],
    ids=["text", "tool", "seeded", "schema", "warned", "odd"],
)
async def test_it_says_what_the_model_in_this_process_says(
    worker: Isolated, llama: LlamaCpp, request_: Request
) -> None:
    here, there = await events(llama, request_), await events(worker, request_)
    check_protocol(there)
    assert _lasting(there) == _lasting(here)
    assert worker.capabilities == llama.capabilities
    assert worker.capabilities.tools is True


def _lasting(stream: list[StreamEvent]) -> list[Any]:
    """A stream without drafts, which come as time goes by."""
    return [_timeless(event) for event in stream if not isinstance(event, Drafted)]


def _timeless(event: StreamEvent) -> Any:
    """An event without ids, which are drawn anew each time, and without what depends on what was asked before."""
    match event:
        case Started(model=model):
            return model
        case PartEnded(part=part):
            return part.model_copy(update={"id": "", "call_id": ""})
        case Finished(reason=reason, raw_reason=raw, usage=usage):
            return reason, raw, usage.input, usage.output, (usage.raw or {}).get("seed")
        case PartDelta(text=text):
            return text
        case _:
            return type(event)


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (ask(Message(role="user", parts=(Media(media_type="image/png", data="aGk="),))), BadRequest),
        (ask("Hi " * 2000), ContextLengthExceeded),
        (ask("Hi", settings=Settings(reasoning_effort="high", strict=True)), UnsupportedSetting),
        (ask("Hi", settings=Settings(temperature=float("nan"))), BadRequest),
    ],
    ids=["media", "long", "strict", "nan"],
)
async def test_its_errors_are_those_of_the_model(
    worker: Isolated, llama: LlamaCpp, request_: Request, kind: type[Exception]
) -> None:
    here, there = (await failure(llama, request_)).error, (await failure(worker, request_)).error
    assert type(there) is type(here) is kind
    assert str(there) == str(here)
    assert (there.retryable, there.partial, there.usage) == (here.retryable, here.partial, here.usage)


async def test_a_request_that_is_no_json_is_refused(worker: Isolated) -> None:
    error = (await failure(worker, ask("Hi", extra={"it": object()}))).error
    assert isinstance(error, BadRequest)


async def test_what_a_loop_that_is_gone_had_asked_is_given_up(worker: Isolated, anyio_backend_name: str) -> None:
    left = []

    async def leave() -> None:
        child, number = worker._children.ask(LONG.model_dump_json(), Mailbox())
        left.append((child, number, child._asked[number]))

    await anyio.to_thread.run_sync(lambda: anyio.run(leave, backend=anyio_backend_name))
    ((child, number, owed),) = left
    while number in child._asked:
        await answer(worker, route("Hi, the app crashes"))
    assert owed.fold.terminal is None


async def test_an_interrupt_from_the_keyboard_is_not_for_it(worker: Isolated) -> None:
    before = await answer(worker, route("Hi, the app crashes"))
    pid = kill(worker, signal.SIGINT)
    assert same(await answer(worker, route("Hi, the app crashes")), before)
    assert worker.pid == pid


@pytest.mark.parametrize("way", ["close", "cancel"])
async def test_given_up_in_the_middle_the_model_stops_and_the_next_request_has_it(worker: Isolated, way: str) -> None:
    stream = worker.stream(LONG)
    await begun(stream)
    child = worker._children._process
    assert child is not None
    (owed,) = child._asked.values()
    if way == "close":
        await stream.aclose()
    else:
        with anyio.CancelScope() as scope:
            scope.cancel()
            [_ async for _ in stream]
        assert scope.cancelled_caught
    assert not child._asked
    assert owed.fold.terminal is None  # it let go before it had come to the end of the answer
    assert json.loads((await answer(worker, route("Hi, the app crashes"))).text) == {"route": "technical"}


class Dying:
    """A backend whose process is killed in the middle of its first answer."""

    def __init__(self, backend: Isolated) -> None:
        self.backend = backend
        self.asked = 0
        self.killed: int | None = None

    @property
    def name(self) -> str:
        return self.backend.name

    @property
    def capabilities(self) -> Capabilities:
        return self.backend.capabilities

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        self.asked += 1
        first = self.asked == 1
        async for event in self.backend.stream(LONG if first else request):
            yield event
            if first and isinstance(event, PartDelta):
                self.killed = kill(self.backend)
                first = False

    async def aclose(self) -> None:
        """Its process is others', too."""


@llm("Hi, {{ problem }}", system=ROUTE, model="m", retry=2)
def routed(problem: str) -> dict[str, str]:
    return generated()


async def test_a_run_with_retries_outlives_the_process_of_its_model(worker: Isolated) -> None:
    dying = Dying(worker)
    async with Runtime(models={"m": dying}, config=Config()) as rt:
        run = await rt.start(routed, problem="the app crashes")
        assert await run.result() == {"route": "technical"}
        (failed,) = [entry.fact async for entry in run.events() if isinstance(entry.fact, AttemptFailed)]
    assert "SIGKILL" in failed.failure.message
    assert dying.killed is not None
    assert worker.pid not in {None, dying.killed}


async def test_a_process_that_is_killed_ends_every_answer_in_an_error_that_a_retry_may_mend(worker: Isolated) -> None:
    ends: list[list[StreamEvent]] = []

    async def read(stream: AsyncGenerator[StreamEvent]) -> None:
        ends.append([event async for event in stream])

    first = worker.stream(LONG)
    seen = await begun(first)
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(read, worker.stream(LONG))
        await anyio.wait_all_tasks_blocked()
        kill(worker)
    seen += [event async for event in first]
    for stream in (seen, *ends):
        check_protocol(stream)
        assert isinstance(stream[-1], Failed)
        error = stream[-1].error
        assert isinstance(error, ServerError)
        assert (error.retryable, error.code, error.provider) == (True, "SIGKILL", worker.name)
        assert "killed by SIGKILL" in str(error)
        assert said_by(stream) == ("" if error.partial is None else error.partial.text)
    assert len(ends) == 3
    assert said_by(seen)
    assert worker.pid is None


def test_no_process_outlives_a_parent_that_was_killed() -> None:
    code = """
import anyio
from graphrt.backends.llama import Isolated
from graphrt.backends.messages import Request, Settings, user

async def main():
    backend = Isolated()
    long = Request(messages=(user("Hi " * 250),), settings=Settings(temperature=9.0, seed=1))
    await anext(backend.stream(long))
    print(backend.pid, flush=True)
    input()

anyio.run(main)
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        wait = ended(int(parent.stdout.readline()))
        parent.kill()
        assert wait()


async def test_a_backend_that_was_never_used_closes() -> None:
    await Isolated().aclose()


LOUD = """
import os
from graphrt.backends.llama import child
from graphrt.backends.scripted import Scripted

def loud(request):
    os.write(1, b"from native code\\n")
    print("from Python", os.read(0, 100), flush=True)
    return "Hello " * int(request.messages[-1].text)

child.LlamaCpp = lambda **_: Scripted(loud)
child.main()
"""
"""The real process with another model, which starts sooner, and prints and reads as it likes."""


def test_what_a_model_prints_does_not_get_between_its_answers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(process, "command", lambda: [sys.executable, "-c", LOUD])

    async def twice() -> None:
        backend = Isolated()
        for _ in range(2):
            assert (await answer(backend, ask("3"))).text == "Hello " * 3
        await backend.aclose()

    anyio.run(twice)
    assert [record.message for record in caplog.records] == ["from native code", "from Python b''"] * 2


OWNED = """
from graphrt.backends.llama import child
from graphrt.backends.llama.owner import owner
from graphrt.backends.scripted import Scripted

child.LlamaCpp = lambda **_: Scripted(lambda request: str(owner()))
child.main()
"""
"""The real process with a model that says for whom it is asked."""


async def test_the_process_is_told_which_run_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "command", lambda: [sys.executable, "-c", OWNED])
    backend = Isolated()

    @node
    async def asked(text: str) -> str:
        return (await answer(backend, ask(text))).text

    async with Runtime() as rt:
        runs = [await rt.start(asked, text="Hi") for _ in range(2)]
        assert [await run.result() for run in runs] == [run.id for run in runs]
    assert (await answer(backend, ask("Hi"))).text == "None"
    await backend.aclose()


@pytest.mark.parametrize("kind", [LlamaCpp, Isolated])
async def test_a_run_that_asks_much_waits_for_one_that_asks_little(
    kind: type[LlamaCpp | Isolated], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = kind(parallel=1)
    ids: list[str | None] = []
    texts: dict[str | None, str] = {}
    put = Post.put

    def seen(post: Post, box: Mailbox, event: StreamEvent | None) -> None:
        if isinstance(event, Started):
            ids.append(event.response_id)
        put(post, box, event)

    async def one(run: str, text: str) -> None:
        ask_for(run)
        texts[(await answer(backend, ask(text, settings=Settings(max_tokens=2)))).response_id] = text

    monkeypatch.setattr(Post, "put", seen)
    async with anyio.create_task_group() as tasks:
        ask_for("much")
        running = backend.stream(LONG)
        await begun(running)
        for run, text in (("much", "Hello"), ("much", "Thanks"), ("much", "Bye"), ("little", "Who are you?")):
            tasks.start_soon(one, run, text)
            await anyio.wait_all_tasks_blocked()
        await running.aclose()
    assert [texts[id_] for id_ in ids[1:]] == ["Hello", "Who are you?", "Thanks", "Bye"]
    await backend.aclose()


async def test_closing_waits_for_what_was_asked_and_refuses_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "command", lambda: [sys.executable, "-c", LOUD])
    backend = Isolated()
    stream = backend.stream(ask("500"))
    first = await anext(stream)
    pid = backend.pid
    assert pid is not None
    wait = ended(pid)
    await backend.aclose()
    await backend.aclose()
    assert wait()
    assert backend.pid is None
    rest = [event async for event in stream]
    assert fold([first, *rest]).text == "Hello " * 500
    error = (await failure(backend, route("Hi"))).error
    assert "closed" in str(error)
    assert not error.retryable


async def test_an_answer_can_be_given_up_while_the_backend_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "command", lambda: [sys.executable, "-c", LOUD])
    backend = Isolated()
    stream = backend.stream(ask("100000"))
    await begun(stream)
    child = backend._children._process
    assert child is not None
    (owed,) = child._asked.values()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(backend.aclose)
        await anyio.wait_all_tasks_blocked()
        await stream.aclose()
    assert owed.fold.terminal is None


# What no model does: processes that are played by a line of Python.


def play(patch: pytest.MonkeyPatch, code: str) -> None:
    """Start that instead of a model."""
    patch.setattr(process, "command", lambda: [sys.executable, "-S", "-c", code])


DEAF = """
import sys
sys.stdin.readline()
sys.stdin.readline()
print('{"id": 1, "event": {"event": "started"}}', flush=True)
sys.stdin.read()
"""
"""Begins an answer and never goes on, whatever it is told."""


async def test_a_process_that_does_not_let_go_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, DEAF)
    monkeypatch.setattr(isolated, "PATIENCE", 0.01)
    backend = Isolated()
    given_up, other = backend.stream(route("Hi")), backend.stream(route("Hi"))
    assert await anext(given_up) == Started()
    last: list[StreamEvent] = []

    async def read() -> None:
        last.extend([event async for event in other])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        await given_up.aclose()
    (failed,) = last
    assert isinstance(failed, Failed)
    assert failed.error.retryable
    assert "did not let go" in str(failed.error)
    assert backend.pid is None
    await backend.aclose()


async def test_a_cancelled_close_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, DEAF)
    backend = Isolated()
    stream = backend.stream(route("Hi"))
    await anext(stream)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await backend.aclose()
    assert backend.pid is None
    (failed,) = [event async for event in stream]
    assert isinstance(failed, Failed)
    assert "was closed" in str(failed.error)
    assert not failed.error.retryable


async def test_the_process_of_a_forgotten_backend_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, DEAF)
    backend = Isolated()
    stream = backend.stream(route("Hi"))
    await anext(stream)
    assert backend.pid is not None
    wait = ended(backend.pid)
    monkeypatch.setattr(isolated, "PATIENCE", 0.01)
    await stream.aclose()
    del backend, stream
    gc.collect()
    assert wait()


async def test_a_process_that_dies_of_the_same_three_times_before_it_speaks_is_no_matter_for_retries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    play(monkeypatch, "import sys; sys.exit('no such library')")
    backend = Isolated()
    errors = [(await failure(backend, route("Hi"))).error for _ in range(4)]
    assert [error.retryable for error in errors] == [True, True, False, False]
    assert {error.code for error in errors} == {"exit 1"}
    assert all("no such library" in str(error) for error in errors)
    assert "3 times in a row" in str(errors[2])
    play(monkeypatch, "import sys; sys.exit('another')")
    assert (await failure(backend, route("Hi"))).error.retryable
    await backend.aclose()


async def test_its_last_words_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, "import sys; print('x' * 10**5, file=sys.stderr); sys.exit('the end')")
    words = str((await failure(Isolated(), route("Hi"))).error)
    assert "the end" in words
    assert len(words) < 2000


async def test_it_is_told_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    # M9: what it does not have, its last words cannot hold
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a-key-of-ours")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    play(
        monkeypatch,
        "import os, sys; sys.exit(str([name in os.environ for name in ('OMP_NUM_THREADS', 'OPENAI_API_KEY')]))",
    )
    assert "[True, False]" in str((await failure(Isolated(), route("Hi"))).error)


async def test_an_answer_that_was_whole_stays_so_when_the_process_dies_right_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = json.dumps({"id": 1, "event": {"event": "finished", "reason": "stop", "usage": {}}})
    play(monkeypatch, f"import os; input(); input(); print({said!r}, flush=True); os.abort()")
    assert await events(Isolated(), route("Hi")) == [Finished("stop")]


async def test_a_process_that_talks_nonsense_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, "print('hello', flush=True); input(); input(); input()")
    backend = Isolated()
    error = (await failure(backend, route("Hi"))).error
    assert isinstance(error, ServerError)
    assert backend.pid is None
    await backend.aclose()


async def test_a_process_that_cannot_be_started_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(process, "command", lambda: [str(tmp_path / "no-python")])
    error = (await failure(Isolated(), route("Hi"))).error
    assert isinstance(error, ServerError)
    assert "no-python" in str(error)
