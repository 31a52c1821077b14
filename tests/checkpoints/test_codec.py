"""Facts as rows: nothing is lost, nothing is executed (D13)."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args

import pytest

from graphrt.checkpoints.codec import COLUMNS, Columns, decode, encode, laid_out
from graphrt.facts import (
    Emitted,
    Failure,
    RunFact,
    RunFailed,
    RunForked,
    RunResumed,
    RunStarted,
    RunSuspended,
    Span,
    StepFact,
    StepFailed,
    StepFinished,
    StepStarted,
)
from graphrt.types import StepKey


def test_every_kind_of_fact_has_a_shape() -> None:
    """A fact that is added to the vocabulary is storable at once (D13)."""
    for cls in (*get_args(RunFact), *get_args(StepFact)):
        fact = cls(*(SAMPLE[hint] for hint in hints(cls)))

        assert decode(encode(fact), b"{}") == fact


def test_the_facts_of_every_step_are_laid_out_like_any_other() -> None:
    """What is spelled out for speed says the same as the layout (D13)."""
    key = StepKey("a/b[2]#3")
    for fact in (
        StepStarted(key, 1),
        StepStarted(key, 2, "key"),
        StepFinished(key, 1, b'{"n":1}'),
        StepFinished(key, 1, '"é"'.encode(), "str", "a/", b'{"model":"m"}'),
    ):
        assert encode(fact) == laid_out(fact)


def test_a_fact_whose_fields_have_their_defaults_has_no_detail() -> None:
    """The rows of the hot path hold what they need and nothing else (section 7 of the design)."""
    for fact in (
        StepStarted(StepKey("a"), 1),
        RunResumed(),
        RunSuspended(),
        RunFailed(StepKey("a"), 1, Failure("E", "m")),
    ):
        assert encode(fact).detail is None
        assert decode(encode(fact), None) == fact
    assert encode(StepStarted(StepKey("a"), 1, "key")).detail == '{"intent":"key"}'
    assert decode(Columns("run failed", "a", 1, error='{"type":"E","message":"m"}', detail='{"node":""}'), None) == (
        RunFailed(StepKey("a"), 1, Failure("E", "m"))
    )


def test_a_name_that_is_no_text_is_recorded_all_the_same() -> None:
    """Wherever a lone surrogate stands in a fact, it is replaced (E9)."""
    fact = RunForked("caf\udce9", "", "g", "f", b"{}", 1, (Span("caf\udce9", 1, 2),), {"fast": "file:caf\udce9"})

    assert decode(encode(fact), b"{}") == RunForked(
        "caf?", "", "g", "f", b"{}", 1, (Span("caf?", 1, 2),), {"fast": "file:caf?"}
    )


SAMPLE: dict[str, Any] = {
    "int": 3,
    "float": 1.5,
    "str": "s",
    "StepKey": StepKey("a"),
    "Json": b"{}",
    "str | None": "t",
    "Json | None": b"[]",
    "Failure": Failure("E", "m"),
    "float | None": 2.5,
    "tuple[Span, ...]": (Span("one", 2, 7), Span("two", 1, 1)),
    "Mapping[str, str]": {"fast": "scripted:a"},
    "Literal['signal', 'person', 'timer']": "signal",
}


def hints(cls: type[Any]) -> list[str]:
    """The annotations of a fact's fields, as they are written."""
    return [str(field.type) for field in fields(cls)]


def test_what_a_person_looks_for_has_a_column_of_its_own() -> None:
    """A row reads like what happened (D13)."""
    row = encode(StepFinished(StepKey("plan"), 2, b'["a"]', "list[str]", "state", b'{"model":"fast"}'))

    assert dict(zip(COLUMNS, row, strict=True)) == {
        "kind": "finished",
        "step": "plan",
        "attempt": 2,
        "value": '["a"]',
        "type": "list[str]",
        "lineage": "state",
        "note": '{"model":"fast"}',
        "error": None,
        "detail": None,
    }
    assert (
        encode(RunStarted("demo", "f1", b"{}", 10**40)).detail
        == f'{{"graph":"demo","fingerprint":"f1","seed":{10**40}}}'
    )


def test_an_error_is_readable_json() -> None:
    """No trace is pickled (D13)."""
    fact = StepFailed(StepKey("a"), 1, Failure("ValueError", "no", "server", True, 1.5, "line 1"))

    assert encode(fact).error == (
        '{"type":"ValueError","message":"no","category":"server","retryable":true,"retry_after":1.5,"trace":"line 1"}'
    )
    assert decode(encode(fact), None) == fact


def test_an_error_that_is_no_text_is_recorded_all_the_same() -> None:
    """A lone surrogate, as in the name of a badly named file, is replaced (E9)."""
    fact = StepFailed(StepKey("a"), 1, Failure("OSError", "no file caf\udce9"))
    found = decode(encode(fact), None)

    assert isinstance(found, StepFailed)
    assert found.failure.message == "no file caf?"


def test_a_field_that_the_file_lacks_takes_its_default() -> None:
    """Files written before a field existed are still read (D13)."""
    row = Columns("failed", "a", 1, error='{"type":"E","message":"m","a field of tomorrow":[1]}')

    assert decode(row, None) == StepFailed(StepKey("a"), 1, Failure("E", "m"))


@pytest.mark.parametrize(
    "row",
    [
        Columns("os.system"),
        Columns("__class__"),
        Columns("failed", "a", 1, error="[]"),
        Columns("failed", "a", 1, error='{"type":"E"}'),
        Columns("failed", "a", 1, error="{"),
        Columns("emitted", "a", 1, detail=None),
        Columns("emitted", "a", 1, detail="3"),
        Columns("run rewound", detail='{"at":"","graph":"g","fingerprint":"f","spans":{"run":"one"}}'),
        Columns("run rewound", detail='{"at":"","graph":"g","fingerprint":"f","spans":[["one",1]]}'),
        Columns("run rewound", detail='{"at":"","graph":"g","fingerprint":"f","spans":[["one",1,"2"]]}'),
    ],
)
def test_a_row_that_makes_no_fact_is_refused(row: Columns) -> None:
    """Nothing is made up, and no name in a file is looked up as code (D13)."""
    with pytest.raises(ValueError, match=r".+"):
        decode(row, None)


def test_an_emitted_event_keeps_its_name() -> None:
    """What has no column of its own is in `detail`."""
    fact = Emitted(StepKey("a"), 1, "token", b'"x"')

    assert encode(fact).detail == '{"name":"token"}'
    assert decode(encode(fact), fact.value) == fact
