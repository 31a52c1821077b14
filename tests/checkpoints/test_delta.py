"""Patches between versions: right for any two texts, short for a state that grows (D5)."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrt.checkpoints.delta import diff, patch, replay
from graphrt.checkpoints.lineages import GROWTH, Lineages, Version, store
from graphrt.types import RunId

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=8), inner, max_size=6),
    max_leaves=30,
)


def dump(value: Any, *, ascii: bool = False) -> bytes:
    return json.dumps(value, ensure_ascii=ascii, separators=(",", ":")).encode()


def item(n: int, size: int = 200) -> dict[str, Any]:
    """Something of about `size` bytes that looks like nothing else."""
    return {"role": "user" if n % 2 else "tool", "text": " ".join(str(hash((n, k))) for k in range(size))[: size - 30]}


def roundtrip(old: bytes, new: bytes) -> int:
    """Check the way there and back; return what it cost."""
    found = diff(old, new)
    if found is None:
        return len(new)
    assert patch(old, found) == new
    assert 2 * len(found) <= len(new)
    return len(found)


@settings(max_examples=200)
@given(values, values, st.booleans())
def test_any_two_values_are_right(old: Any, new: Any, ascii: bool) -> None:
    """A patch gives the new text byte for byte, or there is none (D5)."""
    roundtrip(dump(old, ascii=ascii), dump(new, ascii=ascii))


@settings(max_examples=200)
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_two_texts_are_right(old: bytes, new: bytes) -> None:
    """Not even JSON is needed (D5)."""
    roundtrip(old, new)


@settings(max_examples=200)
@given(st.lists(st.text(min_size=20, max_size=60), min_size=8, max_size=20), st.data())
def test_edits_anywhere_are_right(parts: list[str], data: st.DataObject) -> None:
    """Insertions, removals and replacements in any place, characters of any width (D5)."""
    changed = list(parts)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at : at + data.draw(st.integers(0, 1))] = data.draw(st.lists(st.text(max_size=10), max_size=2))
        changed = changed or [""]
    roundtrip(dump(parts), dump(changed))


@pytest.mark.parametrize("order", ["counter first", "counter last", "between", "nested", "string", "object", "window"])
@pytest.mark.parametrize("repetitive", [True, False])
def test_growing_costs_what_was_added(order: str, *, repetitive: bool) -> None:
    """500 times 200 bytes cost about 100 kB, whatever grows and wherever it stands (D5)."""
    total, whole = 0, 0
    before: Version | None = None
    things: list[Any] = []
    text, table = "", dict[str, Any]()
    for n in range(500):
        some = {"role": "user", "text": "x" * 170} if repetitive else item(n)
        rest: Any
        things.append(some)
        text += some["text"] + "y" * 30
        table[f"key {n}"] = some
        rest = {
            "counter first": {"i": n, "messages": things},
            "counter last": {"messages": things, "i": n},
            "between": {"a": things, "i": n, "z": {"fixed": "f" * 300}},
            "nested": {"a": {"n": n, "log": things, "m": n}, "i": n, "z": [1, 2]},
            "string": {"i": n, "text": text, "n": n},
            "object": {"i": n, "table": table, "n": n},
            "window": {"i": n, "recent": things[-20:]},
        }[order]
        stored = store(n, dump(rest), before)
        whole += stored.base is None
        total += len(stored.text)
        before = stored.version

    assert total < (300_000 if order == "window" else 190_000)
    assert whole < (20 if order == "window" else 12)


def test_taking_a_patch_costs_like_comparing() -> None:
    """The work is memcmp and what changed, not a loop over the value (D5): 5 MB take milliseconds, not seconds."""
    state: dict[str, Any] = {"i": 1, "messages": [item(n) for n in range(25_000)]}
    old = dump(state)
    state["i"] = 2
    state["messages"].append(item(25_000))
    new = dump(state)
    before = time.perf_counter()
    found = diff(old, new)
    taken = time.perf_counter() - before

    assert found is not None
    assert len(found) < 400
    assert taken < 1


def test_a_long_chain_is_replayed_in_one_pass() -> None:
    """Thousands of patches cost the result and their own text, not their product (D6)."""
    texts = [dump({"i": n, "messages": ["m" * 100] * n}) for n in range(100, 2000)]
    patches = [diff(old, new) for old, new in pairwise(texts)]
    before = time.perf_counter()
    found = replay(texts[0], [text for text in patches if text is not None])
    taken = time.perf_counter() - before

    assert None not in patches
    assert found == texts[-1]
    assert taken < 2


def test_unrelated_values_are_stored_whole() -> None:
    """A patch that would not be shorter than half the value is not made (D5)."""
    assert diff(dump([item(n) for n in range(50)]), dump([item(n) for n in range(1000, 1050)])) is None


def test_a_patch_is_readable() -> None:
    """A person sees what is new, and where (D5)."""
    assert diff(dump({"i": 5, "log": ["a" * 100]}), dump({"i": 6, "log": ["a" * 100, "b"]})) == (
        '[[0,5],"6",[6,109],"\\",\\"b",[115,3]]'
    )


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", "[[0]]", "[[0,99]]", "[[-1,2]]", '[["0",1]]', "[null]", "[[5,-1]]", "[[0,1,2]]"]
)
def test_what_is_no_patch_for_its_base_is_refused(text: str) -> None:
    """A damaged file cannot make a value up (D13)."""
    with pytest.raises(ValueError, match=r".+"):
        patch(b"0123456789", text)


def test_a_chain_ends_when_its_patches_outweigh_the_whole() -> None:
    """Reading one entry costs a bounded multiple of its size (D5)."""
    version: Version | None = None
    weights = []
    for n in range(2000):
        stored = store(n, dump({"i": n, "big": "b" * 10_000}), version)
        version = stored.version
        weights.append(version.grown)

    assert max(weights) <= GROWTH * 10_100
    assert weights.count(0) > 5


def test_memory_for_versions_is_bounded() -> None:
    """The least recently used runs are forgotten first."""
    lineages = Lineages(room=1000)
    for n in range(10):
        lineages.keep(RunId(f"r{n}"), {"a": Version(1, b"v" * 300, 300)})
        lineages.of(RunId("r0"))

    assert set(lineages.of(RunId("r0"))) == {"a"}
    assert [n for n in range(10) if lineages.of(RunId(f"r{n}"))] == [0, 8, 9]


def test_an_older_version_does_not_displace_a_newer_one() -> None:
    """Two commits may be reported in either order."""
    lineages = Lineages()
    lineages.keep(RunId("r"), {"a": Version(5, b"new", 3)})
    lineages.keep(RunId("r"), {"a": Version(3, b"old", 3)})

    assert lineages.of(RunId("r"))["a"].value == b"new"
