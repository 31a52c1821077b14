"""A script says what it was given, word by word, and says so when it has nothing to say."""

import threading
from typing import Any

import anyio
import pytest

from graphrt.backends.errors import BackendError, BadRequest, RateLimited
from graphrt.backends.events import Answer, PartDelta, Usage, complete
from graphrt.backends.messages import (
    Message,
    Reasoning,
    Request,
    Settings,
    Text,
    ToolCall,
    conversation,
    tool_result,
)
from graphrt.backends.scripted import Scripted

pytestmark = pytest.mark.anyio
CALL = ToolCall(call_id="c", name="add", arguments='{"a": 1}')


def ask(prompt: str = "hi", **settings: Any) -> Request:
    return Request(messages=conversation(prompt), settings=Settings(**settings))


async def test_a_list_is_used_up_in_order_and_then_says_so() -> None:
    backend = Scripted(["one", "two"])
    assert [(await complete(backend.stream(ask()))).text for _ in range(2)] == ["one", "two"]
    with pytest.raises(BadRequest, match="2 answers, and this is request 3"):
        await complete(backend.stream(ask()))


async def test_a_mapping_answers_by_what_was_asked_and_never_runs_out() -> None:
    backend = Scripted({"France": "Paris", "Spain": "Madrid", "48213": "shipped"})
    assert (await complete(backend.stream(ask("capital of Spain?")))).text == "Madrid"
    assert (await complete(backend.stream(ask("capital of France?")))).text == "Paris"
    assert (await complete(backend.stream(Request(messages=(tool_result(CALL, "48213"),))))).text == "shipped"
    with pytest.raises(BadRequest, match="'France', 'Spain', '48213', and was asked 'Norway'"):
        await complete(backend.stream(ask("Norway")))


async def test_a_function_answers_from_the_request_and_may_refuse() -> None:
    def reply(request: Request) -> str:
        if "please" not in request.messages[-1].text:
            raise RateLimited("say please")
        return request.messages[-1].text.upper()

    backend = Scripted(reply)
    assert (await complete(backend.stream(ask("please")))).text == "PLEASE"
    with pytest.raises(RateLimited):
        await complete(backend.stream(ask("now")))


async def test_a_string_is_said_always() -> None:
    backend = Scripted("yes")
    assert [(await complete(backend.stream(ask()))).text for _ in range(3)] == ["yes"] * 3


async def test_parts_messages_answers_and_errors_are_said_as_they_are() -> None:
    parts = (Reasoning(text="hm"), Text(text="Let me see. "), CALL)
    whole = Answer(message=Message(role="assistant", parts=parts), finish="tool_calls", usage=Usage(input=3), model="m")
    backend = Scripted([CALL, parts, Message(role="assistant", parts=parts), whole, RateLimited("slow", retry_after=3)])
    first = await complete(backend.stream(ask()))
    assert (first.finish, first.tool_calls[0].arguments) == ("tool_calls", CALL.arguments)
    for _ in range(2):
        said = await complete(backend.stream(ask()))
        assert [part.kind for part in said.message.parts] == ["reasoning", "text", "tool_call"]
    last = await complete(backend.stream(ask()))
    assert (last.usage.input, last.model, last.finish) == (3, "m", "tool_calls")
    with pytest.raises(RateLimited) as caught:
        await complete(backend.stream(ask()))
    assert caught.value.retry_after == 3


async def test_it_streams_word_by_word_the_same_way_every_time() -> None:
    backend = Scripted("One  two\nthree ")
    streams = [[e.text async for e in backend.stream(ask()) if isinstance(e, PartDelta)] for _ in range(2)]
    assert streams == [["One", "  two", "\nthree", " "]] * 2


async def test_max_tokens_counts_words_and_cuts_calls_short() -> None:
    backend = Scripted(["one two three", CALL])
    cut = await complete(backend.stream(ask(max_tokens=2)))
    assert (cut.text, cut.finish) == ("one two", "length")
    called = await complete(backend.stream(ask(max_tokens=1)))
    assert (called.finish, [call.complete for call in called.tool_calls]) == ("length", [False])


async def test_a_stop_string_ends_the_words() -> None:
    cut = await complete(Scripted("one two. three.").stream(ask(stop=(".", "zzz"))))
    assert (cut.text, cut.finish) == ("one two", "stop")


async def test_unknown_usage_is_none() -> None:
    assert (await complete(Scripted("x").stream(ask()))).usage == Usage()


async def test_many_tasks_share_a_script_without_losing_or_doubling_a_line() -> None:
    backend = Scripted([str(number) for number in range(50)])
    said: list[str] = []

    async def one() -> None:
        said.append((await complete(backend.stream(ask()))).text)

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(one)
    assert sorted(said, key=int) == [str(number) for number in range(50)]
    assert (len(backend.requests), backend.active) == (50, 0)


def test_many_threads_share_a_script() -> None:
    backend = Scripted([str(number) for number in range(40)])
    said: list[str] = []

    async def ten() -> None:
        said.extend([(await complete(backend.stream(ask()))).text for _ in range(10)])

    threads = [threading.Thread(target=anyio.run, args=(ten,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said, key=int) == [str(number) for number in range(40)]


async def test_it_remembers_what_it_was_asked() -> None:
    backend = Scripted("x", name="fake")
    await complete(backend.stream(ask("remember me")))
    assert backend.requests[0].messages[-1].text == "remember me"
    assert (backend.name, repr(backend)) == ("fake", "Scripted('fake', 1 requests so far)")
    with pytest.raises(BackendError):
        await complete(Scripted([]).stream(ask()))
