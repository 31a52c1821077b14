"""The same request has the same answer alone, in a crowd and after a restart, to the bit (M10)."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

pytest.importorskip("tests.llama")

from graphrt.backends.events import Answer
from graphrt.backends.llama import LlamaCpp, tiny_model
from graphrt.backends.llama.engine.engine import CHUNK, Engine, Options
from graphrt.backends.llama.engine.invariance import fewest_rows
from graphrt.backends.llama.engine.sampling import Sampler
from graphrt.backends.llama.native.context import Context, Span
from graphrt.backends.llama.native.model import Model
from graphrt.backends.messages import Request, Settings, system
from tests.backends.llama.conftest import LOOKUP, WEATHER, answer, ask, json_of, route, same
from tests.backends.llama.random_weights import quantize
from tests.backends.llama.writers import Writer, alike, run

pytestmark = pytest.mark.processor

WEIGHTS = [*("F16", "Q4_0"), *(pytest.param(each, marks=pytest.mark.endurance) for each in ("BF16", "Q5_0"))]
"""One whose kernels differ by the number of rows, and one whose do not; the others of each kind take their time."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The shipped model with other weights, made as they are needed."""
    folder = tmp_path_factory.mktemp("models")

    def make(weights: str) -> Path:
        path = folder / f"{weights}.gguf"
        if not path.exists():
            quantize(tiny_model(), path, weights)
        return path

    return make


def requests(count: int, seed: int = 1) -> list[Callable[[], Writer]]:
    """Mixed ones: short and long, greedy and drawn, many with a beginning in common, some with forced tokens."""
    draw = random.Random(seed)
    shared = [[draw.randrange(5, 1000) for _ in range(length)] for length in (CHUNK, CHUNK + 9, 3 * CHUNK)]

    def one(at: int) -> Callable[[], Writer]:
        prompt = [draw.randrange(5, 1000) for _ in range(draw.choice([5, 20, 40]))]
        if at % 3:
            prompt = [*draw.choice(shared), *prompt[:20]]
        if at == 0:
            prompt = (prompt + 5 * shared[2] + prompt)[:500]
        length, leap = draw.randrange(2, 10), draw.choice([0, 0, 2])
        temperature = float(at % 2)
        return lambda: Writer(prompt, length, sampler=Sampler(temperature=temperature, seed=at), leap=leap)

    return [one(at) for at in range(count)]


def alone(path: Path, makers: list[Callable[[], Writer]]) -> list[Writer]:
    """Each answered by itself, with nothing left of those before."""
    engine = Engine(Model(path), Options())
    tasks = [make() for make in makers]
    for task in tasks:
        run(engine, task)
        engine.reset()
    engine.close()
    engine.model.close()
    return tasks


def crowded(path: Path, makers: list[Callable[[], Writer]], *, seed: int) -> list[Writer]:
    """All in a crowd, coming at odd moments, with others among them that are given up."""
    draw = random.Random(seed)
    engine = Engine(Model(path), Options())
    assert engine.batch_invariant
    tasks = [make() for make in makers]
    coming = [*tasks, *(make() for make in makers[::4])]
    given_up = coming[len(tasks) :]
    draw.shuffle(coming)
    while coming or engine.busy:
        for _ in range(min(len(coming), draw.choice([0, 0, 1, 5]))):
            engine.add(coming.pop())
        engine.step()
        if given_up and not draw.randrange(8):
            engine.interrupt(given_up.pop())
    engine.close()
    engine.model.close()
    return tasks


def test_sixty_requests_see_the_same_bits_alone_and_in_a_crowd() -> None:
    makers = requests(60)
    expected = alone(tiny_model(), makers)
    assert all(alike(*pair) for pair in zip(expected, crowded(tiny_model(), makers, seed=2), strict=True))


@pytest.mark.parametrize("weights", WEIGHTS)
def test_whatever_the_weights_a_crowd_changes_nothing(models: Callable[[str], Path], weights: str) -> None:
    makers = requests(10, seed=3)
    expected = alone(models(weights), makers)
    assert all(alike(*pair) for pair in zip(expected, crowded(models(weights), makers, seed=4), strict=True))


@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_number_of_rows_that_makes_no_difference_is_found(models: Callable[[str], Path], weights: str) -> None:
    model = Model(models(weights))
    context = Context(model, cells=4 * 256, rows=CHUNK, threads=1, sequences=4)
    fewest = fewest_rows(context)
    history = [5, 6, 7, 8]
    for sequence in range(4):
        context.compute([Span(sequence, 0, history)])
    bits = []
    for count in range(1, 5):
        bits.append(context.compute([Span(i, 4, [9 + i]) for i in range(count)])[0].copy())
        for sequence in range(count):
            assert context.trim(sequence, 4) == 4
    assert all((each == bits[-1]).all() for each in bits[fewest - 1 :])
    context.close()
    model.close()


def test_one_sequence_is_always_in_the_same_company(models: Callable[[str], Path]) -> None:
    model = Model(models("F16"))
    context = Context(model, cells=256, rows=CHUNK, threads=1)
    assert fewest_rows(context) == 1
    context.close()
    model.close()


@pytest.mark.anyio
async def test_requests_of_all_kinds_have_the_same_answers_together_and_after_a_restart(anyio_backend: str) -> None:
    wild = Settings(temperature=1.0, seed=7, max_tokens=24)
    schema = json_of(
        "s",
        {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False},
    )
    asked: list[Request] = [route(f"Hi, {text}") for text in ("I was charged twice", "the app crashes")]
    asked += [ask(system("Be brief. " * 12), "Hello", settings=wild.model_copy(update={"seed": i})) for i in range(5)]
    asked += [ask("Where is my order 48213?", tools=(LOOKUP, WEATHER), tool_choice=how) for how in ("auto", "required")]
    asked += [ask("Give me a number", output=schema, settings=wild)]
    answers: list[list[Answer | None]] = []
    for _ in range(2):
        backend = LlamaCpp()
        found: list[Answer | None] = [None] * len(asked)

        async def put(at: int, backend: LlamaCpp = backend, found: list[Answer | None] = found) -> None:
            found[at] = await answer(backend, asked[at])

        async with anyio.create_task_group() as tasks:
            for at in range(len(asked)):
                tasks.start_soon(put, at)
                await anyio.lowlevel.checkpoint()
        assert backend.capabilities.batch_invariant
        answers.append([await answer(backend, request) for request in asked])
        answers.append(found)
        await backend.aclose()
    first = [one for one in answers[0] if one is not None]
    for other in answers[1:]:
        assert all(b is not None and same(a, b) for a, b in zip(first, other, strict=True))
    assert isinstance(json.loads(first[-1].text)["n"], int)
