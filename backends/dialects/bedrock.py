"""Bedrock's Converse API: one wire format for the models of many makers.

What goes out is in `bedrock_request`, what comes back in `bedrock_stream`, how its bytes are framed in `eventstream`.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import quote

from graphrt.backends.base import Capabilities
from graphrt.backends.dialects.answering import Answering
from graphrt.backends.dialects.bedrock_request import request_body
from graphrt.backends.dialects.bedrock_stream import EXCEPTIONS, ConverseStream
from graphrt.backends.dialects.dialect import Asked
from graphrt.backends.errors import AuthFailed, BindingError
from graphrt.backends.keys import Key
from graphrt.backends.messages import Request
from graphrt.backends.remote import Remote, Sign
from graphrt.backends.wire.eventstream import FrameReader


class BedrockDialect:
    """The Converse API: a `Dialect`."""

    @property
    def provider(self) -> str:
        """See Dialect.provider."""
        return "bedrock"

    @property
    def capabilities(self) -> Capabilities:
        """What holds for all models behind it."""
        return Capabilities(seed=False)

    def write(self, request: Request, model: str) -> Asked:
        """See Dialect.write. A model may also be the ARN of a profile, whose slashes are no part of the path."""
        body, warnings = request_body(request, model=model, provider=self.provider)
        path = f"/model/{quote(model, safe='')}/converse-stream"
        return Asked(path, body, warnings, {"accept": "application/vnd.amazon.eventstream"})

    def read(self, answer: Answering, *, secrets: tuple[str, ...] = ()) -> FrameReader:
        """See Dialect.read."""
        stream = ConverseStream(answer, secrets=secrets)
        return FrameReader(stream, provider=self.provider, statuses=EXCEPTIONS, secrets=secrets)


class Bedrock(Remote):
    """One model of Bedrock. See Remote; `key` is a Bedrock API key, as in `AWS_BEARER_TOKEN_BEDROCK`, and without one
    requests are signed (see `sigv4`). The address follows from `region` unless `base_url` gives another one."""

    def __init__(
        self,
        model: str,
        *,
        region: str = "us-east-1",
        base_url: str | None = None,
        key: Key = None,
        headers: Mapping[str, str] | None = None,
        connect: float = 10.0,
        idle: float = 300.0,
    ) -> None:
        super().__init__(
            BedrockDialect(),
            model,
            base_url=base_url or f"https://bedrock-runtime.{region}.amazonaws.com",
            key=key,
            sign=None if key else sigv4(model, region),
            headers=headers,
            connect=connect,
            idle=idle,
        )
        self.region = region


def sigv4(model: str, region: str) -> Sign:
    """Return what signs requests as AWS wants it, with the credentials that its own tools would find: of the
    environment, a profile, or the machine's role. It may read files and ask the network. Raises BindingError without
    botocore, and from the signer AuthFailed without credentials."""
    try:
        session = importlib.import_module("botocore.session").Session()
        auth, requests, errors = (
            importlib.import_module(f"botocore.{name}") for name in ("auth", "awsrequest", "exceptions")
        )
    except ImportError:
        problem = "signing needs `pip install 'graphrt[bedrock]'`; a Bedrock API key does not"
        raise BindingError(f"bedrock:{model}", "key", problem) from None

    def sign(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        try:
            found: Any = session.get_credentials()
            frozen = found.get_frozen_credentials() if found else None
        except errors.BotoCoreError as error:
            raise AuthFailed(f"no AWS credentials: {error}", provider="bedrock") from error
        if frozen is None:
            raise AuthFailed("no AWS credentials: neither environment nor profile nor role has any", provider="bedrock")
        kept = {name: value for name, value in headers.items() if name == "content-type"}
        request = requests.AWSRequest(method=method, url=url, headers=kept, data=body)
        with _unlogged("botocore.auth"):
            auth.SigV4Auth(frozen, "bedrock", region).add_auth(request)
        signed = {name.lower(): str(value) for name, value in request.headers.items()}
        return {name: value for name, value in signed.items() if name not in kept}

    return sign


_silent: ContextVar[bool] = ContextVar("graphrt signing", default=False)


@contextmanager
def _unlogged(name: str) -> Iterator[None]:
    """Keep a logger silent about what happens in the block, and in it alone: botocore logs what it signs, the session's
    token too, to whoever debugs it (M9)."""
    logging.getLogger(name).addFilter(_is_said)  # it keeps one of each
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def _is_said(_: logging.LogRecord) -> bool:
    return not _silent.get()
