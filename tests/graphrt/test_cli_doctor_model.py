"""`graphrt doctor --model`: what an endpoint really does, on the command line (V3)."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import graphrt.cli.probing  # noqa: F401 - it is here for a forked command
from tests.backends.endpoint import Heard, Said, able, hear, refusing, serving
from tests.backends.provider import Asked, Provider, Reply, provide
from tests.graphrt.command import Child, Cli

CANARY = "sk-canary-4711"


@contextmanager
def endpoint(answer: Callable[[Asked], Reply]) -> Iterator[tuple[Provider, str]]:
    """A server, and the URI that leads to it as to one of OpenAI's."""
    with provide(answer) as provider:
        yield provider, f"openai:gpt-4.1?base_url={provider.base_url}&key_env=CANARY_KEY"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_KEY", CANARY)
    monkeypatch.setenv("COLUMNS", "80")


def drifted(heard: Heard) -> Said:
    """A gateway that lost its tools, counts no tokens, and sends another model's answers."""
    return replace(able(replace(heard, tools=(), choice="auto")), usage=None, model="gpt-tiny")


def test_a_table_of_a_model_that_does_what_its_profile_says(cli: Cli, folder: Path) -> None:
    """stdout is data, stderr is progress; what agrees takes one line."""
    with endpoint(serving(able)) as (provider, uri):
        said = cli("doctor", "--model", uri)
        questions = len(provider.asked)
    lines = said.out.splitlines()
    assert said.code == 0
    assert lines[0].split() == ["profile", "found", "verdict"]
    assert "✓ tools             yes     yes         agrees" in lines
    assert "+ rate limits       unknown yes         learned     59 of 60 requests" in lines
    assert lines[-1] == "✓ 16 as its profile says, 1 unknown to its profile"
    assert f"openai:gpt-4.1: {questions} questions in " in said.out
    assert "question 1 of 14: plain" in said.err
    assert not list(folder.glob("*.db"))


def test_what_differs_is_told_with_what_was_asked_and_the_words_that_came(cli: Cli) -> None:
    """6: something differs. No line is longer than the terminal is wide."""
    with endpoint(serving(drifted)) as (_, uri):
        said = cli("doctor", "--model", uri, "--quiet")
    assert (said.code, said.err) == (6, "")
    assert "✗ tools             yes     no          differs\n    asked: a question that a tool answers; it" in said.out
    assert "✗ usage             yes     no          differs\n    asked: how many tokens that was" in said.out
    assert "another name of it, or another model, answers: 'gpt-tiny'" in " ".join(said.out.split())
    assert "✗ 10 as its profile says, 3 not as its profile says, 1 unknown" in " ".join(said.out.split())
    assert max(map(len, said.out.splitlines())) <= 80


