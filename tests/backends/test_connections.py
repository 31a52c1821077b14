"""A connection serves one answer after the other, as long as each of them ends."""

import anyio.to_thread
import pytest

from graphrt.backends.events import Finished, complete
from graphrt.backends.messages import Request, conversation
from graphrt.backends.wire import http
from tests.backends.provider import PATIENCE, SPEECHES, Provider, open_at, provide

pytestmark = pytest.mark.anyio

ASK = Request(messages=conversation("hello"))


async def twice(api: str, provider: Provider) -> None:
    backend = open_at(api, provider.base_url)
    for _ in range(2):
        answer = await complete(backend.stream(ASK))
        assert (answer.text, answer.finish) == ("so ", "stop")
    await backend.aclose()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this machine is, the end of a body comes at once."""
    monkeypatch.setattr(http, "_LINGER", PATIENCE)


@pytest.mark.parametrize("api", SPEECHES)
async def test_a_second_question_needs_no_second_connection(api: str, patient: None) -> None:
    """The terminal signal is not the end of the body: what stands between is read."""
    speech = SPEECHES[api]
    with provide(speech.reply(speech.text("so "))) as provider:
        await twice(api, provider)
        assert (provider.connected, len(provider.asked)) == (1, 2)


@pytest.mark.parametrize("api", sorted(SPEECHES.keys() - {"generate_content"}))
async def test_an_answer_whose_body_never_ends_is_an_answer_and_is_hung_up_on(api: str) -> None:
    """M3: the terminal signal counts. `generate_content` has none but its finish reason, which more may follow."""
    speech = SPEECHES[api]
    with provide(speech.reply(speech.text("so "), end="stall")) as provider:
        await twice(api, provider)
        assert await anyio.to_thread.run_sync(provider.wait_for, lambda seen: sorted(seen.hung_up) == [0, 1])
        assert provider.connected == 2


async def test_a_reader_that_leaves_at_the_terminal_event_leaves_the_connection_to_the_next(patient: None) -> None:
    speech = SPEECHES["messages"]
    with provide(speech.reply(speech.text("so "))) as provider:
        backend = open_at("messages", provider.base_url)
        for _ in range(2):
            stream = backend.stream(ASK)
            async for event in stream:
                if isinstance(event, Finished):
                    break
            await stream.aclose()
        await backend.aclose()
        assert provider.connected == 1
