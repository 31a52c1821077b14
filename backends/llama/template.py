"""The chat template that came with the model, run in a sandbox: from messages to the prompt.

Text that happens to spell one of the model's control tokens stays text (`split`).
"""

from __future__ import annotations

import datetime
import functools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.sandbox

from graphrt.backends.errors import BadRequest
from graphrt.backends.llama.chat import to_chat
from graphrt.backends.llama.constrain import CALL
from graphrt.backends.messages import Message, Text, ToolCall, ToolSpec, tool_result

_OPEN, _CLOSE = "\ue000", "\ue001"
_WRITTEN = re.compile(CALL + r'\s*\{\s*"name":\s*"probe"')
_HIDDEN = re.compile(f"{_OPEN}(\\d+){_CLOSE}")


class ChatTemplate:
    """A model's own chat template, in the dialect of Jinja that model makers write."""

    def __init__(self, source: str, *, bos: str, eos: str, control: Sequence[str] = ()) -> None:
        self.source = source
        self._control = tuple(control)
        self._spelt = re.compile("|".join(map(re.escape, control))) if control else None
        self._tokens = {"bos_token": bos, "eos_token": eos}
        environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,  # the result is a prompt, not a page
            extensions=[jinja2.ext.loopcontrols, _Generation],
        )
        environment.filters["tojson"] = _tojson
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = _now
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateError as error:
            raise BadRequest(f"the model's chat template cannot be read: {error}", provider="llama_cpp") from error

    @functools.cached_property
    def takes_tools(self) -> bool:
        """Whether the template shows tools and writes calls the way the parser reads them: found out by trying."""
        tool = ToolSpec(name="probe", parameters={"type": "object", "properties": {"x": {"type": "integer"}}})
        call = ToolCall(call_id="call00001", name="probe", arguments='{"x": 1}')
        question = Message(role="user", parts=(Text(text="?"),))
        try:
            offered = self.render([question], [tool], {})
            called = self.render(
                [question, Message(role="assistant", parts=(call,)), tool_result(call, "1")], [tool], {}
            )
        except BadRequest:
            return False
        return "probe" in offered and _WRITTEN.search(called) is not None

    def render(self, messages: Sequence[Message], tools: Sequence[ToolSpec], extra: Mapping[str, Any]) -> str:
        """Write the prompt, up to where the assistant's answer begins."""
        offered = [
            {
                "type": "function",
                "function": {"name": t.name, "description": t.description, "parameters": dict(t.parameters)},
            }
            for t in tools
        ]
        try:
            return self._template.render(
                {
                    **self._tokens,
                    **extra,
                    "messages": self._hide(to_chat(messages)),
                    "tools": self._hide(offered) if offered else None,
                    "add_generation_prompt": True,
                }
            )
        except (jinja2.TemplateError, TypeError, ValueError) as error:
            raise BadRequest(
                f"the model's chat template refuses the messages: {error}", provider="llama_cpp"
            ) from error

    def _hide(self, value: Any) -> Any:
        """Replace what is spelt like a control token by a stand-in that survives the template."""
        if self._spelt is None:
            return value
        if isinstance(value, str):
            return self._spelt.sub(lambda found: f"{_OPEN}{self._control.index(found[0])}{_CLOSE}", value)
        if isinstance(value, Mapping):
            return {self._hide(key): self._hide(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._hide(item) for item in value]
        return value

    def split(self, prompt: str) -> list[tuple[str, bool]]:
        """The prompt in pieces: the template's text, which may hold control tokens, and others' text that must not."""
        pieces = _HIDDEN.split(prompt)
        return [
            (self._control[int(piece)], False) if i % 2 and int(piece) < len(self._control) else (piece, not i % 2)
            for i, piece in enumerate(pieces)
            if piece
        ]


class _Generation(jinja2.ext.Extension):
    """`{% generation %}` marks the assistant's words for training; a prompt has them as they are."""

    tags = {"generation"}  # noqa: RUF012 - declared so by its base

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node | list[jinja2.nodes.Node]:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.Scope(body, lineno=line)


def _tojson(value: Any, indent: int | None = None, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, **options)


def _refuse(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _now(pattern: str) -> str:
    return datetime.datetime.now(tz=datetime.UTC).strftime(pattern)
