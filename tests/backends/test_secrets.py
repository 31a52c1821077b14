"""No secret reaches a store, a cassette, a cache, a log, an error, a picture or a `repr` (M9).

Each backend gets secrets of its own: a key, headers, signed credentials, an access token. It is asked in real runs over
real sockets, and fails in every way that there is, with a server that quotes what it was sent in every spelling. Then
everything that anybody could keep or see is searched.
"""

from __future__ import annotations

import contextlib
import copy
import html
import json
import logging
import pickle
import socket
import sqlite3
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import pytest

from graphrt import Retry, Runtime, dag, node
from graphrt.backends import Backend
from graphrt.backends.errors import BackendError
from graphrt.backends.messages import Request, conversation
from graphrt.backends.policies import (
    DirectoryStore,
    balance,
    breaker,
    budget,
    cached,
    fallback,
    hedge,
    limited,
    recorded,
)
from graphrt.backends.remote import Remote
from graphrt.backends.scripted import Scripted
from graphrt.cli import main
from graphrt.config import Config
from graphrt.errors import RunFailed
from graphrt.nodes import ask
from tests.backends.provider import SPEECHES, Asked, Reply, Speech, open_at, provide

pytestmark = pytest.mark.anyio

NOWHERE = Config()
ASK = Request(messages=conversation("hi"))

KEY = "sk-Kq7Hd/vN3+wZ8=Tm5Yc.Rb2Jx~Lf9Pg_Ws4Ek"
TEAM = "team-Gx3Bn7/Vd5+Qm9=Tz2Wk.Jc6Rf8Hs4"
PASSWORD = "Pw8Nc4Xr7/Lb2+Vg6Kt9=Dj3Zs5Fq"
BASIC = "Basic " + b64encode(f"me:{PASSWORD}".encode()).decode()
ACCESS = "ya29.Mw6Tj2Fz8Rk-Nd4Gp7Xb3Lq9Hv5Cs"
AWS = {
    "AWS_ACCESS_KEY_ID": "AKIAZ7Q4X9M2V5C8",
    "AWS_SECRET_ACCESS_KEY": "Ht5Rn9Wc3Kz7/Jb2+Xm6Vq4Gd8Ls1FpYt",
    "AWS_SESSION_TOKEN": "IQoJb3Jp/Zx4Cv7Bn2+Ml9Kj5Hg8Fd3Sa6=Qw1",
}
HEADERS = {"x-team": TEAM, "x-proxy": BASIC}


# Who is asked.


@dataclass(frozen=True)
class Door:
    """A backend with secrets. `sent`: those that travel, which a server can quote."""

    api: str
    sent: tuple[str, ...] = (KEY, TEAM, PASSWORD)
    provider: str = ""
    options: Mapping[str, Any] = field(default_factory=lambda: {"key": KEY, "headers": HEADERS})
    kept: tuple[str, ...] = ()
    """Those that stay here."""

    def open(self, base_url: str, **more: Any) -> Remote:
        return open_at(self.api, base_url, provider=self.provider, **{**self.options, **more})


VERTEX: Mapping[str, Any] = {"provider": "google_vertex", "sent": (ACCESS,), "options": {"key": ACCESS}}
DOORS: Mapping[str, Door] = {
    **{api: Door(api) for api in SPEECHES},
    "a key that is asked for": Door("chat_completions", (KEY,), options={"key": lambda: KEY}),
    "anthropic at vertex": Door("messages", **VERTEX),
    "gemini at vertex": Door("generate_content", **VERTEX),
    "bedrock, signed": Door(
        "converse",
        (AWS["AWS_SESSION_TOKEN"],),
        options={"key": None},
        kept=(AWS["AWS_SECRET_ACCESS_KEY"],),
    ),
}


# What a server does with what it was sent.

QUOTES: tuple[Callable[[str], str], ...] = (
    lambda key: key,
    lambda key: f"Authorization: Bearer {key}",
    lambda key: f"https://host.example/v1?key={quote(key, safe='')}",
    lambda key: json.dumps(key).replace("/", "\\/").replace("+", "\\u002b"),
    html.escape,
    lambda key: b64encode(key.encode()).decode(),
    lambda key: b64encode(f"me:{key}".encode()).decode(),
    lambda key: f"{key[:7]}*******{key[-5:]}",
    lambda key: f"{key[:14]}...",
)


