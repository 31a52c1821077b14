"""The events of an answer as JSON, and back.

    {"event": "part_delta", "id": "part-1", "text": "Hel"}

What a provider's headers said and the raw body of an error are not written: they hold what nobody checked for secrets
(M9). Everything else comes back as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter

from graphrt.backends import errors
from graphrt.backends.errors import BackendError, InvalidOutput
from graphrt.backends.events import (
    Chose,
    Drafted,
    Failed,
    Finished,
    PartDelta,
    PartEnded,
    PartStarted,
    Restarted,
    Started,
    StreamEvent,
    Usage,
    Warned,
)
from graphrt.backends.messages import Message, Part

_PART: TypeAdapter[Part] = TypeAdapter(Part)
_KINDS: Mapping[str, type[BackendError]] = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, BackendError)
}
_FACTS = ("provider", "status", "code", "retry_after")


def write_event(event: StreamEvent) -> dict[str, Any]:
    """Write an event as JSON."""
    match event:
        case Started(model=model, response_id=response_id):
            return _tagged("started", model=model, response_id=response_id)
        case Warned(setting=setting, message=message):
            return _tagged("warned", setting=setting, message=message)
        case PartStarted(id=id_, kind=kind, name=name, call_id=call_id):
            return _tagged("part_started", id=id_, kind=kind, name=name, call_id=call_id)
        case PartDelta(id=id_, text=text):
            return _tagged("part_delta", id=id_, text=text)
        case PartEnded(id=id_, part=part):
            return _tagged("part_ended", id=id_, part=write_part(part))
        case Drafted(text=text):
            return _tagged("drafted", text=text)
        case Restarted(reason=reason):
            return _tagged("restarted", reason=reason)
        case Chose(policy=policy, backend=backend, reason=reason, error=error, wasted=wasted):
            words = _write_error(error) if error is not None else None
            return _tagged("chose", policy=policy, backend=backend, reason=reason, error=words, wasted=_usage(wasted))
        case Finished(reason=reason, raw_reason=raw, usage=usage):
            return _tagged("finished", reason=reason, raw_reason=raw, usage=_usage(usage))
        case Failed(error=error):
            return _tagged("failed", error=_write_error(error))


def write_part(part: Part) -> dict[str, Any]:
    """Write a part without what is not set, but with its kind: other kinds have the same fields."""
    return {"kind": part.kind, **part.model_dump(mode="json", exclude_defaults=True)}


def read_event(written: Mapping[str, Any]) -> StreamEvent:
    """Read an event that `write_event` wrote. Raises ValueError or KeyError for anything else."""
    fields = {name: value for name, value in written.items() if name != "event"}
    match written["event"]:
        case "started":
            return Started(**fields)
        case "warned":
            return Warned(**fields)
        case "part_started":
            return PartStarted(**fields)
        case "part_delta":
            return PartDelta(**fields)
        case "part_ended":
            return PartEnded(fields["id"], _PART.validate_python(fields["part"]))
        case "drafted":
            return Drafted(**fields)
        case "restarted":
            return Restarted(**fields)
        case "chose":
            error = _read_error(fields["error"]) if "error" in fields else None
            wasted = Usage(**fields["wasted"]) if "wasted" in fields else None
            return Chose(fields["policy"], fields["backend"], fields["reason"], error, wasted)
        case "finished":
            return Finished(fields["reason"], fields.get("raw_reason"), Usage(**fields["usage"]))
        case "failed":
            return Failed(_read_error(fields["error"]))
        case other:
            raise ValueError(f"{other!r} is no event")


def read_events(written: Iterable[Mapping[str, Any]]) -> tuple[StreamEvent, ...]:
    """Read a whole stream. Raises ValueError if it is none."""
    try:
        return tuple(read_event(event) for event in written)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not the events of an answer: {error!r}") from error


def _write_error(error: BackendError) -> dict[str, Any]:
    kind = next(name for name in (each.__name__ for each in type(error).__mro__) if name in _KINDS)
    written: dict[str, Any] = {"kind": kind, "message": error.provider_message, "retryable": error.retryable}
    written |= {name: value for name in _FACTS if (value := getattr(error, name)) is not None}
    if error.partial is not None:
        parts = [write_part(part) for part in error.partial.parts]
        written["partial"] = {"role": error.partial.role, "parts": parts}
    if error.usage is not None:
        written["usage"] = _usage(error.usage)
    if error.attempts:
        written["attempts"] = list(error.attempts)
    if isinstance(error, InvalidOutput) and error.pointers:
        written["pointers"] = list(error.pointers)
    return written


def _read_error(written: Mapping[str, Any]) -> BackendError:
    facts = {name: value for name, value in written.items() if name not in {"kind", "message"}}
    if "partial" in facts:
        facts["partial"] = Message.model_validate(facts["partial"])
    if "usage" in facts:
        facts["usage"] = Usage(**facts["usage"])
    for name in facts.keys() & {"attempts", "pointers"}:
        facts[name] = tuple(facts[name])
    return _KINDS[written["kind"]](written["message"], **facts)


def _usage(usage: Usage | None) -> dict[str, Any] | None:
    return None if usage is None else usage.model_dump(mode="json", exclude_none=True)


def _tagged(event: str, /, **fields: Any) -> dict[str, Any]:
    return {"event": event, **{field: value for field, value in fields.items() if value is not None}}
