"""What a run spent, on the command line: in `show`, for the run, for a step, and as JSON (M4, V3)."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from graphrt import Retry, Runtime, dag
from graphrt.backends.accounting import Total
from graphrt.backends.errors import StreamTruncated
from graphrt.backends.events import Answer, Usage
from graphrt.backends.messages import assistant
from graphrt.backends.prices import OWN
from graphrt.backends.scripted import Line, Scripted
from graphrt.cli import looking
from graphrt.config import Config
from graphrt.nodes import generated, llm
from graphrt.view.spending import cost_cell, line_of, tokens_cells
from tests.graphrt.command import Cli


@llm("Plan {{ topic }}.", model="smart", retry=Retry(attempts=2, base=0))
def plan(topic: str) -> str:
    return generated()


@llm("Write {{ what }}.", model="smart")
def write(what: str) -> str:
    return generated()


@dag
def work(topic: str) -> str:
    return write(plan(topic))


def total(**facts: Any) -> Total:
    nothing: dict[str, Any] = dict.fromkeys(Total.__dataclass_fields__)
    return Total(**{**nothing, "calls": 1, "wasted": 0, "untold": 0, "unpriced": 0, "priced_by": (), **facts})


@pytest.fixture
def recorded(folder: Path) -> str:
    """The id of a run whose first answer broke off; prices are our own."""
    (folder / "graphrt.toml").write_text('[prices."house:big"]\ninput = 10\noutput = 100\n', encoding="utf-8")
    answers: list[Line] = [
        StreamTruncated("cut", usage=Usage(input=80, output=9)),
        Answer(message=assistant("a plan"), finish="stop", usage=Usage(input=1_000, output=500)),
        Answer(message=assistant("a text"), finish="stop", usage=Usage(input=154, output=58)),
    ]

    async def main() -> str:
        async with Runtime("graphrt.db", models={"smart": Scripted(answers, name="house:big")}, config=Config()) as rt:
            run = await rt.start(work, "tides")
            await run.result()
            return str(run.id)

    return anyio.run(main)


def test_show_says_in_one_line_what_a_run_spent(cli: Cli, recorded: str) -> None:
    """Tokens, how many of them for nothing, and money; after the steps."""
    lines = cli("show", recorded).out.splitlines()
    assert lines[-1] == "tokens 1,234 in / 567 out (89 wasted) · $0.0690"
    assert re.fullmatch(r"  STEP +STATUS +TOOK +TRIES +TOKENS +COST +OUTPUT", lines[1])
    assert re.fullmatch(r'✓ plan +finished +[\d.]+ m?s +2 +1,589 +\$0\.0617 +"a plan"', lines[2])
    assert re.fullmatch(r'✓ write +finished +[\d.]+ m?s +212 +\$0\.0073 +"a text"', lines[3])


def test_ls_says_what_each_run_spent(cli: Cli, recorded: str) -> None:
    """Tokens and money where a model was asked, nothing where none was; --json has the sums."""
    cli("run", "flows.py:greet", "--text", "a", "--run-id", "r")
    heads, free, paid = cli("ls").out.splitlines()
    assert heads.split() == ["RUN", "STATUS", "GRAPH", "BEGAN", "TOOK", "TOKENS", "COST"]
    assert paid.split()[-2:] == ["1,801", "$0.0690"]
    assert "$" not in free
    spent = {run["id"]: run["spent"] for run in cli("ls", "--json").data}
    assert (spent["r"], spent[recorded]["calls"], spent[recorded]["wasted"]) == (None, 3, 89)


def test_ls_reads_so_much_and_says_nothing_of_the_runs_beyond(
    cli: Cli, recorded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of enormous runs is as quick as one of small ones; unknown is not 0."""
    monkeypatch.setattr(looking, "ADDED_UP", 3)
    assert "TOKENS" not in cli("ls").out
    assert "spent" not in cli("ls", "--json").data[0]


@pytest.mark.parametrize(
    ("facts", "cells"),
    [
        ({}, (("?", "?"), "?")),
        ({"input": 900, "output": 99, "unpriced": 1}, (("999", "999"), "?")),
        ({"input": 1_500, "cost": Decimal("0.00001"), "untold": 1}, (("1,500+", "1.5k+"), "<$0.0001+")),
        ({"output": 2_000_000, "cost": Decimal(3)}, (("2,000,000", "2.0M"), "$3.00")),
    ],
)
def test_the_cells_of_a_table_say_what_is_not_known(facts: dict[str, Any], cells: tuple[tuple[str, str], str]) -> None:
    """A sum that lacks something ends in a plus (M4)."""
    assert (tokens_cells(total(**facts)), cost_cell(total(**facts))) == cells
    assert (tokens_cells(None), cost_cell(None)) == (("", ""), "")


