"""The model that comes with the package: what made it can make it again, and it can do what its card says."""

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

pytest.importorskip("tests.llama")

from graphrt.backends.events import complete
from graphrt.backends.llama import LlamaCpp, tiny_model
from graphrt.backends.llama.chat.template import ChatTemplate
from graphrt.backends.llama.native.model import Model
from graphrt.backends.llama.tiny import words
from graphrt.backends.llama.tiny.conversation import TEMPLATE, Param, Tool, segments, text
from graphrt.backends.llama.tiny.deeds import spoken
from graphrt.backends.llama.tiny.evaluate import CLOSED, OPEN, cases, request, right
from graphrt.backends.llama.tiny.generate import conversations, digest
from graphrt.backends.messages import ToolSpec, user
from tests.backends.llama.bpe import Tokenizer
from tests.backends.llama.conftest import ask, tool


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    """The shipped model, loaded."""
    found = Model(tiny_model())
    yield found
    found.close()


# The generator.


def test_the_same_seed_gives_the_same_texts() -> None:
    """Whoever changes the texts changes VERSION, trains again, and writes the new sums here."""
    assert digest(0, 500, "train")[:16] == "6290900292030028"
    assert digest(0, 500, "eval")[:16] == "1f7287a379e0763c"


def test_the_texts_depend_on_no_hash_seed() -> None:
    code = "from graphrt.backends.llama.tiny.generate import digest; print(digest(0, 100))"
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == digest(0, 100)


LISTS = (words.VERBS, words.NOUNS, words.ADJECTIVES, words.FIRST, words.CITIES)


def test_no_word_is_in_both_splits() -> None:
    """A made-up word has its split by checksum. So have the listed ones that are scored: none is made up by chance."""
    train = {word.lower() for known in LISTS for word in known["train"]}
    unseen = {word.lower() for known in LISTS for word in known["eval"]}
    assert not train & unseen
    assert {words.split_of(word) for word in unseen} == {"eval"}
    rng = random.Random(0)
    made = {split: {words.made_up(rng, split) for _ in range(3000)} for split in ("train", "eval")}
    assert {words.split_of(word) for word in made["train"]} == {"train"}
    assert not made["eval"] & (made["train"] | train)
    assert min(map(len, made.values())) > 1500


def test_what_is_scored_on_open_tools_has_names_that_training_never_has() -> None:
    """Every word of a tool's or a parameter's name, but for those that the generator adds to all (`get`, `id`)."""
    added = {
        "get",
        "find",
        "lookup",
        "check",
        "fetch",
        "read",
        "show",
        "info",
        "finder",
        "id",
        "name",
        "number",
        "count",
    }
    seen = 0
    for one in cases(20, OPEN):
        for offered in one.tools:
            for name in (offered.name, *(param.name for param in offered.params)):
                for word in set(spoken(name).split()) - added:
                    assert "eval" in {words.split_of(word), words.split_of(word.removesuffix("s"))}, name
                    seen += 1
    assert seen > 1000


def test_the_template_writes_what_was_trained_on() -> None:
    template = ChatTemplate(TEMPLATE.read_text(encoding="utf-8"), bos="", eos="<|im_end|>")
    assert template.takes_tools
    for one in conversations(3, 300, "eval"):
        asked = request(one)
        *before, (last, learnt) = segments(one)
        assert learnt
        assert template.render(asked.messages, asked.tools, {}) == "".join(piece for piece, _ in before)
        assert last.endswith("<|im_end|>")


def test_the_template_shows_schemas_as_pydantic_writes_them() -> None:
    template = ChatTemplate(TEMPLATE.read_text(encoding="utf-8"), bos="", eos="<|im_end|>")
    properties = {
        "size": {"enum": ["small", "large"], "title": "Size"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        "kind": {"type": ["number", "null"]},
        "other": {"$ref": "#/$defs/other"},
    }
    pick = ToolSpec(name="pick", description="Picks.", parameters={"properties": properties, "required": ["size"]})
    shown = "pick(size: small|large, tags?: string[], limit?: integer, kind?: number, other?: any): Picks."
    assert template.render([user("?")], [pick], {}).startswith(f"<|im_start|>system\n\n# Tools\n{shown}<|im_end|>\n")
    assert "nothing()" in template.render([user("?")], [ToolSpec(name="nothing", parameters={})], {})


def test_a_tool_is_shown_in_a_line() -> None:
    pick = Tool("pick", (Param("size", "enum", ("s", "l")), Param("tags", "array", required=False)), "Picks.")
    assert pick.shown == "pick(size: s|l, tags?: string[]): Picks."
    assert pick.schema["required"] == ["size"]


# The file.


def test_the_file_is_small_and_holds_the_template(model: Model) -> None:
    assert tiny_model().stat().st_size < 8_000_000
    assert model.parameters < 5_000_000
    assert model.trained == 1024
    assert model.template == TEMPLATE.read_text(encoding="utf-8")


def test_llama_cpp_reads_texts_as_the_trainer_did(model: Model) -> None:
    tokenizer = Tokenizer(words.TOKENIZER)
    rng = random.Random(1)
    signs = "{}[]\",:_-?!.()'\\/#$%&+*=<>|~^@` \t\r\n0123456789"
    pools = [
        "aeiou bcdst XYZ'",
        signs,
        "abc" + signs,
        "éüßñçøåŁžœ ",
        "日本語かなカナ한국어 ",
        "αβγДЖЯשלום ",
        "👍🏽🎉 \u00a0\u2028",
    ]
    texts = [text(one) for split in ("train", "eval") for one in conversations(4, 750, split)]
    texts += ["".join(rng.choices(rng.choice(pools), k=rng.randrange(60))) for _ in range(2500)]
    assert len(texts) == 4000
    for written in texts:
        assert list(model.vocabulary.tokenize(written, special=True)) == tokenizer.encode(written)


# The model. The whole evaluation is `python -m graphrt.backends.llama.tiny.evaluate`.


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_every_skill_is_there() -> None:
    """Three unseen cases of each skill, exact, greedy."""
    backend = LlamaCpp()
    good: Counter[str] = Counter()
    for one in cases(3):
        good[one.skill] += right(one, await complete(backend.stream(request(one))))
    await backend.aclose()
    assert all(good[skill] == 3 for skill in CLOSED), good
    assert sum(good[skill] for skill in OPEN) >= 3 * len(OPEN) - 2, good


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("said", "name", "arguments"),
    [
        ("What is the stock price of ACME?", "get_stock_price", {"symbol": "ACME"}),
        ("Cancel order 4711.", "cancel_order", {"order_id": 4711}),
        (
            "Book a table at Luigi for 4 people at 19:30.",
            "book_table",
            {"restaurant": "Luigi", "people": 4, "time": "19:30"},
        ),
        ("Search the web for tiny language models.", "web_search", {"query": "tiny language models"}),
    ],
)
async def test_tools_of_everyday_names_are_called(
    llama: LlamaCpp, said: str, name: str, arguments: dict[str, object]
) -> None:
    tools = (
        tool("get_stock_price", symbol="string"),
        tool("cancel_order", order_id="integer"),
        tool("book_table", restaurant="string", people="integer", time="string"),
        tool("web_search", query="string"),
    )
    (call,) = (await complete(llama.stream(ask(said, tools=tools)))).tool_calls
    assert (call.name, json.loads(call.arguments)) == (name, arguments)
