"""What 54 families of models write, read as llama.cpp's own tests say it is meant: all at once, and by characters.

Where the two differ the difference is in `DIFFERENCES`, with its reason. A case that goes on from a message begun by
the caller is compared with what is new in it.
"""

import json
from typing import Any

import pytest

from graphrt.backends.messages import Message, Reasoning, ToolCall, user
from tests.backends.llama.model_templates import cases, needed, offered, template
from tests.backends.llama.reading import parse

INCOMPLETE = "a call that is cut off is marked so, and is never executed"
THOUGHT = "there the caller asked for thoughts inside the text; here a thought is always a part of its own"
DIFFERENCES: dict[int, str] = {
    2116: INCOMPLETE + "; half an argument of Python's is no JSON to hand out",
    2156: THOUGHT,
    2606: THOUGHT,
    2704: THOUGHT,
    2883: THOUGHT,
    6442: THOUGHT,
    2847: INCOMPLETE + "; its name is held back until the arguments begin",
    6159: INCOMPLETE,
    5793: "an element inside a value that may be an object is read as that object; there it is the string's text",
    6107: "the prompt opened a thought and the answer never closes it, in marks that are not this template's",
    6211: "the words that open the thought belong to the prompt, and are not repeated as the model's",
    6219: "as 6211",
    6302: "a fence around JSON is what the model wrote; whoever asked for JSON has a grammar or strips it",
    6556: "a call of a tool that nobody offered is said as text",
}
"""Case, by its line in test-chat.cpp, to the reason for reading it otherwise."""

Read = tuple[str, str, list[tuple[str, Any, bool]]]


def value(text: str) -> Any:
    """The value of JSON text, or the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def read(case: dict[str, Any], *pieces: str) -> Read:
    """Text, thoughts and calls of a case's output."""
    name, options, tools = template_of(case), case["opts"], offered(case)
    dialect, thinking = template("LFM2-8B-A1B").dialect, False
    if name:
        made = template(name)
        dialect = made.dialect
        on = made.thinking(on=options.get("enable_thinking") != "false")
        thinking = made.render([user("hi")], tools, on).rstrip().endswith(dialect.thoughts.open)
    if "continue_final_message" in options:
        thinking = "prefill_content" not in options["messages"]
    parts = parse(*pieces, dialect=dialect, tools=tools, thinking=thinking, cut="is_partial" in options)
    thoughts = "".join(part.text for part in parts if isinstance(part, Reasoning))
    calls = [(p.name, value(p.arguments), p.complete) for p in parts if isinstance(p, ToolCall)]
    return Message(role="assistant", parts=parts).text.strip(), thoughts.strip(), calls


def template_of(case: dict[str, Any]) -> str:
    """The name of a case's template."""
    return str(case["template"] or "").rpartition("/")[2].removesuffix(".jinja")


def meant(case: dict[str, Any]) -> Read:
    """What llama.cpp reads."""
    expect = case["expect"]
    calls = [(call["name"], value(call["arguments"]), True) for call in expect.get("tool_calls", [])]
    return expect.get("content", "").strip(), expect.get("reasoning", "").strip(), calls


def agrees(case: dict[str, Any], found: Read) -> bool:
    """Whether what was read is what was meant, or, where the message was begun by the caller, the rest of it."""
    text, thoughts, calls = meant(case)
    if "continue_final_message" in case["opts"]:
        return text.endswith(found[0]) and thoughts.endswith(found[1]) and bool(found[0]) and found[2] == calls
    return found == (text, thoughts, calls)


@needed
@pytest.mark.parametrize("name", cases())
def test_what_a_family_writes_is_read_as_it_is_meant(name: str) -> None:
    for case in cases()[name]:
        whole = read(case, case["output"])
        assert read(case, *case["output"]) == whole, case["line"]
        assert agrees(case, whole) == (case["line"] not in DIFFERENCES), (case["line"], whole, meant(case))


@needed
def test_every_case_is_looked_at() -> None:
    lines = [case["line"] for group in cases().values() for case in group]
    assert len(lines) == 217
    assert set(lines) >= DIFFERENCES.keys()
