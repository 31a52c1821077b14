"""Requests and files that nobody would send, thrown at the engine in a process of its own, which must survive them.

python -m tests.backends.llama.fuzz requests SEED COUNT      one line before each, so that the last one is to blame
python -m tests.backends.llama.fuzz files SEED COUNT

Each is made from its seed and its number alone: `request(seed, number)` is the one that was sent.
"""

import faulthandler
import math
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import anyio
from pydantic import ValidationError

from graphrt.backends.errors import ServerError
from graphrt.backends.events import Failed, Finished
from graphrt.backends.llama import LlamaCpp, tiny_model
from graphrt.backends.messages import (
    Message,
    OutputSchema,
    Request,
    Settings,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
    assistant,
    system,
    user,
)

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds after which an answer counts as stuck, on a machine that does other work."""

ODD = (
    *(
        "",
        " ",
        "\x00",
        "\ud800",
        "\udfff\ud800",
        "\ufeff",
        "\ue0000\ue001",
        "\ue000" + "9" * 5000 + "\ue001",
        "👍🏽" * 9,
    ),
    *("<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>\n<tool_call>", "<|im_end|>\n<|im_start|>system\n"),
    *("<think>", "</think>", "{{ 7 * 7 }}", "{% for x in y %}", "%s%n%p", "\u202e\u200b", "a" * 3000, "٣" * 40),
    *('{"name": "f", "arguments": {}}', "\r\n\t\v", "é" * 50, "\U0010ffff", "\x1b[2J", "'\"\\", "/", "~0~1", "$ref"),
)
PATTERNS = (
    *("(", "[", "(?=a)b", "(?<!a)b", r"\1(a)", "^(a+)+$", "(a|a?)+$", "^(((a{1000}){1000}){1000})$", r"\p{Greek}+"),
    *("(.*a.{300})", r"\cC", "[^]", "a{2,1}", "(?i)a", "^$", "$^", r"\x00", "[\\ud800]", ".*" * 50, "(" * 400, r"\d"),
)
VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        0.5,
        1e308,
        10**40,
        -(10**400),
        "",
        "a",
        [],
        {},
        [[]],
        {"": {}},
        {"a": [None]},
        "é" * 99,
    ),
)
WRONG = (math.nan, math.inf, object(), b"a", "\ud800", {1: 2}, {2.5})


class Dice:
    """Chance, and what it makes."""

    def __init__(self, seed: int, number: int) -> None:
        self.roll = random.Random(f"{seed}/{number}")

    def any(self, *ways: Callable[[], T]) -> T:
        return self.roll.choice(ways)()

    def text(self) -> str:
        return "".join(self.roll.choice(ODD) for _ in range(self.roll.choice((1, 1, 1, 2, 5))))

    def word(self) -> str:
        plain = ("a", "b", "city", "order_id", "ключ", "a b", "x" * 70)
        return self.roll.choice(plain) if self.roll.random() < 0.7 else self.text()

    def number(self) -> Any:
        if self.roll.random() < 0.05:
            return self.roll.choice((0, -1, 0.5, 1e-9, 1e300, math.nan, "3", True))
        return self.roll.choice((1, 2, 3, 7, 50, 2.0, 10**5, 10**9, 2**31, 2**63))

    def value(self) -> Any:
        return self.roll.choice(WRONG if self.roll.random() < 0.02 else VALUES)

    def schema(self, depth: int = 3) -> Any:
        roll = self.roll
        if depth == 0 or roll.random() < 0.1:
            return roll.choice(
                (True, False, {}, {"type": "string"}, {"type": "integer"}, {"$ref": "#"}, {"$ref": "#/$defs/a"})
            )
        made: dict[str, Any] = {}
        for keyword in roll.sample(sorted(_KEYWORDS), roll.choice((1, 2, 3, 5))):
            made[keyword] = _KEYWORDS[keyword](self, depth - 1)
        if roll.random() < 0.5:
            made.setdefault("type", roll.choice(("object", "array", "string", "number", "integer")))
        return made

    def root(self) -> dict[str, Any]:
        found = self.any(self._nested, self._wide, self.schema, self.schema, self.schema, self.schema, self.schema)
        return found if isinstance(found, dict) else {"allOf": [found]}

    def _nested(self) -> dict[str, Any]:
        word = self.roll.choice(("items", "not", "additionalProperties"))
        made: dict[str, Any] = {"type": "string"}
        for _ in range(self.roll.choice((20, 90, 130, 2000))):
            made = {word: made} if self.roll.random() < 0.9 else {"allOf": [made]}
        return made

    def _wide(self) -> dict[str, Any]:
        count = self.roll.choice((50, 700, 4000))
        return self.any(
            lambda: {"enum": [f"word {number}" for number in range(count)]},
            lambda: {
                "type": "object",
                "properties": {f"p{number}": {"type": "string"} for number in range(count // 4)},
            },
            lambda: {"anyOf": [{"type": "string", "pattern": f"^{number}+$"} for number in range(count // 10)]},
            lambda: {"allOf": [{"multipleOf": number} for number in range(2, 2 + count // 20)], "type": "integer"},
            lambda: {"allOf": [{"anyOf": [{"required": [f"{a}{b}"]} for b in range(4)]} for a in range(count // 50)]},
        )

    def tool(self) -> ToolSpec:
        return ToolSpec(name=self.word(), description=self.text(), parameters=self.root())

    def message(self) -> Message:
        call = ToolCall(call_id=self.word(), name=self.word(), arguments=self.any(self.text, lambda: "{}"))
        return self.any(
            lambda: user(self.text()),
            lambda: user(self.text()),
            lambda: system(self.text()),
            lambda: assistant(self.text()),
            lambda: Message(role="assistant", parts=(call,)),
            lambda: Message(role="user", parts=()),
            lambda: Message(
                role="tool", parts=(ToolResult(call_id=call.call_id, name=call.name, content=self.text()),)
            ),
            lambda: Message(role="tool", parts=(Text(text=self.text()),)),
        )

    def settings(self) -> Settings:
        roll, most = self.roll, self.roll.choice((1, 5, 12, 12, 30))
        made: dict[str, Any] = {
            "max_tokens": most,
            "temperature": roll.choice((None, 1.0, 1e6)),
            "seed": roll.randrange(9),
        }
        odd = (math.nan, math.inf, -math.inf, -1, 0, 1e-300, 1e300, 2**70)
        for name in ("temperature", "top_p", "min_p", "presence_penalty", "frequency_penalty"):
            if roll.random() < 0.06:
                made[name] = roll.choice(odd)
        for name in ("max_tokens", "top_k", "seed", "logprobs"):
            if roll.random() < 0.04:
                made[name] = roll.choice((-1, 0, 1, 2**31, 2**63, 2**70, -(2**70)))
        if roll.random() < 0.2:
            made["stop"] = tuple(self.text() for _ in range(roll.choice((1, 3, 200))))
        if roll.random() < 0.1:
            made["reasoning_effort"] = self.word()
        made["parallel_tool_calls"] = roll.choice((None, None, True, False))
        return Settings(**made)

    def request(self) -> Request:
        roll = self.roll
        tools = tuple(self.tool() for _ in range(roll.choice((0, 0, 1, 3))))
        output = (
            OutputSchema.model_validate({"name": self.word(), "schema": self.root()}) if roll.random() < 0.6 else None
        )
        extra = {"chat_template_kwargs": {self.word(): self.value()}, self.text(): self.value()}
        return Request(
            messages=tuple(self.message() for _ in range(roll.choice((1, 1, 1, 2, 5, roll.choice((0, 1)))))),
            settings=self.settings(),
            tools=tools,
            tool_choice=roll.choice(("auto", "auto", "required", "none", tools[0].name if tools else "auto")),
            output=output,
            extra=extra if roll.random() < 0.2 else {},
        )


def _by_name(dice: Dice, depth: int) -> dict[str, Any]:
    return {dice.word(): dice.schema(depth) for _ in range(dice.roll.choice((0, 1, 3)))}


def _listed(dice: Dice, depth: int) -> list[Any]:
    return [dice.schema(depth) for _ in range(dice.roll.choice((1, 1, 2, 3)))]


_KEYWORDS: dict[str, Callable[[Dice, int], Any]] = {
    **dict.fromkeys(("properties", "patternProperties", "$defs", "dependentSchemas"), _by_name),
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems"), _listed),
    **dict.fromkeys(
        ("items", "additionalProperties", "not", "if", "then", "contains", "propertyNames", "unevaluatedProperties"),
        lambda dice, depth: dice.schema(depth),
    ),
    **dict.fromkeys(
        (
            *("minimum", "maximum", "exclusiveMinimum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems"),
            *("minProperties", "maxProperties"),
        ),
        lambda dice, _: dice.number(),
    ),
    "pattern": lambda dice, _: dice.roll.choice(PATTERNS),
    "format": lambda dice, _: dice.roll.choice(("date", "date-time", "email", "uri", "ipv6", "hostname", "colour")),
    "required": lambda dice, _: [dice.word() for _ in range(2)],
    "enum": lambda dice, _: [dice.value() for _ in range(3)],
    "const": lambda dice, _: dice.value(),
    "type": lambda dice, _: dice.roll.choice((*(("object", ["string", "null"], "array") * 9), "no type", 3, [])),
    "$ref": lambda dice, _: dice.roll.choice(("#", "#/$defs/a", "#/nowhere", "http://localhost/x", "\x00", "#a")),
    "$id": lambda dice, _: dice.roll.choice(("http://localhost/x", "urn:x", "%%%", "")),
    "$schema": lambda dice, _: dice.roll.choice(("http://json-schema.org/draft-07/schema#", "urn:none")),
    "uniqueItems": lambda _, __: True,
    "x-guidance": lambda _, __: {"lenient": True, "whitespace_pattern": "(("},
}


def request(seed: int, number: int) -> Request | None:
    """Make one; None where the library's own types refuse it."""
    try:
        return Dice(seed, number).request()
    except ValidationError:
        return None


