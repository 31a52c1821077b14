"""`@llm`: a node whose work is one question to a model, with a typed answer.

    @llm("Split {{ topic }} into three questions.", model="fast")
    def plan(topic: str) -> list[str]:
        return generated()

The signature is the node's; the template is the prompt; the body never runs. A `str` return is the answer's text, any
other type is asked for by its JSON Schema, and the answer is validated: what does not fit is shown to the model with
the JSON pointers that failed, `repairs` times, and is then an `InvalidOutput` (M7). Which model answered, what it cost
and how often it was repaired is recorded beside the step's output. Interrupted, the request is closed at its source and
nothing is recorded; a resumed step asks again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import cache
from typing import Any, Never, ParamSpec, Protocol, TypeVar, cast, overload

from pydantic import BaseModel, TypeAdapter, ValidationError, create_model

from graphrt.backends.base import Backend
from graphrt.backends.errors import BindingError, ContentFiltered, InvalidOutput, ServerError, StreamTruncated
from graphrt.backends.events import Answer, Choice, Fold, PartDelta, PartEnded, PartStarted
from graphrt.backends.messages import (
    Message,
    OutputSchema,
    Refusal,
    Request,
    Settings,
    ToolChoice,
    ToolSpec,
    conversation,
    user,
)
from graphrt.backends.recorded import asked, said, shortened
from graphrt.backends.uri import open_backend
from graphrt.context import Context, context
from graphrt.errors import UsageError
from graphrt.node import FunctionNode, caller_names, place_of, read_signature
from graphrt.nodes.template import compile_template
from graphrt.policy import Effect, Retry, Timeout, policy
from graphrt.ports import adapter, pointer

P = ParamSpec("P")
R = TypeVar("R")


def generated() -> Never:
    """Stand for the model's answer in the body of an `@llm` function: type checkers take it for any type.

    It never runs.
    """
    raise UsageError("generated() is the body of an @llm function and does not run; start the node with a runtime")


class LlmDecorator(Protocol):
    """What `llm(...)` returns."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> FunctionNode[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> FunctionNode[P, R]: ...


def llm(
    template: str,
    *,
    model: str = "default",
    system: str | None = None,
    settings: Settings | None = None,
    repairs: int = 1,
    name: str | None = None,
    retry: int | Retry | None = None,
    timeout: float | Timeout | None = None,
    deadline: float | None = None,
    effect: Effect = "read",
    limit: str | None = None,
) -> LlmDecorator:
    """Make a node that asks a model.

    `template` and `system` are Jinja templates over the parameters, rendered in a sandbox; a name that is no parameter
    is a GraphError at definition. `model` is a role that the runtime binds to a backend. `repairs`: how many times an
    answer that does not validate is shown to the model for another try. The rest is a node's policy, as for `@node`.
    """
    if repairs < 0:
        raise UsageError(f"repairs={repairs}: cannot be negative")
    chosen = policy(retry, timeout, deadline, effect, limit)
    scope = caller_names(2)

    def wrap(function: Callable[..., Any]) -> FunctionNode[..., Any]:
        label = name or function.__name__
        signature = read_signature(function, label, scope)
        place = place_of(function)
        prompt = compile_template(template, label, place, signature.params)
        instructions = compile_template(system, label, place, signature.params) if system is not None else None
        wanted = signature.returns.annotation

        async def answer(**values: Any) -> Any:
            messages = conversation(
                prompt(values), instructions=instructions(values) if instructions is not None else None
            )
            result = await _typed(model, messages, wanted, label, settings=settings or Settings(), repairs=repairs)
            last = context().notes["model"][-1]
            if wanted is str and last["said"] == result:
                del last["said"]  # the step's output says it already
            return result

        return FunctionNode(
            answer,
            label,
            signature,
            place=place,
            policy=chosen,
            doc=inspect.getdoc(function) or "",
            kind="llm",
            label=model,
        )

    decorator: Any = wrap  # one function for both of the decorator's shapes
    return cast("LlmDecorator", decorator)


