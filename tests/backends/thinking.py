"""A provider that reads what it is asked, in every dialect, and answers as the model that ships would.

`Mind.answer` hears a request as its API documents it, and refuses what that API refuses: calls and results that do not
pair, roles out of turn, its own sealed thoughts lost or another provider's brought along (M2). `thought` is the one
small brain behind all dialects: it knows nothing but what was heard, so that a tool, a result or a schema that did not
arrive is an answer that is not given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote

from tests.backends.provider import SPEECHES, Asked, Reply, frame, sse, typed
from tests.backends.test_conversations import VALID

FOREIGN = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
"""What Google documents as the signature of a call that it did not make."""


@dataclass(frozen=True)
class Call:
    """A call as a provider writes it. Where it gives no ids, `id` is empty."""

    id: str
    name: str
    arguments: Any


@dataclass
class Heard:
    """What a request says, whatever the dialect. `results` are what was answered to the last calls, by their place."""

    instructions: str = ""
    words: str = ""
    """What the user said last."""
    calls: list[Call] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    tools: Mapping[str, Any] = field(default_factory=dict)
    """The schema of each tool that is offered."""
    forced: str | None = None
    schema: Any = None


Said = str | Call


@dataclass(frozen=True)
class Own:
    """What is one provider's own: the ids that it gives, and what it seals and wants back."""

    mark: str

    @property
    def seal(self) -> str:
        """Nobody else's words."""
        return f"sealed by {self.mark}, which nobody else can read"

    def made(self, id_: str) -> bool:
        """Whether it gave an id."""
        return id_.startswith(f"call_{self.mark}")


def thought(heard: Heard, id_: str) -> Said:
    """What there is to say. Raises AssertionError for a question that cannot be answered from what was heard."""
    if heard.results:
        (call,), (result,) = heard.calls, heard.results
        assert call.name == "lookup_order"
        return f"Order {call.arguments['order_id']} is {json.loads(result)['status']}."
    if heard.instructions:
        return _formed(heard, id_)
    order = re.fullmatch(r"Where is my order (\d+)\?", heard.words)
    assert order, f"nobody knows what {heard.words!r} means"
    _properties(heard.tools["lookup_order"], "order_id")
    return Call(id_, "lookup_order", {"order_id": int(order[1])})


def _formed(heard: Heard, id_: str) -> Said:
    """An answer of a certain form: by its schema, or by the arguments of the one tool there is."""
    schema = heard.tools[heard.forced] if heard.forced else heard.schema
    if heard.instructions.startswith("Route the request"):
        assert set(_properties(schema, "route")["route"]["enum"]) == {"billing", "technical", "sales", "other"}
        value: Any = {"route": "billing" if "charged" in heard.words else "other"}
    else:
        assert heard.instructions.startswith("Extract name, age and city")
        _properties(schema, "name", "age", "city")
        found = re.fullmatch(r"(\w+) is (\d+) years old and lives in (\w+)\.", heard.words)
        assert found, heard.words
        value = {"name": found[1], "age": int(found[2]), "city": found[3]}
    return Call(id_, heard.forced, value) if heard.forced else json.dumps(value)


def _properties(schema: Any, *names: str) -> Mapping[str, Any]:
    assert schema is not None, "no schema arrived"
    assert schema["type"] == "object"
    assert set(schema["required"]) == set(schema["properties"]) == set(names)
    found: Mapping[str, Any] = schema["properties"]
    return found


# The dialects: how each hears, and how it speaks.


