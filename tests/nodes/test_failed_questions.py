"""A question that failed, on record: the step that lived with it lives with it again in a replay (D10)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from pydantic_core import from_json, to_json

from graphrt import Runtime, errors, node
from graphrt.backends.errors import BackendError, InvalidOutput, RateLimited, ServerError, StreamTruncated
from graphrt.backends.events import Usage, complete
from graphrt.backends.messages import Message, Request, Text, ToolCall, assistant, conversation
from graphrt.backends.recorded import RecordedModels, asked, failed
from graphrt.backends.scripted import Scripted
from graphrt.config import Config
from graphrt.node import Node
from graphrt.nodes import ask, generated, llm
from graphrt.replay import Replayed

pytestmark = pytest.mark.anyio
QUESTION = Request(messages=conversation("go"))
CUT = Message(
    role="assistant", parts=(Text(text="so f"), ToolCall(call_id="1", name="f", arguments='{"', complete=False))
)


@node(effect="none")
async def careful(topic: str) -> str:
    """Says what went wrong with the first model, and what the second one said."""
    try:
        return (await ask("smart", topic)).text
    except BackendError as error:
        partial = "" if error.partial is None else error.partial.text
        words = f"{error} / {error.retryable} / {error.retry_after} / {error.status} / {partial}"
        return f"{words}: {(await ask('fast', topic)).text}"


def again(error: dict[str, Any], **more: Any) -> RecordedModels:
    """Models of a record, read from the store, in which one question ended so."""
    call = {"role": "fast", "usage": {}, "asked": asked(QUESTION), **error, **more}
    return RecordedModels([from_json(to_json(call))], "the step's output", lambda *both: None)


async def replayed(
    what: Node[..., Any], then: dict[str, Any], *args: Any, now: Node[..., Any] | None = None
) -> Replayed:
    """Run it with models that answer so, whatever comes of it, and replay it with none."""
    async with Runtime(models=then, config=Config()) as rt:
        run = await rt.start(what, *args)
        with suppress(errors.RunFailed):
            await run.result()
        rt.models.clear()
        return await rt.replay(run.id, now or what)


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("slow down", provider="openai", status=429, retry_after=7.5),
        ServerError("oops", provider="house:x", status=500, code="engine", retryable=False),
        StreamTruncated("cut", partial=CUT, usage=Usage(input=9, output=2)),
        InvalidOutput("no schema"),
    ],
)
async def test_a_question_that_failed_fails_again_with_all_that_a_node_can_see(error: BackendError) -> None:
    """D10: its class, its words, whether and when to try again, what had been said."""
    written = failed(error)
    counts = {} if error.usage is None else {"input": 9, "output": 2}
    with pytest.raises(BackendError) as found:
        await complete(again(written, usage=counts)["fast"].stream(QUESTION))
    for name in ("provider_message", "provider", "status", "code", "retryable", "retry_after", "category", "usage"):
        assert getattr(found.value, name) == getattr(error, name), name
    assert (type(found.value), str(found.value)) == (type(error), str(error))
    if error.partial is None:
        assert found.value.partial is None
    else:
        assert found.value.partial == error.partial


@pytest.mark.parametrize("name", ["Cancelled", "ValueError", "TYPE_CHECKING", "Any", "BindingError", "Gone"])
async def test_an_error_of_no_known_class_is_a_backend_error_with_its_words(name: str) -> None:
    """What a file says chooses no code: only the known errors are made."""
    with pytest.raises(BackendError, match="words") as found:
        await complete(again({"error": {"type": name, "message": "words"}})["fast"].stream(QUESTION))
    assert type(found.value) is BackendError


def test_words_without_end_are_cut() -> None:
    """A provider's page of HTML is no record."""
    assert len(failed(ServerError("x" * 10_000))["error"]["message"]) == 4000
    assert len(failed(ValueError("x" * 10_000))["error"]["message"]) == 4000


async def test_a_step_that_lived_with_a_failure_agrees_with_its_record() -> None:
    """D10: both questions are on record, so neither is one more than it asked."""
    error = RateLimited("slow down", status=429, retry_after=3.0, partial=assistant("so"))
    found = await replayed(careful, {"smart": Scripted([error]), "fast": Scripted(["ok"])}, "tides")
    assert (found.changes, found.agree, found.ran) == ((), 1, 1)


async def test_what_is_asked_otherwise_after_a_failure_is_named() -> None:
    """D10: a question that failed is compared like one that was answered."""

    @node(effect="none", name="careful")
    async def changed(topic: str) -> str:
        try:
            return (await ask("smart", topic + "?")).text
        except BackendError as error:
            return str(error)

    then = {"smart": Scripted([ServerError("oops")]), "fast": Scripted(["ok"])}
    found = await replayed(careful, then, "tides", now=changed)
    assert [(change.kind, change.difference and change.difference.pointer) for change in found.changes] == [
        ("request", "/messages/0/1")
    ]


async def test_a_step_that_failed_by_its_model_fails_so_again() -> None:
    """D10: where its code is run at all, which a step without an effect's is."""

    @llm("Hi.", model="smart", effect="none")
    def hello() -> str:
        return generated()

    found = await replayed(hello, {"smart": Scripted([ServerError("oops", status=500)])})
    assert (found.changes, found.agree, found.ran) == ((), 1, 1)