async def ask(
    role: str,
    prompt: str | Sequence[Message],
    *,
    system: str | None = None,
    settings: Settings | None = None,
    tools: Sequence[ToolSpec] = (),
    tool_choice: ToolChoice | str = "auto",
    output: OutputSchema | None = None,
) -> Answer:
    """Ask the model bound to `role` one question from inside a node, and return its whole answer.

    The text it streams shows live; every piece of content, reasoning and tool calls too, counts as a sign of life. Its
    usage is recorded beside the output. Raises BackendError: never retried here, the node's own policy does that.
    """
    request = Request(
        messages=conversation(prompt, instructions=system),
        settings=settings or Settings(),
        tools=tuple(tools),
        tool_choice=tool_choice,
        output=output,
    )
    here = context()
    backend = await _bound(here, role)
    state = Fold()
    shown: set[str] = set()
    events = backend.stream(request)
    try:
        async for event in events:
            state.add(event)
            match event:
                case PartStarted(id=id_, kind="text"):
                    shown.add(id_)
                case PartDelta(id=id_, text=text):
                    here.progress(text if id_ in shown else "")
                case PartEnded():
                    here.progress()
                case _:  # being accepted is not speaking
                    pass
    finally:
        await events.aclose()
    answer = state.answer()
    _record(here, role, backend, request, answer)
    return answer


async def _bound(here: Context, role: str) -> Backend:
    """Return the backend of a role, opened once for the whole runtime."""
    found = here.models.get(role)
    if found is None:
        raise unbound(role, here.models)
    if isinstance(found, Backend):
        return found

    async def make() -> Backend:
        return open_backend(str(found))

    return await here.resources.get(("model", str(found)), make)


def unbound(role: str, models: Mapping[str, Any]) -> BindingError:
    """Make the error for a role that no model is bound to: it says how to bind one."""
    roles = ", ".join(sorted(models)) or "none"
    # The environment binds roles in small letters only: its own names have no others.
    variable = f"set GRAPHRT_MODEL_{role.upper()}, " if role.isidentifier() and role == role.lower() else ""
    return BindingError(
        role,
        "role",
        f"no model is bound to it (bound: {roles}); give Runtime(models={{{role!r}: 'scheme:model'}}), "
        f"--model {role}=scheme:model, {variable}or add it to [models] in graphrt.toml",
    )


def _record(here: Context, role: str, backend: Backend, request: Request, answer: Answer) -> None:
    """Note what was asked, what was said, and what it cost: a replay compares the first and hands back the second."""
    usage = {name: count for name, count in answer.usage.model_dump(exclude={"raw"}).items() if count is not None}
    calls = here.notes.setdefault("model", [])
    calls.append(
        {
            "role": role,
            "backend": backend.name,
            **({"answered_by": answer.model} if answer.model and answer.model not in backend.name else {}),
            "finish": answer.finish,
            "usage": usage,
            **({"warnings": list(answer.warnings)} if answer.warnings else {}),
            **({"choices": [_choice(each) for each in answer.choices]} if answer.choices else {}),
            "asked": shortened(asked(request), calls),
            "said": said(answer),
        }
    )


def _choice(choice: Choice) -> dict[str, Any]:
    return choice.model_dump(mode="json", exclude_none=True, exclude={"wasted": {"raw"}})


async def _typed(
    role: str, messages: tuple[Message, ...], wanted: Any, name: str, *, settings: Settings, repairs: int
) -> Any:
    """Ask until the answer validates, at most `1 + repairs` times."""
    if wanted is str:
        return _whole(await ask(role, messages, settings=settings)).text
    form = _form(wanted)
    schema = OutputSchema(name=name, schema_=form.schema)
    done = 0
    while True:
        answer = _whole(await ask(role, messages, settings=settings, output=schema))
        try:
            return form.read(answer.text)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
        problems = [(pointer(problem["loc"]), problem["msg"]) for problem in found]
        if done == repairs:
            words = "; ".join(f"at {where or '/'}: {what}" for where, what in problems)
            raise InvalidOutput(
                f"the answer to {name!r} does not fit its type after {repairs} repair(s): {words}",
                pointers=tuple(where for where, _ in problems),
                partial=answer.message,
            )
        done += 1
        context().notes["repairs"] = done
        lines = "\n".join(f"- at {where or '/'}: {what}" for where, what in problems)
        again = user(f"That answer does not fit the JSON Schema:\n{lines}\nAnswer again with the corrected JSON only.")
        messages = (*messages, answer.message, again)


