"""Where the key of a backend comes from: given as it is, or asked for when it is needed.

    OpenAIChat("gpt-x", base_url=…, key=lambda: keyring.get_password("openai", "me"))
    open_backend("openai:gpt-x", secrets=vault.read)        vault.read("OPENAI_API_KEY") before each request

A source is asked before each request, so a key may expire and be rotated; how long one is good for is known to the
source, which may keep it that long. An async function is awaited; an ordinary one may wait for a disk or a network: it
runs in a worker thread. Cancelled, an async one is cancelled with the request, and a thread is left behind with nobody
waiting for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import anyio.to_thread
from pydantic import SecretStr

from graphrt.backends.errors import AuthFailed, BackendError
from graphrt.backends.wire.redaction import redact
from graphrt.types import Secrets

Found: TypeAlias = str | SecretStr | None
Source: TypeAlias = Callable[[], Found | Awaitable[Found]]
"""Gives a key, each time it is called."""
Key: TypeAlias = str | SecretStr | Source | None
"""A key, or who gives it."""


@dataclass(frozen=True, slots=True)
class Named:
    """A source that asks for one secret by its name."""

    secrets: Secrets = field(repr=False)
    name: str

    def __call__(self) -> Found | Awaitable[Found]:
        """Ask."""
        return self.secrets(self.name)


class Held:
    """The key of one backend, where no `repr` shows it (M9)."""

    def __init__(self, key: Key) -> None:
        """Raises ValueError for a key that no header can carry."""
        self._source = key if callable(key) else None
        self._last = None if callable(key) else _fit(key)

    @property
    def changes(self) -> bool:
        """Whether the next request may get another key."""
        return self._source is not None

    async def get(self, backend: str) -> SecretStr | None:
        """Return the key for one request to `backend`, or None where none is wanted.

        Raises AuthFailed where the source has none, or fails, in the source's words; and a BackendError of the source's
        as it is: `ConnectionFailed` says that trying again may help.
        """
        if self._source is None:
            return self._last
        failure = "gave none"
        try:
            found = _fit(await _asked(self._source))
        except BackendError:
            raise
        except Exception as error:
            found, failure = None, f"failed: {type(error).__name__}: {error}"
        if found is None:
            known = () if self._last is None else (self._last.get_secret_value(),)
            # without its cause: nobody can take a secret out of that
            raise AuthFailed(f"no key for {backend}: {_called(self._source)} {redact(failure, known)}")
        self._last = found
        return found


class Quiet(dict[str, str]):
    """Headers. A traceback that shows its locals shows their names only (M9)."""

    def __repr__(self) -> str:
        return f"Quiet({', '.join(self)})"


def header(name: str, value: str) -> SecretStr:
    """A value that a header can carry. Raises ValueError."""
    value = value.strip()
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"{name} holds characters that no header can carry")
    return SecretStr(value)


def _fit(key: Found) -> SecretStr | None:
    """A key as a header carries it. A file's newline at its end is common, and no part of it."""
    letters = key.get_secret_value() if isinstance(key, SecretStr) else key
    return header("the key", letters) if letters and letters.strip() else None


async def _asked(source: Source) -> Found:
    call = source.secrets if isinstance(source, Named) else source
    if inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(type(call).__call__):
        found = source()
    else:
        # in a tuple: trio takes no awaitable from a thread
        (found,) = await anyio.to_thread.run_sync(lambda: (source(),), abandon_on_cancel=True)
    return await found if inspect.isawaitable(found) else found


def _called(source: Source | Secrets) -> str:
    """What an error calls a source: what its definition calls it."""
    if isinstance(source, Named):
        return f"{_called(source.secrets)}({source.name!r})"
    return str(getattr(source, "__qualname__", type(source).__qualname__))