async def ask(backend: LlamaCpp, asked: Request) -> str:
    """What became of a request; one that goes wrong inside, or that gets stuck, ends the process."""
    last: object = None
    with anyio.move_on_after(PATIENCE) as patience:
        async for event in backend.stream(asked):
            last = event
    if patience.cancelled_caught:
        print("stuck", flush=True)
        os._exit(3)
    if isinstance(last, Failed):
        assert not isinstance(last.error, ServerError), last.error
        return type(last.error).__name__
    assert isinstance(last, Finished), last
    return last.reason


async def throw_requests(seed: int, count: int) -> None:
    """Send `count` requests, one after the other."""
    backend = LlamaCpp(n_ctx=512, parallel=2)
    for number in range(count):
        print(f"request({seed}, {number})", end=" ", flush=True)
        asked = request(seed, number)
        print("refused" if asked is None else await ask(backend, asked), flush=True)
    await backend.aclose()


def damaged(seed: int, number: int) -> bytes:
    """The shipped model cut off somewhere, or with some bytes changed, most of them where the facts about it are."""
    roll, whole = random.Random(f"{seed}/{number}"), bytearray(tiny_model().read_bytes())
    facts = 50_000
    if roll.random() < 0.3:
        return bytes(whole[: roll.choice((roll.randrange(facts), roll.randrange(len(whole))))])
    for _ in range(roll.choice((1, 1, 3, 20))):
        at = roll.randrange(roll.choice((64, 2000, facts, len(whole))))
        whole[at] = roll.choice((0, 255, whole[at] ^ (1 << roll.randrange(8)), roll.randrange(256)))
    return bytes(whole)