def _whole(answer: Answer) -> Answer:
    """Refuse an answer that is not one: cut off, filtered, declined or broken."""
    if any(isinstance(part, Refusal) for part in answer.message.parts):
        said = " ".join(part.text for part in answer.message.parts if isinstance(part, Refusal))
        raise ContentFiltered(f"the model declined: {said[:500]}", partial=answer.message, usage=answer.usage)
    match answer.finish:
        case "length":
            words = "the answer was cut off by the token limit; raise max_tokens"
            raise StreamTruncated(words, partial=answer.message, usage=answer.usage, retryable=False)
        case "content_filter" | "refusal":
            words = f"the model declined ({answer.raw_finish or answer.finish})"
            raise ContentFiltered(words, partial=answer.message, usage=answer.usage)
        case "pause":
            words = "the provider paused its own tools and wants the answer sent back: keep it and ask again"
            raise StreamTruncated(words, partial=answer.message, usage=answer.usage)
        case "error":
            words = f"the model broke off ({answer.raw_finish or answer.finish})"
            raise ServerError(words, partial=answer.message, usage=answer.usage)
        case _:
            return answer


class _Form:
    """How a type is asked for: its schema, in an object of its own where it is not one already.

    Models want an object at the root, so a list travels as `{"result": [...]}`. Pointers speak of the answer as given.
    """

    def __init__(self, wanted: Any) -> None:
        self.wanted: TypeAdapter[Any] = adapter(wanted)
        found = _rooted(self.wanted.json_schema(mode="validation"))
        self.box: type[BaseModel] | None = None
        if found.get("type") != "object":
            found = _boxed(found)
            self.box = create_model("Box", result=(wanted, ...))
        self.schema: Mapping[str, Any] = _closed(found)

    def read(self, text: str) -> Any:
        """Read an answer. Raises ValidationError."""
        body = text.strip()
        if body.startswith("```"):
            body = body.removeprefix("```json").removeprefix("```").removesuffix("```")
        if self.box is None:
            return self.wanted.validate_json(body)
        return getattr(self.box.model_validate_json(body), "result")  # noqa: B009 - the model is made at run time


def _rooted(found: dict[str, Any]) -> dict[str, Any]:
    """Put the object that a recursive type's schema only points to at the root, where providers want it."""
    name = str(found.get("$ref", "")).removeprefix("#/$defs/")
    target = found.get("$defs", {}).get(name)
    return {**target, "$defs": found["$defs"]} if target is not None else found


def _boxed(found: dict[str, Any]) -> dict[str, Any]:
    inner = dict(found)
    definitions = inner.pop("$defs", None)
    box: dict[str, Any] = {
        "type": "object",
        "properties": {"result": inner},
        "required": ["result"],
        "additionalProperties": False,
    }
    return box | {"$defs": definitions} if definitions else box


_BY_NAME = ("properties", "$defs")
_INSIDE = ("items", "prefixItems", "anyOf", "oneOf", "allOf", "additionalProperties")


def _closed(schema: Any) -> Any:
    """Close every object whose fields are known: a model that may add members of its own may never come to an end."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = dict(schema)
    for word in _BY_NAME:
        if word in schema:
            closed[word] = {name: _closed(inner) for name, inner in schema[word].items()}
    for word in _INSIDE:
        if word in schema:
            closed[word] = _closed(schema[word])
    if "properties" in schema:
        closed.setdefault("additionalProperties", False)
    return closed


@cache
def _form(wanted: Any) -> _Form:
    return _Form(wanted)
