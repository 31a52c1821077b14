"""Where looking at all numbers takes long, many tasks look at once, each at its own."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("numpy", reason="the llama extra is not installed")

import numpy as np

from graphrt.backends.llama.engine import choosing
from graphrt.backends.llama.engine.choosing import ENOUGH, MOST, Choosers
from graphrt.backends.llama.engine.task import Effort, Going, Task, Work


@pytest.fixture
def choosers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Choosers]:
    """On a machine of many processors."""
    monkeypatch.setattr(choosing, "processors", lambda: 2 * MOST)
    found = Choosers(MOST)
    yield found
    found.close()


def task(choose: Callable[[Any], object], got: list[object]) -> Task:
    """A task that has its logits computed and wants them chosen from."""

    def work() -> Work:
        try:
            got.append((yield Going([1], choose=choose)))
        except ValueError as error:
            got.append(error)

    found = Task(work(), Effort(), owner=None, over=lambda: None)
    found.choose = next(found.work).choose
    return found


def look(choosers: Choosers, choose: Callable[[Any], object], size: int) -> list[object]:
    """What eight tasks choose, each from logits of which another is the likeliest."""
    got: list[list[object]] = [[] for _ in range(8)]
    tasks = [task(choose, each) for each in got]
    logits = np.eye(8, size, dtype=np.float32)
    choosers.look(list(zip(tasks, logits, strict=True)))
    for each in tasks:
        with pytest.raises(StopIteration):
            each.go_on()
    return [one for (one,) in got]


@pytest.mark.parametrize("size", [16, ENOUGH // 8])
def test_each_chooses_from_its_own_logits(choosers: Choosers, size: int) -> None:
    assert look(choosers, lambda logits: int(logits.argmax()), size) == list(range(8))


def test_over_large_vocabularies_several_choose_at_once(choosers: Choosers) -> None:
    together = threading.Barrier(MOST, timeout=20)
    assert look(choosers, lambda logits: (together.wait(), int(logits.argmax()))[1], ENOUGH // 8) == list(range(8))


def test_over_small_ones_nobody_else_is_asked(choosers: Choosers) -> None:
    assert look(choosers, lambda logits: threading.get_ident(), 16) == [threading.get_ident()] * 8


def test_what_goes_wrong_is_the_matter_of_one(choosers: Choosers) -> None:
    def choose(logits: Any) -> int:
        if logits[3]:
            raise ValueError("not a number")
        return int(logits.argmax())

    found = look(choosers, choose, ENOUGH // 8)
    assert isinstance(found.pop(3), ValueError)
    assert found == [0, 1, 2, 4, 5, 6, 7]
