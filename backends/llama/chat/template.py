"""The chat template that came with the model, run in a sandbox: from messages to the prompt.

Text that happens to spell one of the model's control tokens stays text (`split`). What the template does not do for
tools is done here: a model whose template shows none reads of them in the system message.
"""

from __future__ import annotations

import datetime
import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import jinja2
import jinja2.ext
import jinja2.meta
import jinja2.nodes
import jinja2.parser
import jinja2.sandbox

from graphrt.backends.errors import BadRequest
from graphrt.backends.llama.chat.disguise import Disguise
from graphrt.backends.llama.chat.entries import to_chat, to_tools
from graphrt.backends.llama.chat.probe import Found, look
from graphrt.backends.llama.chat.syntax import Dialect
from graphrt.backends.messages import Message, ToolSpec


class ChatTemplate:
    """A model's own chat template, in the dialect of Jinja that model makers write."""

    def __init__(self, source: str, *, bos: str, eos: str, control: Sequence[str] = ()) -> None:
        self.source = source
        self._disguise = Disguise(control)
        self._tokens = {"bos_token": bos, "eos_token": eos}
        environment = jinja2.sandbox.SandboxedEnvironment(  # lists may grow: templates collect things in them
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,  # the result is a prompt, not a page
            extensions=[jinja2.ext.loopcontrols, _Generation],
        )
        environment.filters["tojson"] = _tojson
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = _now
        try:
            self.wants = frozenset(jinja2.meta.find_undeclared_variables(environment.parse(source)))
            self._template = environment.from_string(source)
        except jinja2.TemplateError as error:
            raise BadRequest(f"the model's chat template cannot be read: {error}", provider="llama_cpp") from error

    @functools.cached_property
    def found(self) -> Found:
        """What trying the template says about it."""
        return look(self.fill, self.source, eos=self._tokens["eos_token"])

    @property
    def dialect(self) -> Dialect:
        """How the model writes."""
        return self.found.dialect

    @property
    def takes_tools(self) -> bool:
        """Whether the template itself shows tools. Otherwise they are told of in the system message."""
        return self.found.manner.tools

    def thinking(self, *, on: bool) -> dict[str, Any]:
        """The template's own setting for thinking; empty if it has none."""
        return {name: on for name in ("enable_thinking", "thinking") if name in self.wants}

    def render(self, messages: Sequence[Message], tools: Sequence[ToolSpec], extra: Mapping[str, Any]) -> str:
        """Write the prompt, up to where the assistant's answer begins."""
        chat, offered = self._disguise.hide(to_chat(messages)), self._disguise.hide(to_tools(tools))
        return self.fill(*self.found.manner.adapt(chat, offered, self.dialect.tools), extra)

    def fill(
        self, chat: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]], extra: Mapping[str, Any]
    ) -> str:
        """Run the template over messages and tools in its own shape. Raises BadRequest where it refuses them."""
        try:
            return self._fill(chat, tools or None, extra)
        except BadRequest:
            if tools:
                raise
            return self._fill(chat, [], extra)  # some templates go through the tools without asking for them

    def _fill(
        self, chat: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] | None, extra: Mapping[str, Any]
    ) -> str:
        try:
            functions = {"functions": json.dumps([tool["function"] for tool in tools or ()], ensure_ascii=False)}
            given = {**functions, "datetime": _now("%Y-%m-%d")}
            return self._template.render(
                {
                    **self._tokens,
                    **{name: value for name, value in given.items() if name in self.wants},
                    **_copy(extra),
                    "messages": _copy(chat),
                    "tools": _copy(tools),
                    "add_generation_prompt": True,
                }
            )
        except (
            jinja2.TemplateError,
            ArithmeticError,
            AttributeError,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            raise BadRequest(
                f"the model's chat template refuses the messages: {error}", provider="llama_cpp"
            ) from error

    def split(self, prompt: str) -> list[tuple[str, bool]]:
        """The prompt in pieces: the template's text, which may hold control tokens, and others' text that must not."""
        return self._disguise.split(prompt)


@functools.lru_cache(maxsize=8)
def read_template(source: str, bos: str, eos: str, control: tuple[str, ...]) -> ChatTemplate:
    """The template of a model, read and tried once, however often the model is loaded. It keeps nothing of a chat."""
    return ChatTemplate(source, bos=bos, eos=eos, control=control)


class _Generation(jinja2.ext.Extension):
    """`{% generation %}` marks the assistant's words for training; a prompt has them as they are."""

    tags = {"generation"}  # noqa: RUF012 - declared so by its base

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node | list[jinja2.nodes.Node]:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.Scope(body, lineno=line)


def _copy(value: Any) -> Any:
    """`value` in dictionaries and lists of its own: a template may change what it is given."""
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, (list, tuple)) else value


def _tojson(value: Any, indent: int | None = None, *, ensure_ascii: bool = False, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, default=list, **options)


def _refuse(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _now(pattern: str) -> str:
    return datetime.datetime.now(tz=datetime.UTC).strftime(pattern)