async def throw_files(seed: int, count: int) -> None:
    """Load `count` damaged files, one after the other, and ask each that loads."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            print(f"damaged({seed}, {number})", end=" ", flush=True)
            path = Path(folder, "damaged.gguf")
            path.write_bytes(damaged(seed, number))  # noqa: ASYNC240 - nobody else is here
            backend = LlamaCpp(path, n_ctx=128, parallel=1)
            print(await ask(backend, Request(messages=(user("Hi"),), settings=Settings(max_tokens=2))), flush=True)
            await backend.aclose()


def survives(kind: str, seed: int, count: int) -> Counter[str]:
    """Throw `count` things in a process of its own; how often each ended how. The last one is named if it did not
    survive."""
    command = [sys.executable, "-m", "tests.backends.llama.fuzz", kind, str(seed), str(count)]
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, cwd=Path(__file__).parents[3]
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"{lines[-1:]} ended the process ({done.returncode}):\n{done.stderr[-3000:]}"
    assert len(lines) == count
    return Counter(line.rpartition(" ")[2] for line in lines)


def main() -> None:
    faulthandler.enable()
    match sys.argv[1:]:
        case ["requests", seed, count]:
            anyio.run(throw_requests, int(seed), int(count))
        case ["files", seed, count]:
            anyio.run(throw_files, int(seed), int(count))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
