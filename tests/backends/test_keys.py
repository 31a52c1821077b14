"""A key is given, or asked for before each request, so that it can be rotated; nobody sees it (M9)."""

from __future__ import annotations

import functools
import json
import threading
import traceback
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import anyio
import anyio.lowlevel
import pytest
from pydantic import SecretStr

from graphrt import Retry, Runtime, context, node
from graphrt.backends.dialects.bedrock import Bedrock
from graphrt.backends.errors import AuthFailed, BackendError, BindingError, ConnectionFailed
from graphrt.backends.events import Answer, complete
from graphrt.backends.keys import Key
from graphrt.backends.messages import Request, conversation
from graphrt.backends.remote import Remote
from graphrt.backends.uri import open_backend
from graphrt.config import Config
from graphrt.errors import RunFailed
from graphrt.nodes import generated, llm
from graphrt.testing import JumpingClock
from tests.backends.provider import SPEECHES, Asked, Provider, Reply, open_at, provide

pytestmark = pytest.mark.anyio

ASK = Request(messages=conversation("hi"))
CHAT = SPEECHES["chat_completions"]
HELLO = CHAT.reply(CHAT.text("hello"))
NOWHERE = Config()


@llm("Say it.", model="fast", retry=Retry(attempts=2))
def say() -> str:
    return generated()


def turning(*keys: str) -> Callable[[], str]:
    """A source with another key each time."""
    return functools.partial(next, iter(keys))


async def ask(there: Provider, key: Key) -> Answer:
    backend = open_at("chat_completions", there.base_url, key=key)
    try:
        return await complete(backend.stream(ASK))
    finally:
        await backend.aclose()


async def failed(there: Provider, key: Key) -> BackendError:
    with pytest.raises(BackendError) as caught:
        await ask(there, key)
    return caught.value


def carried(there: Provider) -> list[str]:
    return [asked.headers["authorization"].removeprefix("Bearer ") for asked in there.asked]


# Where a key comes from.


async def test_a_source_is_asked_before_each_request() -> None:
    with provide(HELLO) as there:
        backend = open_at("chat_completions", there.base_url, key=turning("sk-one", "sk-two"))
        for _ in range(2):
            assert (await complete(backend.stream(ASK))).text == "hello"
        await backend.aclose()
    assert carried(there) == ["sk-one", "sk-two"]


async def _slow() -> str:
    await anyio.lowlevel.checkpoint()
    return "sk-mine"


class _Vault:
    async def __call__(self) -> SecretStr:
        return SecretStr(await _slow())


