"""Which request it was: the key under which its answer is kept."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from graphrt.backends.codec import write_part
from graphrt.backends.errors import BadRequest
from graphrt.backends.messages import Message, Request


def key_of(request: Request, name: str) -> str:
    """The hash of a request to the backend `name`: equal for equal requests, in every process. Settings that are not
    given do not count, so that a new one changes no old key. Raises BadRequest for a request that is no JSON."""
    try:
        messages = [_said(message) for message in request.messages]
        dumped = request.model_dump(mode="json", exclude_defaults=True, exclude={"messages", "draft"})
    except ValueError as error:
        raise BadRequest(f"the request is no JSON: {error}", provider=name) from error
    canonical = json.dumps([name, messages, dumped], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _said(message: Message) -> list[Any]:
    marked = ["cache"] if message.cache else []
    return [message.role, *marked, *map(write_part, message.parts)]
