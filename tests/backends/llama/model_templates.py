"""The chat templates that model makers published, and llama.cpp's own cases of what their models write."""

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from graphrt.backends.llama.chat.template import ChatTemplate
from graphrt.backends.messages import ToolSpec

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "data" / "chat-templates"
NAMES = sorted(path.stem for path in (FOLDER / "templates").glob("*.jinja"))
needed = pytest.mark.skipif(not NAMES, reason=f"the chat templates are not beside this checkout ({FOLDER})")
"""For a test that reads them."""


@functools.cache
def template(name: str) -> ChatTemplate:
    """One model's template."""
    return ChatTemplate((FOLDER / "templates" / f"{name}.jinja").read_text("utf-8"), bos="<s>", eos="</s>")


@functools.cache
def cases() -> dict[str, list[dict[str, Any]]]:
    """The cases by the template they belong to; "" has those of none."""
    found: dict[str, list[dict[str, Any]]] = {}
    path = FOLDER / "parse_cases.jsonl"
    for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
        case = json.loads(line)
        found.setdefault(Path(case["template"] or "").stem, []).append(case)
    return found


def offered(case: dict[str, Any]) -> list[ToolSpec]:
    """The tools of a case. Where their schemas were lost on the way, the names are left."""
    tools = case.get("tools", [])
    whole = [tool for tool in tools if isinstance(tool.get("parameters"), str)]
    if not whole:
        return [ToolSpec(name=tool["name"], parameters={}) for tool in tools]
    return [ToolSpec(**{**tool, "parameters": json.loads(tool["parameters"])}) for tool in whole]
