"""What goes wrong with a model, in one shape for every backend (M5).

    BackendError
    ├── RateLimited  QuotaExceeded  Overloaded  ServerError       the provider said no
    ├── ConnectionFailed  TimedOut  StreamTruncated               the answer did not arrive whole
    ├── ContextLengthExceeded  ContentFiltered  BadRequest  NotFound  AuthFailed  UnsupportedSetting
    ├── InvalidOutput                                             the answer is whole and wrong
    └── StreamProtocolError                                       a backend broke the stream's rules: a bug

Each carries its `category`, whether a retry may help, the provider's wish for a pause, and the provider's own words.
`BindingError` is not among them: it is a mistake in how a model was named, found before anything runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from graphrt.backends.events import Usage
    from graphrt.backends.messages import Message
    from graphrt.backends.wire.ratelimits import RateLimit


class BindingError(Exception):
    """A model's name does not lead to a backend. `part` is the part of it that is wrong; the message says what is
    allowed."""

    retryable = False

    def __init__(self, uri: str, part: str, problem: str) -> None:
        self.uri = uri
        self.part = part
        self.problem = problem
        super().__init__(f"{uri!r}: {part}: {problem}")


class BackendError(Exception):
    """A model could not answer.

    `category` is one word of a closed set, `retryable` says whether the same request may succeed later, `retry_after`
    is the pause in seconds that the provider asked for, `provider_message` and `status` are its own words. `partial` is
    what had been said before the failure; `usage` what was spent. `attempts` are the words of what was tried before, in
    order, where a policy asked more than one backend; `limits` what the provider's headers say is left.
    """

    category: ClassVar[str] = "server"
    retryable: bool = False
    limits: tuple[RateLimit, ...] = ()

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
        partial: Message | None = None,
        usage: Usage | None = None,
        body: Any = None,
        attempts: tuple[str, ...] = (),
    ) -> None:
        self.provider_message = message
        self.provider = provider
        self.status = status
        self.code = code
        self.retry_after = retry_after
        if retryable is not None:
            self.retryable = retryable
        self.partial = partial
        self.usage = usage
        self.body = body
        self.attempts = attempts
        where = " ".join(str(word) for word in (provider, status, code) if word is not None)
        super().__init__(f"{self.category}: {message}" + (f" ({where})" if where else ""))

    def __str__(self) -> str:
        return super().__str__() + (f"; before that, {'; '.join(self.attempts)}" if self.attempts else "")


class RateLimited(BackendError):
    """Too many requests or tokens for now."""

    category = "rate_limit"
    retryable = True


class QuotaExceeded(BackendError):
    """The account has no credit or quota left. Waiting does not help."""

    category = "quota"


class Overloaded(BackendError):
    """The provider has no capacity at the moment."""

    category = "overloaded"
    retryable = True


class ServerError(BackendError):
    """The provider broke."""

    category = "server"
    retryable = True


class ConnectionFailed(BackendError):
    """No connection, or it broke before the answer began."""

    category = "connection"
    retryable = True


class TimedOut(BackendError):
    """The answer, its first token or its next one took too long."""

    category = "timeout"
    retryable = True


class StreamTruncated(BackendError):
    """The stream ended without the provider's own terminal signal. The partial answer is in `partial`."""

    category = "truncated"
    retryable = True


class ContextLengthExceeded(BackendError):
    """The request is longer than the model's context."""

    category = "context_length"


class ContentFiltered(BackendError):
    """The provider refused the request by policy."""

    category = "content_filter"


class AuthFailed(BackendError):
    """The key is missing, wrong, or may not use this model."""

    category = "auth"


class BadRequest(BackendError):
    """The provider does not accept the request as it is."""

    category = "bad_request"


class NotFound(BackendError):
    """No such model or address."""

    category = "not_found"


class UnsupportedSetting(BackendError):
    """A setting this model cannot honour, in strict mode (M6)."""

    category = "bad_request"


class InvalidOutput(BackendError):
    """The answer is whole and does not fit what was asked for. `pointers` are the JSON pointers that failed."""

    category = "invalid_output"
    retryable = True

    def __init__(self, message: str, *, pointers: tuple[str, ...] = (), **facts: Any) -> None:
        self.pointers = pointers
        super().__init__(message, **facts)


class StreamProtocolError(BackendError):
    """A backend broke the rules of the stream. Please report it: it is a bug of the backend."""

    category = "server"