def quoting(door: Door) -> str:
    return "; ".join(say(key) for say in QUOTES for key in door.sent)


Misdeed = Callable[[Door, Speech], Reply]


def _refusal(door: Door, speech: Speech) -> Reply:
    return speech.refused(401, f"Incorrect key: {quoting(door)}", x_amzn_errortype=door.sent[0], x_reason=door.sent[0])


def _name_of_a_field(door: Door, _: Speech) -> Reply:
    body = {"detail": [{"loc": ["header"], "input": {key: {"was": key}}} for key in door.sent], "code": door.sent[0]}
    return Reply([json.dumps(body).encode()], 403, {"content-type": "application/json"})


def _page(status: int) -> Misdeed:
    def page(door: Door, _: Speech) -> Reply:
        return Reply([f"<html><p>no entry: {quoting(door)}</p></html>".encode()], status, {"content-type": "text/html"})

    return page


def _error_within(door: Door, speech: Speech) -> Reply:
    return speech.reply([speech.begin, speech.word("Well, "), speech.error(f"it broke: {quoting(door)}")])


def _rubbish_within(door: Door, speech: Speech) -> Reply:
    rubbish = b"x" * 70 + door.sent[0].encode()  # where an error cuts what it shows
    frame = rubbish + b"\n" if speech.api == "ollama_chat" else b"data: " + rubbish + b"\n\n"
    return speech.reply([speech.begin, frame])


def _words_instead(door: Door, speech: Speech) -> Reply:
    return speech.reply([f"upstream said: {quoting(door)}\n".encode()])


def _redirect(door: Door, _: Speech) -> Reply:
    where = f"https://elsewhere.example/?key={quote(door.sent[0])}"
    return Reply([b""], 302, {"location": where, "set-cookie": f"k={door.sent[0]}"})


MISDEEDS: Mapping[str, Misdeed] = {
    "answers": lambda _, speech: speech.reply(speech.text("hello")),
    "refuses": _refusal,
    "refuses in a shape of its own": _name_of_a_field,
    "refuses with a page": _page(401),
    "answers with a page": _page(200),
    "breaks off with an error": _error_within,
    "talks rubbish": _rubbish_within,
    "talks instead": _words_instead,
    "redirects": _redirect,
    "is reset": lambda _, speech: speech.reply([speech.begin, speech.word("Well")], end="reset"),
    "falls silent": lambda _, speech: speech.reply([speech.begin], end="stall"),
    "says nothing": lambda _, speech: speech.reply([], mute=True),
}
SLOW = {"falls silent", "says nothing"}


# What is asked through.


def _stacked(source: Backend, folder: Path) -> Backend:
    kept = cached(recorded(source, folder / "cassette", mode="record"), DirectoryStore(folder / "cache"))
    guarded = limited(breaker(budget(kept, tokens=100_000)), requests=1000, tokens=100_000, concurrency=8)
    return fallback(hedge(balance([guarded]), Scripted(lambda _: BackendError("nobody")), after=60.0), restart=True)


POLICIES: Mapping[str, Callable[[Backend, Path], Backend]] = {
    "alone": lambda source, _: source,
    "fallback": lambda source, _: fallback(source, Scripted(lambda _: BackendError("nobody"))),
    "balance": lambda source, _: balance([source]),
    "hedge": lambda source, _: hedge(source, Scripted(lambda _: BackendError("nobody")), after=60.0),
    "limited": lambda source, _: limited(source, requests=1000, tokens=100_000, concurrency=8),
    "breaker": lambda source, _: breaker(source, failures=1),
    "budget": lambda source, _: budget(source, tokens=100_000),
    "cached": lambda source, folder: cached(source, DirectoryStore(folder / "cache")),
    "recorded": lambda source, folder: recorded(source, folder / "cassette", mode="record"),
    "all of them": _stacked,
}

CASES = [(door, "alone", "asyncio") for door in DOORS]
CASES += [(door, "all of them", "asyncio") for door in ("chat_completions", "generate_content", "bedrock, signed")]
CASES += [("chat_completions", policy, "asyncio") for policy in POLICIES if policy not in {"alone", "all of them"}]
CASES += [("chat_completions", "alone", "trio"), ("messages", "all of them", "trio")]
"""On trio a few: what is asked, and what is said of it, is the same there."""


@node(retry=Retry(attempts=1))
async def question(role: str) -> str:
    return (await ask(role, "hi")).text


