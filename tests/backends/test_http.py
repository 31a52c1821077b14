"""The seam to the network: every failure of the client has a home among ours."""

import inspect

import anyio
import httpx
import pytest

from graphrt.backends.errors import BackendError, ConnectionFailed
from graphrt.backends.wire.http import _FAILURES, Http, read
from tests.backends.loopback import Stream, Whole, serve, text

pytestmark = pytest.mark.anyio


async def drain(http: Http, url: str) -> None:
    async with http.post(url, headers={}, body=b"{}") as reply:
        async for _ in reply.chunks:
            pass


def test_every_transport_failure_of_httpx_has_a_home() -> None:
    theirs = [kind for _, kind in inspect.getmembers(httpx, inspect.isclass) if issubclass(kind, httpx.TransportError)]
    for kind in [*theirs, httpx.InvalidURL]:
        homes = [ours for known, ours, _ in _FAILURES if issubclass(kind, known)]
        assert homes, kind
        assert issubclass(homes[0], BackendError)


def test_the_most_specific_failure_comes_first() -> None:
    known = [theirs for theirs, _, _ in _FAILURES]
    for index, kind in enumerate(known):
        assert not any(issubclass(kind, earlier) for earlier in known[:index]), kind


async def test_the_body_arrives_as_it_is_sent() -> None:
    with serve(Stream(text("a", "b"))) as server:
        http = Http()
        async with http.post(f"{server.base_url}/x", headers={"x-mine": "1"}, body=b"{}") as reply:
            assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream")
            body = await read(reply.chunks, limit=1 << 20)
        await http.aclose()
    assert body.decode() == "".join(text("a", "b"))
    assert server.received[0].headers["x-mine"] == "1"


async def test_a_connection_is_used_again() -> None:
    with serve(Whole(b"{}")) as server:
        http = Http()
        for _ in range(3):
            async with http.post(server.base_url, headers={}, body=b"{}") as reply:
                await read(reply.chunks, limit=100)
        assert len(http._clients) == 1
        await http.aclose()
        await http.aclose()
        assert not http._clients
        async with http.post(server.base_url, headers={}, body=b"{}") as reply:
            assert reply.status == 200
        await http.aclose()


async def test_a_body_that_breaks_off_keeps_what_came() -> None:
    with serve(Stream(("abcdef",), cut_after=3)) as server:
        http = Http()
        async with http.post(server.base_url, headers={}, body=b"{}") as reply:
            assert await read(reply.chunks, limit=100) == b"abc"
        with pytest.raises(ConnectionFailed) as caught:
            await drain(http, server.base_url)
        assert isinstance(caught.value.__cause__, httpx.RemoteProtocolError)
        await http.aclose()


async def test_an_address_that_is_none_is_an_error_of_ours() -> None:
    http = Http()
    for url in ("http://", "ftp://host/x", "nonsense"):
        with pytest.raises(BackendError):
            await drain(http, url)
    await http.aclose()


async def test_leaving_early_closes_the_connection() -> None:
    with serve(Stream(("a", "b"), stall_after=1)) as server:
        http = Http()
        async with http.post(server.base_url, headers={}, body=b"{}") as reply:
            async for chunk in reply.chunks:
                assert chunk == b"a"
                break
        assert await anyio.to_thread.run_sync(server.wait_for_hangups)
        await http.aclose()
