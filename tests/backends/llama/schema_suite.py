"""The schemas of JSON-Schema-Test-Suite as targets of generation, drawn from so hot that every allowed token is as
likely as any other: no weights could say anything worse."""

import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import anyio
import jsonschema_rs

from graphrt.backends.errors import BadRequest
from graphrt.backends.events import Failed, Finished, Warned, fold
from graphrt.backends.llama import LlamaCpp
from graphrt.backends.messages import Settings
from tests.backends.llama.conftest import ask, check_protocol, events, json_of

EVEN = 1e6
"""A temperature at which all that is allowed is equally likely."""


@dataclass(frozen=True)
class Case:
    """One schema, and what says whether a value satisfies it; None where nothing here can say so."""

    name: str
    schema: Mapping[str, Any]
    valid: Callable[[Any], bool] | None


def cases(suite: Path) -> list[Case]:
    """Every schema of draft 2020-12. Those that are only true or false stand in an `allOf`."""
    remotes = suite / "remotes"

    def retrieve(uri: str) -> Any:
        path = remotes / uri.removeprefix("http://localhost:1234/")
        return json.loads(path.read_text("utf-8")) if path.is_file() else _missing(uri)

    found = []
    for path in sorted((suite / "draft2020-12").rglob("*.json")):
        for number, group in enumerate(json.loads(path.read_text("utf-8"))):
            schema = group["schema"]
            whole = schema if isinstance(schema, dict) else {"allOf": [schema]}
            found.append(Case(f"{path.stem}/{number}", whole, _judge(whole, retrieve)))
    return found


def _missing(uri: str) -> NoReturn:
    raise ValueError(uri)


def _judge(schema: Mapping[str, Any], retrieve: Callable[[str], Any]) -> Callable[[Any], bool] | None:
    try:
        return jsonschema_rs.validator_for(dict(schema), validate_formats=True, retriever=retrieve).is_valid
    except (ValueError, jsonschema_rs.ReferencingError):
        return None


def _number(text: str) -> float:
    """JSON knows no largest number; Python does."""
    return found if math.isfinite(found := float(text)) else math.copysign(sys.float_info.max, found)


async def drawn(backend: LlamaCpp, case: Case, *, seed: int, tokens: int) -> str:
    """Draw one answer and check it: `whole` is valid, `weakened` says what is not held; the others are no answers."""
    settings = Settings(temperature=EVEN, seed=seed, max_tokens=tokens)
    stream = await events(backend, ask("Hello", settings=settings, output=json_of("it", case.schema)))
    check_protocol(stream)
    warned = [event for event in stream if isinstance(event, Warned)]
    assert all(event.setting == "output" and " at /" in event.message for event in warned), (case, warned)
    last = stream[-1]
    if isinstance(last, Failed):
        assert isinstance(last.error, BadRequest), (case, last.error)
        return "refused"
    assert isinstance(last, Finished)
    if last.reason == "length":
        return "cut, weakened" if warned else "cut"
    text = fold(stream).text
    value = json.loads(text, parse_float=_number)
    if warned:
        return "weakened"
    assert case.valid is not None, case
    assert case.valid(value), (case, text)
    return "whole"


async def table(backend: LlamaCpp, asked: Iterable[Case], *, seeds: Iterable[int], tokens: int) -> Counter[str]:
    """Draw from every schema with every seed, as many at once as the backend computes; how often each ended how."""
    counts = Counter[str]()
    line = [(case, seed) for seed in seeds for case in asked]

    async def some() -> None:
        while line:
            case, seed = line.pop()
            counts[await drawn(backend, case, seed=seed, tokens=tokens)] += 1

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(some)
    return counts