SOURCES: dict[str, Key] = {
    "text": "sk-mine",
    "text of a file": "sk-mine\n",
    "hidden text": SecretStr("sk-mine"),
    "function": lambda: "sk-mine",
    "function of hidden text": lambda: SecretStr("sk-mine\n"),
    "async function": _slow,
    "function of an awaitable": lambda: _slow(),  # noqa: PLW0108 - nobody can see that it is one
    "async method": _Vault().__call__,
    "async object": _Vault(),
    "part of an async function": functools.partial(_slow),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
async def test_a_key_comes_from_anything_that_gives_one(source: Key) -> None:
    with provide(HELLO) as there:
        await ask(there, source)
    assert carried(there) == ["sk-mine"]


async def test_an_ordinary_function_may_wait_for_a_disk_it_runs_in_a_thread() -> None:
    asked_in: list[int] = []

    def source() -> str:
        asked_in.append(threading.get_ident())
        return "sk-mine"

    with provide(HELLO) as there:
        await ask(there, source)
    assert asked_in != [threading.get_ident()]


@pytest.mark.parametrize(
    ("api", "provider", "header"),
    [
        ("responses", "", "authorization"),
        ("messages", "", "x-api-key"),
        ("messages", "google_vertex", "authorization"),
        ("generate_content", "", "x-goog-api-key"),
        ("generate_content", "google_vertex", "authorization"),
        ("chat_v2", "", "authorization"),
        ("converse", "", "authorization"),
        ("ollama_chat", "", "authorization"),
        ("tgi_generate", "", "authorization"),
    ],
)
async def test_every_dialect_takes_a_source(api: str, provider: str, header: str) -> None:
    speech = SPEECHES[api]
    with provide(speech.reply(speech.text("hello"))) as there:
        backend = open_at(api, there.base_url, provider=provider, key=_slow)
        assert (await complete(backend.stream(ASK))).finish == "stop"
        await backend.aclose()
    assert there.asked[0].headers[header].endswith("sk-mine")


async def test_a_server_without_a_key_is_sent_none() -> None:
    with provide(HELLO) as there:
        await ask(there, None)
        await ask(there, " \n")
    assert [asked.headers.get("authorization") for asked in there.asked] == [None, None]


# A source that fails.


def _raising(error: Exception) -> Callable[[], str]:
    def read_vault() -> str:
        raise error

    return read_vault


async def test_a_source_that_fails_is_an_error_of_ours_in_its_words_and_nobody_is_asked() -> None:
    with provide(HELLO) as there:
        error = await failed(there, _raising(LookupError("the vault is sealed")))
    assert isinstance(error, AuthFailed)
    assert not error.retryable
    assert "read_vault failed: LookupError: the vault is sealed" in str(error)
    assert there.asked == []


async def test_a_source_says_itself_whether_trying_again_may_help() -> None:
    with provide(HELLO) as there:
        error = await failed(there, _raising(ConnectionFailed("the vault is away")))
    assert isinstance(error, ConnectionFailed)
    assert error.retryable


@pytest.mark.parametrize("nothing", [None, "", "\n", SecretStr("")])
async def test_a_source_that_gives_nothing_is_an_error_and_no_request_without_a_key(nothing: Any) -> None:
    def read_vault() -> Any:
        return nothing

    with provide(HELLO) as there:
        error = await failed(there, read_vault)
    assert isinstance(error, AuthFailed)
    assert "read_vault gave none" in str(error)
    assert there.asked == []


@pytest.mark.parametrize("key", ["sk-ключ-canary", "sk-\x00-canary"])
async def test_a_key_that_no_header_can_carry_is_an_error_that_does_not_show_it(key: str) -> None:
    with provide(HELLO) as there:
        error = await failed(there, lambda: key)
    assert isinstance(error, AuthFailed)
    assert "no header can carry" in str(error)
    assert "canary" not in "".join(traceback.format_exception(error))


async def test_the_words_of_a_source_do_not_show_the_key_it_gave_before() -> None:
    answers = iter(["sk-canary-1234"])

    def source() -> str:
        for key in answers:
            return key
        raise LookupError("sk-canary-1234 is revoked")

    with provide(HELLO) as there:
        backend = open_at("chat_completions", there.base_url, key=source)
        await complete(backend.stream(ASK))
        with pytest.raises(AuthFailed) as caught:
            await complete(backend.stream(ASK))
        await backend.aclose()
    assert "[secret] is revoked" in str(caught.value)
    assert "canary" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__cause__ is caught.value.__context__ is None  # nobody can take a secret out of these


@pytest.mark.parametrize("nothing", [None, "sk-given"])
async def test_the_key_of_the_moment_is_taken_out_of_what_the_server_says(nothing: str | None) -> None:
    with provide(CHAT.refused(401, "sk-canary-1234 has expired")) as there:
        error = await failed(there, nothing or turning("sk-canary-1234"))
    assert ("sk-canary-1234" in str(error)) == (nothing is not None)


# A key that has expired.


def refusing(key: str) -> Callable[[Asked], Reply]:
    """A server that knows one key only."""
    refusal = CHAT.refused(401, "Incorrect API key provided")
    return lambda asked: HELLO if asked.headers["authorization"] == f"Bearer {key}" else refusal


async def test_after_a_401_the_next_attempt_asks_the_source_again() -> None:
    """E6: the backend itself does not."""
    with provide(refusing("sk-new")) as there:
        backend = open_at("chat_completions", there.base_url, key=turning("sk-old", "sk-new"))
        async with Runtime(models={"fast": backend}, config=NOWHERE, clock=JumpingClock()) as rt:
            assert await rt.run(say) == "hello"
        await backend.aclose()
    assert carried(there) == ["sk-old", "sk-new"]


async def test_the_backend_does_not_ask_again_by_itself() -> None:
    with provide(refusing("sk-new")) as there:
        error = await failed(there, turning("sk-old", "sk-new"))
    assert isinstance(error, AuthFailed)
    assert error.retryable
    assert carried(there) == ["sk-old"]


async def test_a_key_that_was_given_is_not_tried_twice() -> None:
    with provide(refusing("sk-new")) as there:
        backend = open_at("chat_completions", there.base_url, key="sk-old")
        async with Runtime(models={"fast": backend}, config=NOWHERE, clock=JumpingClock()) as rt:
            with pytest.raises(RunFailed):
                await rt.run(say)
        await backend.aclose()
    assert carried(there) == ["sk-old"]


async def test_what_a_key_may_not_do_it_may_not_do_after_another_question_either() -> None:
    with provide(CHAT.refused(403, "this project has no access to the model")) as there:
        error = await failed(there, turning("sk-mine"))
    assert not error.retryable


# Interrupted.


async def test_a_cancelled_request_cancels_its_source() -> None:
    asked, gone = anyio.Event(), anyio.Event()

    async def source() -> str:
        try:
            asked.set()
            await anyio.sleep_forever()
        finally:
            gone.set()
        raise AssertionError

    with provide(HELLO) as there:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, there, source)
            await asked.wait()
            tasks.cancel_scope.cancel()
    assert gone.is_set()
    assert there.asked == []


