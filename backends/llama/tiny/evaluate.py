"""What the model can do, measured in llama.cpp through the package's own engine.

    python -m graphrt.backends.llama.tiny.evaluate [FILE.gguf ...] [--cases 60] [--show]

The cases are conversation after conversation of the split "eval", whose words training never has, until each skill has
as many as asked for. Everything but the last message is the prompt; the answer has to be that message: the same calls
with the same arguments, the same JSON, the same words. Greedy; and once more held to a grammar where there is one: a
call is forced, an answer in JSON has a schema.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from graphrt.backends.events import Answer, complete
from graphrt.backends.llama.backend import LlamaCpp
from graphrt.backends.llama.native.shipped import tiny_model
from graphrt.backends.llama.tiny.conversation import Conversation, Message
from graphrt.backends.llama.tiny.generate import conversation
from graphrt.backends.messages import (
    Message as Said,
)
from graphrt.backends.messages import (
    OutputSchema,
    Request,
    Settings,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
    system,
    user,
)

CLOSED = ("call", "answer", "parallel", "extract", "route", "check", "plan", "chat")
"""The skills of the first model."""
OPEN = (
    "open call", "open enum", "open optional", "open answer", "open parallel", "no tool", "turns", "correction",
    "open extract", "labels", "yes or no", "open plan",
)  # fmt: skip
"""The skills on tools and forms that nobody has seen."""


def cases(each: int, skills: Sequence[str] = CLOSED + OPEN) -> list[Conversation]:
    """The fixed set: the first so many unseen conversations of every skill, by skill."""
    found: dict[str, list[Conversation]] = {skill: [] for skill in skills}
    index = 0
    while any(len(some) < each for some in found.values()):
        one = conversation(0, index, "eval")
        index += 1
        if one.skill in found and len(found[one.skill]) < each:
            found[one.skill].append(one)
    return [one for some in found.values() for one in some]


def _said(messages: Sequence[Message]) -> Iterator[Said]:
    """Messages as the package has them. Calls and results meet by their order."""
    waiting: list[ToolCall] = []
    for message in messages:
        if message.role == "user":
            yield user(message.text)
        elif message.role == "assistant":
            waiting = [
                ToolCall(call_id=f"call{i}", name=call.name, arguments=json.dumps(call.arguments, ensure_ascii=False))
                for i, call in enumerate(message.calls)
            ]
            yield Said(role="assistant", parts=(*((Text(text=message.text),) if message.text else ()), *waiting))
        else:
            call = waiting.pop(0)
            yield Said(role="tool", parts=(ToolResult(call_id=call.call_id, name=call.name, content=message.text),))


def request(one: Conversation, *, held: bool = False) -> Request:
    """The question of a case; `held` to a grammar."""
    last = one.messages[-1]
    output = None
    if held and last.text.startswith("{"):
        fields = {name: _schema(value) for name, value in json.loads(last.text).items()}
        schema = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
        output = OutputSchema.model_validate({"name": "answer", "schema": schema})
    return Request(
        messages=(*((system(one.system),) if one.system else ()), *_said(one.messages[:-1])),
        tools=tuple(
            ToolSpec(name=tool.name, description=tool.description, parameters=tool.schema) for tool in one.tools
        ),
        tool_choice="required" if held and last.calls else "auto",
        output=output,
        settings=Settings(max_tokens=300),
    )


def _schema(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {"type": "array", "items": {"type": "string"}}
    kind = {bool: "boolean", int: "integer", type(None): "null"}.get(type(value), "string")
    return {"type": kind}


def right(one: Conversation, answer: Answer) -> bool:
    """Whether the answer is the case's last message."""
    wanted = one.messages[-1]
    if wanted.calls or answer.tool_calls:
        try:
            made = [(call.name, json.loads(call.arguments or "{}")) for call in answer.tool_calls if call.complete]
        except ValueError:
            return False
        return made == [(call.name, call.arguments) for call in wanted.calls]
    if wanted.text.startswith("{"):
        try:
            return bool(json.loads(answer.text) == json.loads(wanted.text))
        except ValueError:
            return False
    return answer.text.strip() == wanted.text


async def score(path: Path, each: int, *, held: bool, show: bool) -> dict[str, tuple[int, int]]:
    """Right answers and cases, per skill."""
    backend = LlamaCpp(path)
    found: dict[str, list[int]] = {}
    for one in cases(each):
        last = one.messages[-1]
        if held and not last.calls and not last.text.startswith("{"):
            continue
        try:
            answer = await complete(backend.stream(request(one, held=held)))
        except Exception as error:  # a prompt that this model cannot hold is a case lost
            good, said = False, str(error)
        else:
            good = right(one, answer)
            said = answer.text or " ".join(f"{call.name}{call.arguments}" for call in answer.tool_calls)
        tally = found.setdefault(one.skill, [0, 0])
        tally[0] += good
        tally[1] += 1
        if show and not good:
            print(f"--- {one.skill}\n{one.system}")
            for tool in one.tools:
                print(tool.shown)
            for message in one.messages:
                print(f"{message.role}: {message.text}{' '.join(call.text for call in message.calls)}")
            print(f"SAID: {said}")
    await backend.aclose()
    return {skill: (good, count) for skill, (good, count) in found.items()}


async def main() -> None:
    """Print a table: a line per skill, a pair of columns (free, held) per file."""
    parser = argparse.ArgumentParser(description="Score tiny models.")
    parser.add_argument("files", type=Path, nargs="*", default=[tiny_model()])
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--show", action="store_true", help="print what went wrong")
    given = parser.parse_args()
    columns = [
        await score(path, given.cases, held=held, show=given.show and not held)
        for path in given.files
        for held in (False, True)
    ]
    for skill in CLOSED + OPEN:
        print(f"{skill:14} {'  '.join(_cell(*column.get(skill, (0, 0))) for column in columns)}")


def _cell(good: int, count: int) -> str:
    return f"{100 * good / count:5.1f} %" if count else "      -"


if __name__ == "__main__":
    asyncio.run(main())