def _chat(body: Any, own: Own) -> Heard:
    heard = Heard(
        tools={tool["function"]["name"]: tool["function"]["parameters"] for tool in body.get("tools", ())},
        schema=body.get("response_format", {}).get("json_schema", {}).get("schema"),
    )
    choice = body.get("tool_choice")
    heard.forced = choice["function"]["name"] if isinstance(choice, dict) else None
    for message in body["messages"]:
        match message["role"]:
            case "system" | "developer":
                heard.instructions = message["content"]
            case "user":
                heard.words = message["content"]
            case "assistant":
                heard.calls = [
                    Call(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
                    for call in message["tool_calls"]
                ]
                # one server wants the field, where there was no thought of its own too
                assert message.get("reasoning_content") in {None, "", own.seal}, "another's thought"
            case _:
                assert [call.id for call in heard.calls] == [message["tool_call_id"]]
                heard.results.append(message["content"])
    return heard


def _say_chat(said: Said, seal: str, *, thinks: bool = False) -> Iterator[bytes]:
    def chunk(delta: Any, finish: str | None = None) -> bytes:
        return sse({"id": "c", "model": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    yield chunk({"role": "assistant", "content": ""})
    if thinks:
        yield chunk({"reasoning_content": seal})
    if isinstance(said, str):
        for piece in _pieces(said):
            yield chunk({"content": piece})
    else:
        named = {"index": 0, "id": said.id, "type": "function", "function": {"name": said.name, "arguments": ""}}
        yield chunk({"tool_calls": [named]})
        for piece in _pieces(json.dumps(said.arguments)):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    yield chunk({}, "stop" if isinstance(said, str) else "tool_calls")
    yield b"data: [DONE]\n\n"


def _deepseek(body: Any, own: Own) -> Heard:
    heard = _chat(body, own)
    called = [message for message in body["messages"] if message["role"] == "assistant"]
    ours = [message for message in called if own.made(message["tool_calls"][0]["id"])]
    assert all(message["reasoning_content"] == own.seal for message in ours), "its own thoughts are lost"
    return heard


def _responses(body: Any, own: Own) -> Heard:
    heard = Heard(
        body.get("instructions", ""),
        tools={tool["name"]: tool["parameters"] for tool in body.get("tools", ())},
        schema=body.get("text", {}).get("format", {}).get("schema"),
    )
    for before, item in zip([{}, *body["input"]], body["input"], strict=False):
        match item.get("type", "message"):
            case "message":
                heard.words = item["content"]
            case "reasoning":
                assert item["encrypted_content"] == own.seal, "another's thought"
            case "function_call":
                heard.calls = [Call(item["call_id"], item["name"], json.loads(item["arguments"]))]
                assert not own.made(item["call_id"]) or before.get("type") == "reasoning", "its own thought is lost"
            case _:
                assert [call.id for call in heard.calls] == [item["call_id"]]
                heard.results.append(item["output"])
    return heard


def _say_responses(said: Said, seal: str) -> Iterator[bytes]:
    status = {"id": "r", "model": "x", "output": []}
    yield typed("response.created", response=status | {"status": "in_progress"})
    secret = {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": seal}
    yield typed("response.output_item.added", output_index=0, item=secret)
    yield typed("response.output_item.done", output_index=0, item=secret)
    if isinstance(said, str):
        for piece in _pieces(said):
            yield typed("response.output_text.delta", output_index=1, content_index=0, delta=piece)
    else:
        item = {"type": "function_call", "id": "fc", "call_id": said.id, "name": said.name, "arguments": ""}
        yield typed("response.output_item.added", output_index=1, item=item)
        text = json.dumps(said.arguments)
        for piece in _pieces(text):
            yield typed("response.function_call_arguments.delta", output_index=1, item_id="fc", delta=piece)
        yield typed("response.output_item.done", output_index=1, item=item | {"arguments": text})
    yield typed("response.completed", response=status | {"status": "completed"})


def _messages(body: Any, own: Own) -> Heard:
    heard = Heard(
        "".join(block["text"] for block in body.get("system", ())),
        tools={tool["name"]: tool["input_schema"] for tool in body.get("tools", ())},
        schema=body.get("output_config", {}).get("format", {}).get("schema"),
    )
    heard.forced = body.get("tool_choice", {}).get("name")
    for turn in body["messages"]:
        kinds = [block["type"] for block in turn["content"]]
        for block in turn["content"]:
            match block["type"]:
                case "text":
                    heard.words = block["text"]
                case "thinking":
                    assert block["signature"] == own.seal, "another's thought"
                case "tool_use":
                    heard.calls = [Call(block["id"], block["name"], block["input"])]
                    assert not own.made(block["id"]) or "thinking" in kinds, "its thought is lost"
                case "tool_result":
                    assert [call.id for call in heard.calls] == [block["tool_use_id"]]
                    heard.results.append(_texts(block["content"]))
    return heard


def _say_messages(said: Said, seal: str) -> Iterator[bytes]:
    yield typed("message_start", message={"id": "m", "model": "x", "content": []})
    yield typed("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""})
    yield typed("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "Hm."})
    yield typed("content_block_delta", index=0, delta={"type": "signature_delta", "signature": seal})
    yield typed("content_block_stop", index=0)
    if isinstance(said, str):
        yield typed("content_block_start", index=1, content_block={"type": "text", "text": ""})
        for piece in _pieces(said):
            yield typed("content_block_delta", index=1, delta={"type": "text_delta", "text": piece})
    else:
        block = {"type": "tool_use", "id": said.id, "name": said.name, "input": {}}
        yield typed("content_block_start", index=1, content_block=block)
        for piece in _pieces(json.dumps(said.arguments)):
            yield typed("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": piece})
    yield typed("content_block_stop", index=1)
    yield typed("message_delta", delta={"stop_reason": "end_turn" if isinstance(said, str) else "tool_use"})
    yield typed("message_stop")


def _generate_content(body: Any, own: Own) -> Heard:
    config = body.get("generationConfig", {})
    heard = Heard(_texts(body.get("systemInstruction", {}).get("parts", ())), schema=config.get("responseJsonSchema"))
    for tool in body.get("tools", ()):
        heard.tools = {each["name"]: each["parametersJsonSchema"] for each in tool["functionDeclarations"]}
    for turn in body["contents"]:
        for part in turn["parts"]:
            assert part.get("thoughtSignature") in {None, FOREIGN, own.seal}, "another's thought"
            if "functionCall" in part:
                made = part["functionCall"]
                heard.calls = [Call(made.get("id", ""), made["name"], made["args"])]
                assert made.get("id") is None or part["thoughtSignature"] == own.seal, "its own thought is lost"
            elif "functionResponse" in part:
                given = part["functionResponse"]
                assert [(call.id, call.name) for call in heard.calls] == [(given.get("id", ""), given["name"])]
                heard.results.append(given["response"]["output"])
            else:
                heard.words = part["text"]
    return heard


def _say_generate_content(said: Said, seal: str) -> Iterator[bytes]:
    def candidate(*parts: Any, **more: Any) -> bytes:
        return sse({"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0, **more}]})

    if isinstance(said, str):
        for piece in _pieces(said):
            yield candidate({"text": piece})
    else:
        made = {"id": said.id, "name": said.name, "args": said.arguments}
        yield candidate({"functionCall": made, "thoughtSignature": seal})
    yield candidate({"text": ""}, finishReason="STOP")


def _say_chat_v2(said: Said, seal: str) -> Iterator[bytes]:
    yield typed("message-start", id="m", delta={"message": {"role": "assistant", "content": []}})
    if isinstance(said, str):
        yield typed("content-start", index=0, delta={"message": {"content": {"type": "text", "text": ""}}})
        for piece in _pieces(said):
            yield typed("content-delta", index=0, delta={"message": {"content": {"text": piece}}})
        yield typed("content-end", index=0)
    else:
        yield typed("tool-plan-delta", delta={"message": {"tool_plan": seal}})
        named = {"id": said.id, "type": "function", "function": {"name": said.name, "arguments": ""}}
        yield typed("tool-call-start", index=0, delta={"message": {"tool_calls": named}})
        for piece in _pieces(json.dumps(said.arguments)):
            yield typed(
                "tool-call-delta", index=0, delta={"message": {"tool_calls": {"function": {"arguments": piece}}}}
            )
        yield typed("tool-call-end", index=0)
    yield typed("message-end", delta={"finish_reason": "COMPLETE" if isinstance(said, str) else "TOOL_CALL"})


def _chat_v2(body: Any, own: Own) -> Heard:
    heard = _chat(body, own)
    heard.schema = body.get("response_format", {}).get("json_schema")
    for message in body["messages"]:
        plan = message.get("tool_plan")
        mine = own.made(message.get("tool_calls", [{"id": ""}])[0]["id"])
        assert plan == (own.seal if mine else None), "its plan is lost, or another's came along"
    return heard


def _converse(body: Any, own: Own) -> Heard:
    form = body.get("outputConfig", {}).get("textFormat")
    tools = [tool["toolSpec"] for tool in body.get("toolConfig", {}).get("tools", ())]
    heard = Heard(
        _texts(body.get("system", ())),
        tools={tool["name"]: tool["inputSchema"]["json"] for tool in tools},
        schema=json.loads(form["structure"]["jsonSchema"]["schema"]) if form else None,
    )
    heard.forced = body.get("toolConfig", {}).get("toolChoice", {}).get("tool", {}).get("name")
    for turn in body["messages"]:
        thoughts = [block["reasoningContent"] for block in turn["content"] if "reasoningContent" in block]
        assert all(each["reasoningText"]["signature"] == own.seal for each in thoughts), "another's thought"
        for block in turn["content"]:
            if "toolUse" in block:
                use = block["toolUse"]
                heard.calls = [Call(use["toolUseId"], use["name"], use["input"])]
                assert not own.made(use["toolUseId"]) or thoughts, "its own thought is lost"
            elif "toolResult" in block:
                assert [call.id for call in heard.calls] == [block["toolResult"]["toolUseId"]]
                heard.results.append(_texts(block["toolResult"]["content"]))
            elif "text" in block:
                heard.words = block["text"]
    return heard


def _say_converse(said: Said, seal: str) -> Iterator[bytes]:
    def event(kind: str, **facts: Any) -> bytes:
        return frame(facts, message_type="event", event_type=kind)

    yield event("messageStart", role="assistant")
    yield event("contentBlockDelta", contentBlockIndex=0, delta={"reasoningContent": {"text": "Hm."}})
    yield event("contentBlockDelta", contentBlockIndex=0, delta={"reasoningContent": {"signature": seal}})
    yield event("contentBlockStop", contentBlockIndex=0)
    if isinstance(said, str):
        for piece in _pieces(said):
            yield event("contentBlockDelta", contentBlockIndex=1, delta={"text": piece})
    else:
        use = {"toolUseId": said.id, "name": said.name}
        yield event("contentBlockStart", contentBlockIndex=1, start={"toolUse": use})
        for piece in _pieces(json.dumps(said.arguments)):
            yield event("contentBlockDelta", contentBlockIndex=1, delta={"toolUse": {"input": piece}})
    yield event("contentBlockStop", contentBlockIndex=1)
    yield event("messageStop", stopReason="end_turn" if isinstance(said, str) else "tool_use")
    yield event("metadata", usage={"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}, metrics={"latencyMs": 1})


def _ollama(body: Any, own: Own) -> Heard:
    heard = Heard(
        tools={tool["function"]["name"]: tool["function"]["parameters"] for tool in body.get("tools", ())},
        schema=body.get("format"),
    )
    for message in body["messages"]:
        assert message.get("thinking") in {None, own.seal}, "another's thought"
        match message["role"]:
            case "system":
                heard.instructions = message["content"]
            case "user":
                heard.words = message["content"]
            case "assistant":
                made = message["tool_calls"]
                heard.calls = [
                    Call(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in made
                ]
            case _:
                assert [(call.id, call.name) for call in heard.calls] == [
                    (message["tool_call_id"], message["tool_name"])
                ]
                heard.results.append(message["content"])
    return heard


def _say_ollama(said: Said, seal: str) -> Iterator[bytes]:
    def line(message: Any, **more: Any) -> bytes:
        whole = {"model": "x", "message": {"role": "assistant", "content": "", **message}, "done": False, **more}
        return json.dumps(whole).encode() + b"\n"

    yield line({"thinking": seal})
    if isinstance(said, str):
        for piece in _pieces(said):
            yield line({"content": piece})
    else:  # it gives no ids
        yield line({"tool_calls": [{"function": {"name": said.name, "arguments": said.arguments}}]})
    yield line({}, done=True, done_reason="stop")


def _pieces(text: str) -> list[str]:
    return [text[at : at + 5] for at in range(0, len(text), 5)]


def _texts(blocks: Any) -> str:
    return blocks if isinstance(blocks, str) else "".join(block["text"] for block in blocks)


@dataclass(frozen=True)
class Mind:
    """One dialect of one provider: the scheme and the model that are asked for there, and the way in which that model
    is asked for a form (M7). `rules`: whose refusals it has."""

    api: str
    rules: str
    scheme: str
    model: str
    way: str
    hear: Callable[[Any, Own], Heard]
    say: Callable[[Said, str], Iterator[bytes]]
    more: str = ""
    """More of its URI's query."""

    def uri(self, base_url: str) -> str:
        """What names it, at an address; its key is called `ANY`."""
        return f"{self.scheme}:{self.model}?base_url={quote(base_url)}&key_env=ANY{self.more}"

    @property
    def own(self) -> Own:
        """What is its own."""
        return Own(re.sub(r"[^a-z0-9]", "", self.scheme + self.model)[:20])

    def answer(self, asked: Asked) -> Reply:
        """Answer a request, or refuse it and say what is wrong with it."""
        speech = SPEECHES[self.api]
        try:
            VALID[self.rules](_unsealed(asked.body))
            heard = self.hear(asked.body, self.own)
            if heard.schema is not None or heard.forced:
                assert (heard.forced is not None) == (self.way == "tool")
            # nine letters, where there may be no more
            said = thought(heard, f"call_{self.own.mark}_{asked.number}" if self.rules != "mistral" else "callmistr")
        except (AssertionError, KeyError, ValueError, TypeError) as error:
            return speech.refused(400, f"{type(error).__name__}: {error} in {json.dumps(asked.body)}"[:2000])
        return speech.reply([*self.say(said, self.own.seal)])


def _unsealed(body: Any) -> Any:
    """A request without what its own provider sealed: what is left keeps to the rules of any conversation."""
    if isinstance(body, dict):
        return {name: _unsealed(value) for name, value in body.items()}
    if isinstance(body, list):
        return [_unsealed(each) for each in body if not _sealed(each)]
    return body


def _sealed(item: Any) -> bool:
    return isinstance(item, dict) and (item.get("type") in {"thinking", "reasoning"} or "reasoningContent" in item)


_GOOGLE_PLACE = "&project=p"

MINDS: Mapping[str, Mind] = {
    "openai": Mind("chat_completions", "openai", "openai", "gpt-4.1", "schema", _chat, _say_chat),
    "mistral": Mind("chat_completions", "mistral", "mistral", "mistral-large", "schema", _chat, _say_chat),
    "deepseek": Mind(
        *("chat_completions", "deepseek", "deepseek", "deepseek-chat", "tool"),
        _deepseek,
        partial(_say_chat, thinks=True),
    ),
    "responses": Mind(
        "responses", "openai_responses", "openai_responses", "gpt-5", "schema", _responses, _say_responses
    ),
    "anthropic": Mind("messages", "anthropic", "anthropic", "claude-sonnet-4-5", "schema", _messages, _say_messages),
    "an older anthropic": Mind(
        "messages", "anthropic", "anthropic", "claude-3-7-sonnet-latest", "tool", _messages, _say_messages
    ),
    "anthropic at vertex": Mind(
        *("messages", "anthropic", "vertex_anthropic", "claude-sonnet-4-5", "schema"),
        _messages,
        _say_messages,
        _GOOGLE_PLACE,
    ),
    "gemini": Mind(
        *("generate_content", "google", "gemini", "gemini-3-flash", "schema"), _generate_content, _say_generate_content
    ),
    "an older gemini at vertex": Mind(
        *("generate_content", "google", "vertex_gemini", "gemini-2.5-flash", "schema"),
        _generate_content,
        _say_generate_content,
        _GOOGLE_PLACE,
    ),
    "cohere": Mind("chat_v2", "cohere", "cohere", "command-a-03-2025", "schema", _chat_v2, _say_chat_v2),
    "bedrock": Mind(
        "converse", "bedrock", "bedrock", "us.anthropic.claude-sonnet-4-5-v1:0", "schema", _converse, _say_converse
    ),
    "ollama": Mind("ollama_chat", "ollama", "ollama_native", "qwen3", "schema", _ollama, _say_ollama),
}
"""One for each dialect, and more where models or providers of one are asked in another way."""