def test_show_of_a_step_says_what_that_spent(cli: Cli, recorded: str) -> None:
    """All of its attempts."""
    assert "spent: tokens 1,080 in / 509 out (89 wasted) · $0.0617\n" in cli("show", f"{recorded}@plan").out
    assert "spent: tokens 154 in / 58 out · $0.0073\n" in cli("show", f"{recorded}@write").out
    data = cli("show", f"{recorded}@write", "--json").data
    assert (data["spent"]["input"], data["spent"]["wasted"], data["spent"]["cost"]) == (154, 0, 0.00734)


def test_show_as_json_has_every_call_and_the_sums(cli: Cli, recorded: str) -> None:
    """V3: numbers, and null for what is not known."""
    data = cli("show", recorded, "--json").data
    spent = data["spent"]
    assert (spent["calls"], spent["input"], spent["output"], spent["cache_read"]) == (3, 1234, 567, None)
    assert (spent["wasted"], spent["untold"], spent["unpriced"], spent["priced_by"]) == (89, 0, 0, [OWN])
    assert spent["cost"] == pytest.approx(0.06904)
    assert {name: each["calls"] for name, each in spent["steps"].items()} == {"plan": 2, "write": 1}
    assert {name: each["output"] for name, each in spent["roles"].items()} == {"smart": 567}
    assert list(spent["backends"]) == ["house:big"]
    first = spent["each"][0]
    assert (first["step"], first["attempt"], first["error"], first["wasted"]) == ("plan", 1, "truncated", True)
    assert first["usage"] == {"input": 80, "output": 9, "cache_read": None, "cache_write": None, "reasoning": None}
    assert (first["cost"], first["priced_by"]) == (0.0017, OWN)
    assert [step["spent"]["output"] for step in data["steps"]] == [509, 58]


def test_a_run_that_asked_no_model_says_nothing_of_it(cli: Cli) -> None:
    """Most runs have no use for a line of zeros."""
    cli("run", "flows.py:greet", "--text", "a", "--run-id", "r")
    assert "tokens" not in cli("show", "r").out
    assert "spent" not in cli("show", "r@shout").out
    assert cli("show", "r", "--json").data["spent"] is None
    assert cli("show", "r@shout", "--json").data["spent"] is None


def test_a_model_that_tells_no_usage_is_not_free(cli: Cli) -> None:
    """Unknown is not 0 (M4)."""
    cli("run", "flows.py:talk", "--text", "a", "--model", "fast=scripted:hello", "--run-id", "r")
    assert cli("show", "r").out.splitlines()[-1] == "tokens unknown + 1 call whose usage nobody told"
    spent = cli("show", "r", "--json").data["spent"]
    assert (spent["input"], spent["cost"], spent["untold"]) == (None, None, 1)


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({"input": 12, "output": 3}, "tokens 12 in / 3 out"),
        ({"input": 12, "unpriced": 1}, "tokens 12 in / ? out · no price known"),
        (
            {"input": 1, "output": 1, "cost": Decimal("12345.678"), "priced_by": (OWN,)},
            "tokens 1 in / 1 out · $12,345.68",
        ),
        (
            {"input": 1, "output": 1, "cost": Decimal("0.5"), "priced_by": (OWN, "genai-prices 1.0"), "unpriced": 2},
            "tokens 1 in / 1 out · $0.5000 (genai-prices 1.0) + 2 calls without a price",
        ),
        ({"input": 1, "output": 1, "cost": Decimal("0.00001")}, "tokens 1 in / 1 out · less than $0.0001"),
        ({"input": 1, "output": 1, "cost": Decimal(0)}, "tokens 1 in / 1 out · $0.00"),
        ({"input": 9, "output": 1, "untold": 2}, "tokens 9 in / 1 out + 2 calls whose usage nobody told"),
    ],
)
def test_the_line_says_what_is_not_known_and_whose_prices_these_are(facts: dict[str, Any], line: str) -> None:
    """A sum that lacks something says so; the package of prices is named with its version."""
    assert line_of(total(**facts)) == line