@pytest.mark.parametrize("columns", ["20", "40", "52", "200"])
def test_no_terminal_is_too_narrow(cli: Cli, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    """Words go below where there is no room beside, the table becomes words where it has none, and nothing is lost."""
    monkeypatch.setenv("COLUMNS", columns)
    with endpoint(serving(drifted)) as (_, uri):
        said = cli("doctor", "--model", uri, "--quiet")
    words = " ".join(said.out.split())
    assert max(map(len, said.out.splitlines())) <= max(int(columns), 36)
    assert "asked: a question that a tool answers; it answered 'Red, orange" in words
    told = "tools: differs profile: yes, found: no" if int(columns) < 52 else "tools yes no differs"
    assert told in words


def test_json_holds_all_of_it(cli: Cli, folder: Path) -> None:
    """Every finding with its verdict; tokens, and money at the prices of `graphrt.toml`."""
    (folder / "graphrt.toml").write_text('[prices."openai:gpt-4.1"]\ninput = 1000\noutput = 10000\n', "utf-8")
    with endpoint(serving(able)) as (provider, uri):
        said = cli("doctor", "--model", uri, "--json", "-q")
    assert said.code == 0
    data = said.data
    assert (data["model"], data["uri"], data["usable"], data["agrees"], data["advice"]) == (
        "openai:gpt-4.1", uri, True, True, []
    )  # fmt: skip
    assert data["findings"][5] == {
        "name": "tools",
        "asked": "a question that a tool answers",
        "says": True,
        "found": "yes",
        "words": "",
        "verdict": "agrees",
    }
    spent = data["spent"]
    assert (data["questions"], spent["calls"], spent["output"]) == (len(provider.asked), 13, 65)
    assert spent["cost"] == pytest.approx((spent["input"] * 1000 + 65 * 10000) / 1e6)


def test_a_key_that_is_missing_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked: the environment variable is said, which no URI holds."""
    monkeypatch.delenv("CANARY_KEY")
    with endpoint(serving(able)) as (provider, uri):
        said = cli("doctor", "--model", uri)
        assert provider.asked == []
    assert (said.code, said.out) == (6, "")
    assert "the environment has no CANARY_KEY; put the key there" in said.err


@pytest.mark.parametrize("as_json", [False, True])
def test_a_key_that_is_refused_says_where_it_came_from(cli: Cli, as_json: bool) -> None:
    """One question is enough. Nobody repeats the key (M9), or what would steer a terminal."""
    message = f"\x1b[2JIncorrect API key provided: {CANARY}"
    with endpoint(lambda asked: refusing(asked, 401, message)) as (provider, uri):
        said = cli("doctor", "--model", uri, *(["--json"] if as_json else []))
        assert len(provider.asked) == 1
    assert said.code == 6
    assert CANARY not in said.out + said.err
    assert "\x1b" not in said.out
    assert "u001b" not in said.out
    words = " ".join(said.out.split())
    assert "Incorrect API key provided: [secret]" in words
    assert "the key was refused: put one that is valid, and may use this model, into CANARY_KEY" in words


def test_a_key_that_a_server_repeats_in_its_answers_is_not_shown(cli: Cli) -> None:
    """M9: an echo is no error, and is taken for words of the model."""

    def echo(heard: Heard) -> Said:
        text = f"{'x' * 48} {CANARY}" if heard.tools else f"\x1b[2J your key: {CANARY}"
        return replace(able(heard), text=text, calls=(), model=f"{CANARY}/gpt-4.1")

    with endpoint(serving(echo)) as (_, uri):
        for options in ([], ["--json"]):
            said = cli("doctor", "--model", uri, *options)
            assert said.code == 6
            assert "sk-can" not in said.out + said.err  # not cut in two, either
            assert "\x1b" not in said.out
            assert "your key: [secret]" in " ".join(said.out.split())


def test_a_key_of_one_letter_changes_no_judgement(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers of one's own take any: it is taken out of what is shown, not of what is judged."""
    monkeypatch.setenv("CANARY_KEY", "k")
    with endpoint(serving(able)) as (_, uri):
        assert cli("doctor", "--model", uri).code == 0


def test_a_server_that_wants_a_key_and_was_given_none(cli: Cli) -> None:
    """It says how a key is given."""
    with provide(lambda asked: refusing(asked, 401, "who are you?")) as provider:
        said = cli("doctor", "--model", f"openai_chat:m?base_url={provider.base_url}")
    assert said.code == 6
    assert "it wants a key: put it into an environment variable, and name that with 'key_env=NAME' in the URI" in (
        " ".join(said.out.split())
    )


def test_nobody_at_the_address(cli: Cli) -> None:
    """It says what to look at; no other question is asked."""
    with provide(Reply([])) as provider:
        gone = provider.base_url
    said = cli("doctor", "--model", f"openai_chat:m?base_url={gone}")
    assert said.code == 6
    assert "nobody answers there: see that the server runs" in said.out
    assert "1 question in " in said.out


def test_a_server_that_takes_too_long(cli: Cli) -> None:
    """The bound is of each question."""
    with endpoint(lambda asked: Reply([], mute=True)) as (_, uri):
        said = cli("doctor", "--model", uri, "--timeout", "0.05")
    assert said.code == 6
    assert "no whole answer within 0.05 s" in " ".join(said.out.split())
    assert "give it more time with --timeout" in said.out


def test_a_plain_profile_can_be_named(cli: Cli) -> None:
    """What is unknown of a server of the plain profile may be known under another name; a profile that was chosen is
    not doubted."""
    with provide(serving(able)) as provider:
        uri = f"openai_chat:gpt-4.1?base_url={provider.base_url}"
        plain = cli("doctor", "--model", uri)
        named = cli("doctor", "--model", f"{uri}&profile=openai")
    assert (plain.code, named.code) == (0, 0)
    assert "its profile knows more; add '&profile=NAME' to the URI" in " ".join(plain.out.split())
    assert "profile=NAME" not in named.out


def test_a_role_stands_for_its_model(cli: Cli, folder: Path) -> None:
    """As everywhere; one that is not bound is a mistake of whoever typed it."""
    with provide(serving(able)) as provider:
        binding = f'[models]\nfast = "openai_chat:gpt-4.1?base_url={provider.base_url}"\n'
        (folder / "graphrt.toml").write_text(binding, "utf-8")
        assert cli("doctor", "--model", "fast", "--json").data["model"] == "openai_chat:gpt-4.1"
        wrong = cli("doctor", "--model", "slow")
    assert wrong.code == 2
    assert "no model is bound to 'slow' (bound: fast)" in wrong.err


def test_a_store_and_a_model_are_not_examined_at_once(cli: Cli) -> None:
    """Two patients, two visits."""
    assert cli("doctor", "runs.db", "--model", "scripted:x").code == 2
    assert cli("doctor", "--file-only", "--model", "scripted:x").code == 2


def test_an_unknown_scheme_is_said(cli: Cli) -> None:
    """The same error as in a run."""
    said = cli("doctor", "--model", "oracle:delphi")
    assert (said.code, "scheme: 'oracle' is not known" in said.err) == (6, True)


def test_interrupted_it_hangs_up_and_leaves(folder: Path) -> None:
    """130, and the server is not left working for nobody."""

    def answer(asked: Asked) -> Reply:
        return Reply([], mute=True) if hear(asked).tools else serving(able)(asked)

    with endpoint(answer) as (provider, uri):
        child = Child("doctor", "--model", uri, "--json")
        assert provider.wait_for(lambda seen: len(seen.asked) == 3)
        child.send(signal.SIGINT)
        said = child.end()
        assert provider.wait_for(lambda seen: seen.hung_up == [2])
    assert (said.code, said.out) == (130, "")
    assert "Traceback" not in said.err
