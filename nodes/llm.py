"""`@llm`: a node whose work is one question to a model, with a typed answer.

    @llm("Split {{ topic }} into three questions.", model="fast")
    def plan(topic: str) -> list[str]:
        return generated()

The signature is the node's; the template is the prompt; the body never runs. A `str` return is the answer's text, any
other type is asked for by its JSON Schema, and the answer is validated: what does not fit is shown to the model with
the JSON pointers that failed, `repairs` times, and is then an `InvalidOutput` (M7). Which model answered, what it cost
and how often it was repaired is recorded beside the step's output, and what an attempt spent that failed beside its
failure. Interrupted, the request is closed at its source; a resumed step asks again,
and a local model goes on from the last words that were kept.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Never, ParamSpec, Protocol, TypeVar, cast, overload

from graphrt.backends.base import Backend
from graphrt.backends.embedding import Embedder, Reranker
from graphrt.backends.errors import (
    BackendError,
    BindingError,
    ContentFiltered,
    InvalidOutput,
    ServerError,
    StreamTruncated,
)
from graphrt.backends.events import (
    Answer,
    Choice,
    Drafted,
    Fold,
    PartDelta,
    PartEnded,
    PartStarted,
    Restarted,
    Started,
    Usage,
)
from graphrt.backends.messages import (
    Message,
    OutputSchema,
    Refusal,
    Request,
    Settings,
    ToolChoice,
    ToolSpec,
    conversation,
)
from graphrt.backends.policies.fingerprint import key_of
from graphrt.backends.recorded import asked, failed, said, shortened
from graphrt.backends.uri import open_backend
from graphrt.context import Context, Draft, context
from graphrt.errors import UsageError
from graphrt.node import FunctionNode, caller_names, place_of, read_signature
from graphrt.nodes.structured import Form, Misfit, Raw, asking, typed
from graphrt.nodes.template import compile_template
from graphrt.policy import Effect, Retry, Timeout, policy

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
    usage is recorded beside the output, or beside the failure, and so is that of a question that came to nothing, as
    far as it is known. Where the model tells what it would need, an interrupted answer goes on from there at the next
    attempt (M10). Raises BackendError: never retried here, the node's own policy does that.
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
    heard = _Heard()
    try:
        answer = await _listen(here, role, backend, request, heard)
    except BaseException as error:
        _record(here, role, backend, request, heard=heard, outcome=broken(error))
        raise
    _record(here, role, backend, request, heard=heard, outcome=_answered(answer))
    return answer


async def ask_json(
    role: str,
    prompt: str | Sequence[Message],
    schema: Mapping[str, Any],
    *,
    name: str = "answer",
    system: str | None = None,
    settings: Settings | None = None,
    repairs: int = 1,
) -> Any:
    """Ask the model bound to `role` from inside a node for a value that satisfies a JSON Schema, and return it.

    For schemas that come from outside; where the form is known beforehand, an `@llm` node with a type is simpler. The
    answer is checked, formats too, and what does not fit is shown to the model `repairs` times. `name` is what the
    model sees the schema called. Needs `graphrt[schema]`. Raises UsageError for what is no schema, InvalidOutput for an
    answer that does not fit in the end, and any other BackendError as `ask` does.
    """
    messages = conversation(prompt, instructions=system)
    return await _formed(role, messages, Raw(schema), name, settings=settings or Settings(), repairs=repairs)


class _Heard(Fold):
    """What was heard of a stream."""

    def __init__(self) -> None:
        super().__init__()
        self.model: str | None = None
        """The model that says it answers."""


async def _listen(here: Context, role: str, backend: Backend, request: Request, heard: _Heard) -> Answer:
    """Hear a stream to its end, in whichever way that comes, and close it."""
    shown: set[str] = set()
    draft = await _draft(here, role, request) if here.attempt > 1 else None
    events = backend.stream(request if draft is None else request.model_copy(update={"draft": draft.before}))
    try:
        async for event in events:
            heard.add(event)
            match event:
                case Started(model=model):
                    heard.model = model
                case Restarted():
                    heard.model = None
                    shown.clear()
                case PartStarted(id=id_, kind="text"):
                    shown.add(id_)
                case PartDelta(id=id_, text=text):
                    here.progress(text if id_ in shown else "")
                case PartEnded():
                    here.progress()
                case Drafted(text=text):
                    draft = draft or await _draft(here, role, request)
                    if draft is not None:
                        await draft.keep(text)
                case _:  # being accepted is not speaking
                    pass
    finally:
        await events.aclose()
    answer = heard.answer()
    if draft is not None:
        draft.end()
    return answer


async def _draft(here: Context, role: str, request: Request) -> Draft | None:
    """The draft of a question, known by who asks what of whom."""
    return None if here.draft is None else await here.draft(f"{here.step}: {key_of(request, role)}")


async def bound(here: Context, role: str) -> Backend | Embedder | Reranker:
    """Return what is bound to a role, opened once for the whole runtime. Raises BindingError where nothing is."""
    found = here.models.get(role)
    if found is None:
        raise unbound(role, here.models)

    async def make() -> Backend:
        return open_backend(str(found), secrets=here.secrets)

    if isinstance(found, (Backend, Embedder, Reranker)):
        return found
    return await here.resources.get(("model", str(found)), make)


def misfit(role: str, model: Backend | Embedder | Reranker, does: str) -> BindingError:
    """Make the error for a role that is bound to something else than what is asked of it."""
    return BindingError(role, "role", f"{model.name} is bound to it, which {does} nothing; bind a model that does")


async def _bound(here: Context, role: str) -> Backend:
    found = await bound(here, role)
    if not isinstance(found, Backend):
        raise misfit(role, found, "answers")
    return found


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


def _record(
    here: Context, role: str, backend: Backend, request: Request, *, heard: _Heard, outcome: Mapping[str, Any]
) -> None:
    """Note what was asked, what came of it, and what it cost: a replay compares the first and hands back the second."""
    calls = here.notes.setdefault("model", [])
    known = {backend.name, backend.name.partition(":")[2]}
    calls.append(
        {
            "role": role,
            **({"substep": here.step} if here.perform is None else {}),
            "backend": backend.name,
            **({"answered_by": heard.model} if heard.model and heard.model not in known else {}),
            **outcome,
            **({"choices": [_choice(each) for each in heard.choices]} if heard.choices else {}),
            "asked": shortened(asked(request), calls),
        }
    )


def _answered(answer: Answer) -> dict[str, Any]:
    return {
        "finish": answer.finish,
        "usage": counts(answer.usage),
        **({"warnings": list(answer.warnings)} if answer.warnings else {}),
        "said": said(answer),
    }


def broken(error: BaseException) -> dict[str, Any]:
    """Return how a question that came to nothing is recorded: what it cost, and why."""
    return {"usage": counts(error.usage if isinstance(error, BackendError) else None), **failed(error)}


def counts(usage: Usage | None) -> dict[str, int]:
    """Return the counts that are known, as they are recorded."""
    known = usage.model_dump(exclude={"raw"}) if usage is not None else {}
    return {name: count for name, count in known.items() if count is not None}


def _choice(choice: Choice) -> dict[str, Any]:
    return choice.model_dump(mode="json", exclude_none=True, exclude={"wasted": {"raw"}})


async def _typed(
    role: str, messages: tuple[Message, ...], wanted: Any, name: str, *, settings: Settings, repairs: int
) -> Any:
    """Ask until the answer validates, at most `1 + repairs` times."""
    if wanted is str:
        return _whole(await ask(role, messages, settings=settings)).text
    return await _formed(role, messages, typed(wanted), name, settings=settings, repairs=repairs)


async def _formed(
    role: str, messages: tuple[Message, ...], form: Form, name: str, *, settings: Settings, repairs: int
) -> Any:
    backend = await _bound(context(), role)
    schema = OutputSchema(name=name, schema_=form.schema)
    way = asking(backend.capabilities, schema, settings, backend=backend.name)
    messages = way.messages(messages)
    done = 0
    while True:
        try:
            answer = _whole(
                await ask(
                    role,
                    messages,
                    settings=settings,
                    tools=way.tools,
                    tool_choice=way.tool_choice,
                    output=way.output,
                )
            )
        finally:
            way.record(context().notes["model"][-1])
        try:
            return form.read(way.text(answer))
        except Misfit as misfit:
            found = misfit
        if done == repairs:
            raise InvalidOutput(
                f"the answer to {name!r} does not fit its type after {repairs} repair(s): {found}",
                pointers=tuple(where for where, _ in found.problems),
                partial=answer.message,
            )
        done += 1
        context().notes["repairs"] = done
        messages = (*messages, *way.again(answer, found.problems))


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
