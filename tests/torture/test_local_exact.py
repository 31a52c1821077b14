"""Two hundred mixed requests of a model in the process see the same bits alone and in a crowd, in every format (M10).

pytest tests/torture/test_local_exact.py -m endurance -s      a minute or two of CPU for each format
"""

from __future__ import annotations

import hashlib
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

pytest.importorskip("tests.llama")

from graphrt.backends.events import Answer, Fold
from graphrt.backends.llama import LlamaCpp
from graphrt.backends.llama.engine.engine import Engine, Options
from graphrt.backends.llama.engine.task import Effort, Going, Task, Work
from graphrt.backends.llama.generate import Speaker
from graphrt.backends.llama.native.model import Model
from graphrt.backends.llama.tiny.conversation import TEMPLATE
from graphrt.backends.messages import Message, Request, Settings, system, user
from tests.backends.llama.conftest import ADD, LOOKUP, WEATHER, json_of
from tests.backends.llama.random_weights import quantize, write

pytestmark = [pytest.mark.endurance, pytest.mark.processor]

FORMATS = ("Q8_0", "Q5_0", "Q4_0", "F16", "BF16", "Q4_K_M", "Q6_K")
COUNT = 200
SHORTEST, LONGEST = 5, 1500
"""Tokens of a prompt."""
SHARED = (64, 130, 320, 700)
"""Tokens of the beginnings that a third of the requests have in common."""
SLOTS = 8
STAGES = ("in the line", "read", "answered")
FEW = 30
"""Requests on two threads, which wait for each other where others have the processors."""
BARE = (
    "{%- if messages|length == 1 and messages[0].role == 'user' and not tools -%}{{ messages[0].content }}{%- else -%}"
)
"""A template that adds nothing to a single message: else no prompt would have five tokens."""
PERSON = json_of(
    "person",
    {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 12},
            "age": {"type": "integer"},
            "is_new": {"type": "boolean"},
        },
        "required": ["name", "age", "is_new"],
        "additionalProperties": False,
    },
)
ROUTE = json_of("route", {"enum": ["billing", "technical", "sales", "other"]})


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of three million random weights: rows that every format takes, and a difference in one layer is seen in
    the next."""
    path = tmp_path_factory.mktemp("random") / "source.gguf"
    write(path, layers=4, forward=512, template=BARE + TEMPLATE.read_text(encoding="utf-8") + "{%- endif -%}")
    return path


@dataclass(frozen=True, slots=True)
class Said:
    """An answer without its cost, and the hash of every logit and token on the way to it."""

    bits: str
    parts: tuple[Any, ...]
    finish: tuple[Any, ...]


class Asked(Task):
    """A request on its way through an engine, with a record of what it saw."""

    def __init__(self, speaker: Speaker, request: Request) -> None:
        self._bits = hashlib.blake2b(digest_size=16)
        self._fold = Fold()
        self.steps = 0
        self.ended = False
        effort = Effort()
        super().__init__(
            self._recorded(speaker.answer(request, self._fold.add, effort)), effort, owner=None, over=self._over
        )

    def _recorded(self, work: Work) -> Work:
        try:
            wanted = next(work)
            while True:
                logits = yield wanted
                self.steps += 1
                self._bits.update(logits.tobytes() if logits is not None else b"")
                wanted = work.send(logits)
                self._bits.update(repr(wanted.then if isinstance(wanted, Going) else wanted).encode())
        except StopIteration:
            pass
        finally:
            work.close()

    def _over(self) -> None:
        self.ended = True

    @property
    def stage(self) -> int:
        """How far it has come, in `STAGES`."""
        return 2 if self.steps else 1 if self.done else 0

    @property
    def said(self) -> Said:
        """The answer. Raises what it ended in if that was an error."""
        assert self.ended
        return without_cost(self._fold.answer(), self._bits.hexdigest())


def without_cost(answer: Answer, bits: str = "") -> Said:
    parts = tuple(part.model_dump() for part in answer.message.parts)
    return Said(bits, parts, (answer.finish, answer.raw_finish, answer.usage.input, answer.usage.output))


def mixed(speaker: Speaker, count: int, seed: int) -> list[Request]:
    """Short and long, half greedy and half drawn, a third with a beginning in common, some held to a schema or to the
    call of a tool, which forces tokens."""
    draw = random.Random(seed)
    vocabulary = speaker.engine.vocabulary
    words = [vocabulary.text(token) for token in range(vocabulary.size) if vocabulary.text(token).isalpha()]

    def text(size: int) -> str:
        """Words of `size` tokens."""
        chosen = " ".join(draw.choices(words, k=size))
        tokens = vocabulary.tokenize(chosen, special=False)
        return b"".join(vocabulary.pieces[token] for token in tokens[:size]).decode()

    rules = [text(size) for size in SHARED]

    def one(at: int) -> Request:
        size = (SHORTEST, LONGEST)[at] if at < 2 else round(SHORTEST * 280 ** (draw.random() ** 1.3))
        messages: tuple[Message, ...] = (user(text(size)),)
        if at % 3 == 2:
            messages = (system(rules[at // 3 % len(rules)]), user(text(min(size, 600))))
        settings = Settings(max_tokens=draw.randrange(3, 33))
        if at % 2:
            drawn = {"temperature": draw.uniform(0.7, 1.5), "seed": draw.randrange(2**32)}
            settings = settings.model_copy(update=drawn | ({"top_p": 0.95, "min_p": 0.01} if at % 8 == 1 else {}))
        more: dict[str, Any] = {}
        if at % 10 == 4 or at % 10 == 7:
            more = {"output": PERSON if at % 4 else ROUTE}
        elif at % 10 == 5 or at % 10 == 8:
            tools = tuple(draw.sample([ADD, LOOKUP, WEATHER], draw.randrange(1, 4)))
            more = {"tools": tools, "tool_choice": "auto" if at % 20 == 5 else "required"}
        return Request(messages=messages, settings=settings, **more)

    return [one(at) for at in range(count)]


class House:
    """A loaded model with its slots."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        self.engine = Engine(Model(path), Options(parallel=SLOTS, n_threads=threads))
        self.speaker = Speaker(self.engine, name="llama_cpp:random", model="random")
        self.given_up = Counter[str]()
        """How far those were that did not come to their end."""
        assert self.engine.batch_invariant

    def alone(self, request: Request) -> Asked:
        """Ask for one thing and wait until it is there."""
        self.engine.add(task := Asked(self.speaker, request))
        while self.engine.busy:
            self.engine.step()
        return task

    def crowd(self, requests: Sequence[Request], seed: int) -> list[Said]:
        """Ask for all, in another order, coming at odd moments, with a tenth as many among them that are given up."""
        draw = random.Random(seed)
        tasks = [Asked(self.speaker, request) for request in requests]
        doomed = [Asked(self.speaker, request) for request in draw.sample(list(requests), len(requests) // 10)]
        fate = {task: i % len(STAGES) for i, task in enumerate(doomed)}
        coming = tasks + doomed
        draw.shuffle(coming)
        while coming or self.engine.busy:
            for _ in range(min(len(coming), draw.choice([0, 0, 1, 5]))):
                self.engine.add(coming.pop())
            self.engine.step()
            for task in doomed:
                if task.number >= 0 and not task.ended and not task.given_up and task.stage >= fate[task]:
                    self.engine.interrupt(task)
                    self.given_up[STAGES[task.stage]] += 1
        assert all(task.ended for task in doomed)
        return [task.said for task in tasks]

    def close(self) -> None:
        self.engine.close()
        self.engine.model.close()


async def through_the_backend(path: Path, requests: Sequence[Request], seed: int) -> list[Said]:
    """All through `LlamaCpp`, from many tasks: each lets the next come when its answer begins, some are cancelled."""
    draw = random.Random(seed)
    backend = LlamaCpp(path, parallel=SLOTS, n_threads=1)
    order = list(range(len(requests)))
    draw.shuffle(order)
    said: dict[int, Said] = {}
    given_up = 0

    async def one(at: int, enough: int | None, let: Callable[[], None]) -> None:
        nonlocal given_up
        fold, seen = Fold(), 0
        with anyio.CancelScope() as scope:
            async for event in backend.stream(requests[at]):
                let()
                fold.add(event)
                seen += 1
                if seen == enough:
                    scope.cancel()
        if enough is None:
            said[at] = without_cost(fold.answer())
        else:
            given_up += scope.cancelled_caught

    async with anyio.create_task_group() as tasks:
        for at in order:
            if draw.randrange(10) == 0:
                tasks.start_soon(one, draw.choice(order), draw.randrange(1, 5), lambda: None)
            answering = anyio.Event()
            tasks.start_soon(one, at, None, answering.set)
            if draw.randrange(3) == 0:
                await answering.wait()
    await backend.aclose()
    assert given_up
    return [said[at] for at in range(len(requests))]


def different(one: Sequence[Said], other: Sequence[Said]) -> list[int]:
    """Which of them are."""
    return [at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b]


@pytest.mark.parametrize("weights", FORMATS)
def test_two_hundred_requests_see_the_same_bits_alone_and_in_a_crowd(
    source: Path, tmp_path: Path, weights: str
) -> None:
    path = tmp_path / f"{weights}.gguf"
    quantize(source, path, weights)
    begun = time.process_time()
    first = House(path)
    requests = mixed(first.speaker, COUNT, seed=5)
    alone: list[Said] = []
    sizes: list[int] = []
    forced = 0
    for request in requests:
        task = first.alone(request)
        alone.append(task.said)
        assert task.prompt is not None
        sizes.append(len(task.prompt))
        forced += task.steps < task.said.finish[3]
        first.engine.reset()
    assert (min(sizes), max(sizes)) == (SHORTEST, LONGEST)
    order = random.Random(6).sample(range(COUNT), COUNT)
    again = {at: first.alone(requests[at]).said for at in order}
    ways = {"one after the other": [again[at] for at in range(COUNT)], "a crowd after these": first.crowd(requests, 7)}
    first.close()
    fresh, threaded = House(path), House(path, threads=2)
    ways["a crowd in fresh slots"] = fresh.crowd(requests, 8)
    ways["a few on two threads"] = threaded.crowd(requests[:FEW], 9)
    given_up = first.given_up + fresh.given_up + threaded.given_up
    fresh.close()
    threaded.close()
    bare = [Said("", said.parts, said.finish) for said in alone]
    through = anyio.run(through_the_backend, path, requests, 11)
    differ = {name: different(said, alone) for name, said in ways.items()} | {"tasks": different(through, bare)}
    kinds = Counter(said.finish[0] for said in alone)
    print(
        f"\n{weights}: {COUNT} prompts of {min(sizes)}-{max(sizes)} tokens, {sum(sizes):,} in all; "
        f"{sum(said.finish[3] for said in alone):,} tokens written, forced ones in {forced}; {dict(kinds)}; "
        f"given up: {dict(given_up)}; others than alone: "
        + ", ".join(f"{name} {len(each)}" for name, each in differ.items())
        + f"; {time.process_time() - begun:.0f} s of CPU"
    )
    assert not any(differ.values()), differ
