"""Every recorded stream of every dialect means the same in every clothing that `mutate_stream.py` knows."""

import importlib.util
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import pytest

from graphrt.backends.errors import StreamTruncated
from tests.backends.recordings import Recording, Told, signal, streams, told
from tests.backends.replay import TRAFFIC

Mutation = tuple[str, list[bytes], str]

TOOL = TRAFFIC.parents[1] / "tools" / "mutate_stream.py"
# of a binary format only what does not touch the bytes: the tool's other clothes are those of text
ANY_FRAMING = re.compile(r"chunk_|one_chunk|empty_reads|cut_inside|truncate_bytes")
INJECTED = re.compile("[\u2028\u2029\u0085]")


@cache
def tool() -> Callable[[bytes, str], Iterable[Mutation]]:
    """The mutations of the tool that is kept beside the recordings."""
    spec = importlib.util.spec_from_file_location("mutate_stream", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[bytes, str], Iterable[Mutation]] = module.mutations
    return found


def mutations(recording: Recording) -> list[Mutation]:
    """All mutations that a stream of this framing may undergo."""
    made = tool()(recording.body, "sse" if recording.framing == "sse" else "ndjson")
    if recording.framing in {"sse", "ndjson"}:
        return list(made)
    return [mutation for mutation in made if ANY_FRAMING.match(mutation[0])]


def without(value: Any, what: re.Pattern[str]) -> Any:
    """A value of plain data with that taken out of every text in it, and out of citations the places that it moves, by
    which they are in order."""
    if isinstance(value, str):
        return what.sub("", value)
    if isinstance(value, dict):
        return {
            key: sorted(without(item, what), key=str) if key == "citations" and item else without(item, what)
            for key, item in value.items()
            if key not in {"start", "end"}
        }
    if isinstance(value, (list, tuple)):
        return [without(item, what) for item in value]
    return value


def check(recording: Recording, whole: Told, mutation: Mutation) -> None:
    name, chunks, relation = mutation
    found = told(recording.read(chunks))
    match relation:
        case "same":
            assert found.facts == whole.facts, name
        case "text_gains_one_char":
            assert without(found.facts, INJECTED) == without(whole.facts, INJECTED), name
        case "truncated":
            judge(recording, whole, name, b"".join(chunks), found)
        case _:
            pytest.fail(f"{TOOL.name} knows a relation that nobody judges: {relation}")


def judge(recording: Recording, whole: Told, name: str, body: bytes, found: Told) -> None:
    """What was cut is an answer only if its provider had said that it is whole (M3)."""
    if found.answer is not None:
        assert signal(recording, body) is not None, name
        assert whole.answer is not None, name
        assert found.answer.text == whole.answer.text, name
        assert found.answer.finish == whole.answer.finish, name
        assert found.answer.tool_calls == whole.answer.tool_calls, name
    elif not isinstance(found.error, StreamTruncated):
        # the provider's own error had come before the cut
        assert whole.error is not None, name
        assert type(found.error) is type(whole.error), name


def smallest() -> list[Recording]:
    """The shortest stream of every API at every provider."""
    return list({(it.api, it.provider): it for it in reversed(streams())}.values())


@pytest.mark.parametrize("recording", smallest(), ids=lambda it: it.name)
def test_a_recorded_stream_of_every_provider_means_the_same_under_every_mutation(recording: Recording) -> None:
    """M2, M3, L7, L10."""
    whole = told(recording.read([recording.body]))
    for mutation in mutations(recording):
        check(recording, whole, mutation)


def test_every_recorded_stream_means_the_same_under_a_mutation_of_its_turn() -> None:
    """M2, M3, L7, L10: a share of all, so that no stream goes without; the rest is torture."""
    for turn, recording in enumerate(streams()):
        whole = told(recording.read([recording.body]))
        found = mutations(recording)
        check(recording, whole, found[turn % len(found)])


@pytest.mark.torture
@pytest.mark.parametrize("recording", streams(), ids=lambda it: it.name)
def test_every_recorded_stream_means_the_same_under_every_mutation(recording: Recording) -> None:
    """M2, M3, L7, L10: all of them."""
    whole = told(recording.read([recording.body]))
    for mutation in mutations(recording):
        check(recording, whole, mutation)