async def test_a_cancelled_request_does_not_wait_for_the_thread_of_its_source() -> None:
    asked, answer = threading.Event(), threading.Event()

    def source() -> str:
        asked.set()
        assert answer.wait(20)
        return "sk-late"

    with provide(HELLO) as there:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask, there, source)
                assert await anyio.to_thread.run_sync(asked.wait, 20)
                tasks.cancel_scope.cancel()
            assert not answer.is_set()
        finally:
            answer.set()
    assert there.asked == []


# By name.


class Vault:
    """Secrets by name. It knows what it was asked for, and is careless with what it knows."""

    def __init__(self, **known: str) -> None:
        self.known = known
        self.asked: list[str] = []

    def __repr__(self) -> str:
        return f"Vault({self.known})"

    def read(self, name: str) -> str | None:
        self.asked.append(name)
        return self.known.get(name)

    async def fetch(self, name: str) -> SecretStr | None:
        await anyio.lowlevel.checkpoint()
        found = self.read(name)
        return None if found is None else SecretStr(found)


def at(there: Provider, scheme: str = "openai", more: str = "") -> str:
    return f"{scheme}:m?base_url={quote(there.base_url)}{more}"


@pytest.mark.parametrize("way", ["read", "fetch"])
async def test_a_runtime_asks_its_owner_for_the_secrets_of_its_models(way: str) -> None:
    vault = Vault(OPENAI_API_KEY="sk-vault", TEAM="sk-team")
    secrets: Callable[[str], str | SecretStr | Awaitable[Any] | None] = getattr(vault, way)
    with provide(HELLO) as there:
        for uri in (at(there), at(there, "openai_chat", "&key_env=TEAM")):
            async with Runtime(models={"fast": uri}, secrets=secrets, config=NOWHERE) as rt:
                assert await rt.run(say) == "hello"
                assert await rt.run(say) == "hello"
    assert vault.asked == ["OPENAI_API_KEY"] * 2 + ["TEAM"] * 2
    assert carried(there) == ["sk-vault"] * 2 + ["sk-team"] * 2


async def test_a_secret_that_is_not_there_fails_the_step_and_says_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    with provide(HELLO) as there:
        async with Runtime(models={"fast": at(there)}, secrets=Vault().read, config=NOWHERE) as rt:
            with pytest.raises(RunFailed, match=r"no key for openai:m: Vault\.read\('OPENAI_API_KEY'\) gave none"):
                await rt.run(say)
    assert there.asked == []  # nor with what somebody left in the environment