@dag
def talk(role: str) -> str:
    return question(role)


# Everything that anybody could keep or see.


class Seen(dict[str, str]):
    """What was seen, by where."""

    def add(self, where: str, *what: object) -> None:
        self[where] = self.get(where, "") + "\n".join(map(str, what)) + "\n"

    def add_error(self, where: str, error: BaseException) -> None:
        """An error, all that led to it, and what a tool that shows the locals of our own functions would show."""
        for each in chain(error):
            self.add(f"{where}, {type(each).__name__}", each, repr(each), vars(each), each.args)
            self.add(f"{where}, traceback", *traceback.format_exception(each))
            for frame, _ in traceback.walk_tb(each.__traceback__):
                if frame.f_globals["__name__"].startswith("graphrt."):
                    self.add(f"{where}, locals of {frame.f_code.co_name}", *map(repr, frame.f_locals.values()))

    def add_object(self, where: str, found: object, depth: int = 4) -> None:
        """What an object of ours shows of itself and of what it is made of."""
        self.add(f"{where}, {type(found).__name__}", found, repr(found))
        inside = getattr(found, "__dict__", {})
        self.add(f"{where}, {type(found).__name__}", inside)
        for name, each in inside.items():
            if depth and type(each).__module__.startswith("graphrt"):
                self.add_object(f"{where}.{name}", each, depth - 1)

    def add_files(self, folder: Path, which: str = "*") -> None:
        for path in folder.rglob(which):
            if path.is_file():
                filled = path.read_bytes().replace(b"\0", b"")  # a database grows by empty pages
                self.add(str(path.relative_to(folder)), path.name, filled.decode("latin-1"))


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, its causes and its contexts, shown or not."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and each not in found:
            found.append(each)
            waiting += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]
    yield from found


def traces(secret: str) -> set[str]:
    """What gives a secret away: any eleven letters of it in a row, in base64 too, and what a mask leaves."""
    data = secret.encode()
    texts = (secret, *(b64encode(data[at:]).decode().rstrip("=") for at in range(3)))
    windows = {text[at : at + 8] for text in texts for at in range(0, len(text) - 7, 4)}
    # `Basic bWU6` and `team-` are no secrets
    return {window for window in windows if not secret.startswith(window[:5])} | {secret[:7], secret[-5:]}


def leaks(seen: Seen, door: Door) -> dict[str, str]:
    marks = {mark for secret in (*door.sent, *door.kept) for mark in traces(secret)}
    return {where: mark for where, what in seen.items() for mark in marks if mark in what}