async def test_without_secrets_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    with provide(HELLO) as there:
        async with Runtime(models={"fast": at(there)}, config=NOWHERE) as rt:
            await rt.run(say)
    assert carried(there) == ["sk-env"]


PLACES = (
    *("anthropic:m", "vertex_anthropic:m?project=p", "openai_responses:m", "gemini:m"),
    *("vertex_gemini:m?project=p", "cohere:m", "openai:m", "groq:m"),
)


@pytest.mark.parametrize("uri", PLACES)
async def test_no_secret_is_asked_for_before_it_is_needed(uri: str) -> None:
    vault = Vault()
    backend = open_backend(uri, environ={}, secrets=vault.read)
    assert vault.asked == []
    with pytest.raises(AuthFailed, match=r"Vault\.read"):
        await complete(backend.stream(ASK))
    assert len(vault.asked) == 1
    await backend.aclose()


async def test_a_server_of_ones_own_needs_no_secret() -> None:
    vault = Vault()
    with provide(HELLO) as there:
        backend = open_backend(at(there, "vllm"), environ={}, secrets=vault.read)
        assert isinstance(backend, Remote)
        await complete(backend.stream(ASK))
        await backend.aclose()
    assert vault.asked == []


async def test_who_may_sign_instead_is_asked_for_a_key_only_by_name() -> None:
    vault, environ = Vault(TEAM="sk-team"), {"AWS_BEARER_TOKEN_BEDROCK": "sk-env"}
    speech = SPEECHES["converse"]
    with provide(speech.reply(speech.text("hello"))) as there:
        for more in ("", "&key_env=TEAM"):
            backend = open_backend(at(there, "bedrock", more), environ=environ, secrets=vault.read)
            assert isinstance(backend, Bedrock)
            await complete(backend.stream(ASK))
            await backend.aclose()
    assert carried(there) == ["sk-env", "sk-team"]
    assert vault.asked == ["TEAM"]


@pytest.mark.parametrize(
    ("named", "header", "value"),
    [("", "api-key", "sk-key"), ("&key_env=AZURE_OPENAI_AD_TOKEN", "authorization", "Bearer sk-token")],
)
async def test_a_secret_goes_where_its_name_says(named: str, header: str, value: str) -> None:
    """Azure takes a key in one place and a token in another."""
    vault = Vault(AZURE_OPENAI_API_KEY="sk-key", AZURE_OPENAI_AD_TOKEN="sk-token")
    with provide(HELLO) as there:
        backend = open_backend(at(there, "azure", named), environ={}, secrets=vault.read)
        await complete(backend.stream(ASK))
        await backend.aclose()
    assert {name: there.asked[0].headers.get(name) for name in ("api-key", "authorization")} == {
        "api-key": None,
        "authorization": None,
        header: value,
    }


def test_a_name_that_leads_nowhere_is_still_found_out_first() -> None:
    with pytest.raises(BindingError):
        open_backend("nobody:m", secrets=Vault().read)


async def test_a_source_and_its_backend_show_no_key() -> None:
    with provide(HELLO) as there:
        backend = open_at("chat_completions", there.base_url, key=turning("sk-canary-1234"))
        await complete(backend.stream(ASK))
        shown = [repr(backend), repr(vars(backend)), repr(vars(vars(backend)["_key"])), json.dumps(backend.name)]
        await backend.aclose()
    assert "canary" not in "".join(shown)


async def test_what_a_node_is_handed_shows_no_secret_and_not_who_has_them() -> None:
    @node
    async def look() -> str:
        return repr(context())

    vault = Vault(OPENAI_API_KEY="sk-canary-1234")
    with provide(HELLO) as there:
        async with Runtime(models={"fast": at(there)}, secrets=vault.read, config=NOWHERE) as rt:
            assert await rt.run(say) == "hello"
            shown = await rt.run(look)
        backend = open_backend(at(there), secrets=vault.read)
        assert "canary" not in shown + repr(vars(vars(backend)["_key"]))
        await backend.aclose()