def rows(store: Path) -> Iterator[object]:
    """Every value of every table."""
    with contextlib.closing(sqlite3.connect(store)) as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in database.execute(f'SELECT * FROM "{table}"'):
                yield from (each.decode("latin-1") if isinstance(each, bytes) else each for each in row)


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(("named", "policy", "anyio_backend"), CASES)
async def test_nothing_shows_a_secret(
    named: str, policy: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if named == "bedrock, signed":
        pytest.importorskip("botocore", reason="only the extra `bedrock` brings it")
    caplog.set_level(logging.DEBUG)
    door, seen = DOORS[named], Seen()
    speech = SPEECHES[door.api]
    store = tmp_path / "runs.db"
    with contextlib.ExitStack() as stack:
        sources = {"nobody": door.open(_nobody())}
        providers = {misdeed: stack.enter_context(provide(do(door, speech))) for misdeed, do in MISDEEDS.items()}
        for misdeed, there in providers.items():
            sources[misdeed] = door.open(there.base_url, idle=0.05 if misdeed in SLOW else 20.0)
        odd = {**door.options.get("headers", {}), "x odd": door.sent[0]}
        sources["an odd header"] = door.open(providers["answers"].base_url, headers=odd)
        backends = {misdeed: POLICIES[policy](source, tmp_path / misdeed) for misdeed, source in sources.items()}
        async with Runtime(store, models=backends, config=NOWHERE, durability="process") as rt:
            for misdeed, backend in backends.items():
                await see_run(rt, misdeed, seen)
                await see_stream(misdeed, backend, seen)
                see_backend(misdeed, backend, sources[misdeed], seen)
            seen.add_files(tmp_path)  # while it is open, not all of the store is in the one file
        for backend in backends.values():
            await backend.aclose()
    for there in providers.values():
        assert all(_carries(there.asked[0], secret) for secret in door.sent)  # it was there to be quoted
        assert bool(there.asked[0].headers.get("x-amz-date")) == (named == "bedrock, signed")

    seen.add("rows", *rows(store))
    seen.add_files(tmp_path)
    # the client shows, to whoever debugs it, what servers put into their own headers
    records = [record for record in caplog.records if not record.message.startswith("receive_response_headers")]
    seen.add("log", *(f"{record.message} {vars(record)}" for record in records))
    assert leaks(seen, door) == {}
    for misdeed in ("refuses", "refuses with a page", "breaks off with an error"):
        assert "[secret]" in "".join(what for where, what in seen.items() if where.startswith(misdeed))
    assert "HTTP Request: POST" in seen["log"]
    if policy in {"recorded", "all of them"}:
        assert any("cassette" in where for where in seen)
    if policy in {"cached", "all of them"}:
        assert any("cache/" in where for where in seen)


async def see_run(rt: Runtime, misdeed: str, seen: Seen) -> None:
    run = await rt.start(talk, misdeed)
    try:
        assert await run.result() == "hello"
        assert misdeed == "answers"
    except RunFailed as failed:
        assert misdeed != "answers"
        seen.add_error(f"{misdeed}, run", failed)
    seen.add(f"{misdeed}, facts", *[entry async for entry in run.events()])


async def see_stream(misdeed: str, backend: Backend, seen: Seen) -> None:
    events = [event async for event in backend.stream(ASK)]
    seen.add(f"{misdeed}, events", *events)
    for event in events:
        if isinstance(error := getattr(event, "error", None), BaseException):
            seen.add_error(f"{misdeed}, stream", error)


def see_backend(misdeed: str, backend: Backend, source: Remote, seen: Seen) -> None:
    seen.add_object(f"{misdeed}, backend", backend)
    seen.add_object(f"{misdeed}, copy", copy.copy(source))
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)) as refused:
        pickle.dumps(source)
    seen.add(f"{misdeed}, pickle", refused.value)


def _carries(asked: Asked, secret: str) -> bool:
    sent = " ".join(asked.headers.values())
    return secret in sent or b64encode(f"me:{secret}".encode()).decode() in sent


def _nobody() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_no_command_shows_a_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    door, store, seen = DOORS["chat_completions"], str(tmp_path / "runs.db"), Seen()
    speech = SPEECHES[door.api]
    runs = list[str]()

    async def live() -> None:
        for misdeed in ("answers", "refuses", "breaks off with an error"):
            with provide(MISDEEDS[misdeed](door, speech)) as there:
                backend = door.open(there.base_url)
                async with Runtime(store, models={"any": backend}, config=NOWHERE) as rt:
                    run = await rt.start(talk, "any")
                    with contextlib.suppress(RunFailed):
                        await run.result()
                    runs.append(run.id)
                await backend.aclose()

    def call(*argv: str) -> None:
        with pytest.raises(SystemExit):
            main(argv)
        said = capsys.readouterr()
        assert said.out, (argv, said.err)
        seen.add(" ".join(argv), said.out, said.err)

    anyio.run(live)
    for more in ([], ["--json"]):
        call("graph", f"{__name__}:talk", *more)
        call("doctor", store, *more)
        for argv in (["ls"], ["size"], ["diff", *runs[:2]], *(["show", run] for run in runs)):
            call(*argv, "--store", store, *more)
        for run in runs:
            call("show", f"{run}@question", "--store", store, *more)
    for run in runs:
        call("export", run, "--store", store)
    assert leaks(seen, door) == {}
    assert "[secret]" in "".join(seen.values())


@pytest.mark.parametrize("mistake", ["api_key={}", "key_env={}", "base_url=me:{}@host.example", "idle=1&idle=2&key={}"])
async def test_a_key_in_a_binding_fails_its_step_without_being_shown(mistake: str, tmp_path: Path) -> None:
    uri = f"openai:m?{mistake.format(PASSWORD)}"
    async with Runtime(tmp_path / "runs.db", models={"any": uri}, config=NOWHERE) as rt:
        run = await rt.start(talk, "any")
        with pytest.raises(RunFailed, match="BindingError: 'openai:m") as failed:
            await run.result()
    seen = Seen()
    seen.add("error", failed.value, *traceback.format_exception(failed.value))
    seen.add("rows", *rows(tmp_path / "runs.db"))
    assert leaks(seen, Door("", (PASSWORD,))) == {}
