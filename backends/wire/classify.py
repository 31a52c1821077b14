"""From a provider's refusal to one of our errors (M5): what it is, whether to try again, and when.

`classify` reads status, headers and body of a failed answer; `classify_error` reads an error object that came inside a
successful one. Codes are believed before words: providers change their sentences more often than their codes. Both are
pure and never raise. A secret in use (some providers quote the key they refuse) is taken out first.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from graphrt.backends.errors import (
    AuthFailed,
    BackendError,
    BadRequest,
    ContentFiltered,
    ContextLengthExceeded,
    InvalidOutput,
    NotFound,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    ServerError,
    TimedOut,
)
from graphrt.backends.wire.ratelimits import duration, rate_limits
from graphrt.backends.wire.redaction import redact, redacted

_SNIPPET = 500
"""How many characters of a body that is not JSON are kept as the provider's own words."""

_CODES: tuple[tuple[type[BackendError], frozenset[str]], ...] = (
    (
        ContextLengthExceeded,
        frozenset(
            {
                "context_length_exceeded",
                "exceed_context_size_error",
                "too_many_prompt_tokens",
                "too_many_tokens",
                "model_context_window_exceeded",
            }
        ),
    ),
    (
        ContentFiltered,
        frozenset(
            {
                "content_filter",
                "content_policy_violation",
                "responsibleaipolicyviolation",
                "data_inspection_failed",
                "datainspectionfailed",
                "moderation_blocked",
            }
        ),
    ),
    (
        QuotaExceeded,
        frozenset(
            {
                "insufficient_quota",
                "billing_hard_limit_reached",
                "billing_not_active",
                "billing_error",
                "insufficient_credits",
                "exceeded_current_quota_error",
                "servicequotaexceededexception",
                "arrearage",
            }
        ),
    ),
    (
        AuthFailed,
        frozenset(
            {"invalid_api_key", "authentication_error", "permission_error", "api_key_invalid", "unauthenticated"}
        ),
    ),
    (NotFound, frozenset({"model_not_found", "deploymentnotfound", "not_found_error", "model_not_exist"})),
    (
        InvalidOutput,
        frozenset({"tool_use_failed", "json_validate_failed", "output_parse_failed", "invalid_tool_generation"}),
    ),
    (
        Overloaded,
        frozenset(
            {
                "overloaded_error",
                "overloaded",
                "engine_overloaded",
                "engine_overloaded_error",
                "unavailable",
                "server_is_busy",
                "capacity_exceeded",
                "modelnotreadyexception",
            }
        ),
    ),
    (
        RateLimited,
        frozenset(
            {
                "rate_limit_exceeded",
                "rate_limit_error",
                "rate_limit_reached_error",
                "rate_limited",
                "ratelimitreached",
                "throttlingexception",
            }
        ),
    ),
    (ServerError, frozenset({"server_error", "internal_server_error", "api_error", "internal"})),
    (BadRequest, frozenset({"invalid_request_error", "badrequesterror", "invalid_argument", "validation"})),
)

_CONTEXT = re.compile(
    r"maximum context length|context length (?:is|of)|context window|prompt (?:is )?too long|input is too long|"
    r"input tokens? exceed|input token count|longer than the model.s context|"
    r"exceed(?:s|ed)? (?:the )?(?:available )?context|maximum number of tokens allowed|"
    r"(?:prompt|input) exceeds? (?:the )?max(?:imum)? length|range of input length|exceed(?:s|ed)? model token limit|"
    r"tokens in the prompt cannot exceed|reduce the length of the (?:messages|prompt|input)|"
    r"`inputs` (?:tokens \+ `max_new_tokens` must be|must have less than)",
    re.IGNORECASE,
)
_FILTERED = re.compile(
    r"content (?:management|filter(?:ing)?) policy|flagged by (?:our )?moderation|flagged as potentially|"
    r"(?:input|prompt|content|request) (?:was |is )?flagged|unsafe or sensitive content|inappropriate content",
    re.IGNORECASE,
)
_KEY = re.compile(r"(?:invalid|incorrect) api[ _-]key|api[ _-]key (?:is )?(?:not valid|invalid|missing)", re.IGNORECASE)
_NEVER_FITS = re.compile(r"request too large\b.*\btokens per min", re.IGNORECASE | re.DOTALL)
_QUOTA = re.compile(
    r"credit balance is too low|insufficient (?:balance|credits|funds)|payment required|credits? (?:are|is) depleted|"
    r"used (?:all|up) (?:\w+ )?(?:available credits|daily free)|(?:does not|doesn.t) have any credits|"
    r"(?:calls|requests) ?(?:/|per) ?month",
    re.IGNORECASE,
)
_MODEL = re.compile(
    r"\bmodel\b.{0,80}(?:does not exist|not found|is not supported\. supported models)|model identifier is invalid",
    re.IGNORECASE,
)
_BUSY = re.compile(
    r"overloaded|no (?:available )?capacity|at capacity|currently unavailable|temporarily unavailable", re.IGNORECASE
)
_PAUSE_IN_WORDS = re.compile(r"(?:try again|retry) (?:in|after) ((?:\d+(?:\.\d+)?(?:ms|us|[hms]))+)\b", re.IGNORECASE)


def classify(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    provider: str | None = None,
    secrets: Sequence[str] = (),
    now: float | None = None,
) -> BackendError:
    """Name what a failed answer means. `now` is the wall clock, in seconds, that a date in `Retry-After` is measured
    against."""
    head = {name.lower(): redact(value, secrets) for name, value in headers.items()}
    text = body.decode("utf-8", "replace")
    parsed = redacted(_json(text), secrets)
    text = "" if parsed is not None else redact(text, secrets)
    words = _Words.of(parsed) if parsed is not None else _Words(page_words(text) or f"HTTP {status} with an empty body")
    code = words.code or head.get("x-amzn-errortype", "").split(":")[0] or None
    kind, retryable = _judge(status, words, code, parsed)
    if (verdict := head.get("x-should-retry")) in {"true", "false"}:
        retryable = verdict == "true"
    pause = retry_after(head, parsed, message=words.message, status=status, now=now)
    return kind(
        words.message,
        provider=provider,
        status=status,
        code=code,
        retry_after=pause,
        retryable=retryable,
        body=parsed if parsed is not None else text[:_SNIPPET],
    )


def classify_error(error: Any, *, provider: str | None = None, secrets: Sequence[str] = ()) -> BackendError:
    """Name what an error object inside a successful answer means: the same error as it would be outside."""
    parsed = redacted(error, secrets)
    words = _Words.of(parsed)
    kind, retryable = _judge(words.status or 0, words, words.code, parsed)
    pause = retry_after({}, parsed, message=words.message, status=words.status or 0)
    return kind(
        words.message,
        provider=provider,
        status=words.status,
        code=words.code,
        retry_after=pause,
        retryable=retryable,
        body=parsed,
    )


def retry_after(
    headers: Mapping[str, str], body: Any, *, message: str = "", status: int = 429, now: float | None = None
) -> float | None:
    """The pause the provider asked for, in seconds: its headers, then its body, then its words. None leaves it to the
    caller.

    Header names are in lower case. A pause of nothing is no wish. Where two headers disagree the longer one is kept,
    unless they say the same and one was only rounded up to whole seconds.
    """
    now = time.time() if now is None else now
    precise = _number(headers.get("retry-after-ms"))
    precise = precise / 1000 if precise is not None else None
    coarse = headers.get("retry-after")
    seconds = _number(coarse)
    if seconds is None and coarse is not None:
        seconds = _until(coarse, now)
    if precise and seconds:
        return precise if 0 <= seconds - precise < 1 else max(precise, seconds)
    if precise or seconds:
        return precise or seconds
    exhausted = _exhausted({**headers, **_inner_headers(body)}, now) if status == HTTPStatus.TOO_MANY_REQUESTS else None
    return _body_pause(body) or exhausted or _words_pause(message)


def page_words(text: str) -> str:
    """The words of a body that is not JSON: a page's title, else its first words."""
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    if title and title[1].strip():
        return " ".join(title[1].split())
    if text.lstrip()[:1] == "<":
        text = re.sub(r"<[^>]*>", " ", text)
    return " ".join(text.split())[:_SNIPPET]


@dataclass(frozen=True, slots=True)
class _Words:
    """What the provider said: its sentence, its code, its type, and the status it names in the body."""

    message: str
    code: str | None = None
    type: str | None = None
    status: int | None = None

    @classmethod
    def of(cls, body: Any) -> _Words:
        if isinstance(body, list):  # an array around the error, or a list of complaints
            body = body[0] if body and isinstance(body[0], dict) and len(body) == 1 else {"detail": body}
        if not isinstance(body, dict):
            return cls(str(body))
        error = body.get("error", body) or body
        if not isinstance(error, dict):
            return cls(str(error), code=_text(body.get("code")), type=_text(body.get("error_type")))
        said = next((error[key] for key in ("message", "Message", "detail", "error", "errors") if error.get(key)), None)
        message = said if isinstance(said, str) else json.dumps(said if said is not None else error)
        named = tuple(error.get(key) for key in ("status", "status_code", "http_status_code", "code"))
        status = next((int(str(word)) for word in named if _is_status(word)), None)
        kind = error.get("type") or error.get("status") or error.get("error_type") or body.get("type")
        return cls(message, code=_text(error.get("code")), type=_text(kind), status=status)


def _judge(status: int, words: _Words, code: str | None, body: Any) -> tuple[type[BackendError], bool | None]:
    """The class of the error, and whether to try again where that differs from the class's own answer."""
    names = [name.lower() for name in (code, words.type, _innermost(body)) if name]
    too_large = status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or _NEVER_FITS.search(words.message)
    for kind, codes in _CODES:
        if kind is RateLimited and (status == HTTPStatus.PAYMENT_REQUIRED or _QUOTA.search(words.message)):
            return QuotaExceeded, None
        if kind in {ServerError, BadRequest}:
            break  # the vaguest codes: status and words know better
        if any(name in codes for name in names):
            # a request larger than the budget of a whole minute never fits, however long one waits
            return kind, False if kind is RateLimited and too_large else None
    if _per_day(body):
        return QuotaExceeded, None
    by_words = _by_words(status, words.message, names)
    kind = by_words or _by_status(status) or _by_vague_code(names)
    return kind, True if status == HTTPStatus.CONFLICT else None


def _by_words(status: int, message: str, names: Sequence[str]) -> type[BackendError] | None:
    client_fault = status in {0, 400, 413, 422, 500}  # some servers answer 500 to a prompt that is too long
    # a single string over its own limit is not the context, though its sentence sounds so
    if client_fault and "string_above_max_length" not in names and _CONTEXT.search(message):
        return ContextLengthExceeded
    if (client_fault or status == HTTPStatus.FORBIDDEN) and _FILTERED.search(message):
        return ContentFiltered
    if client_fault and _KEY.search(message):
        return AuthFailed
    if status in {0, 400, 422} and _MODEL.search(message):
        return NotFound
    if status in {0, 500} and _BUSY.search(message):
        return Overloaded
    return None


def _by_status(status: int) -> type[BackendError] | None:
    match status:
        case 0:
            return None
        case 401 | 403 | 407:
            return AuthFailed
        case 402:
            return QuotaExceeded
        case 404 | 410:
            return NotFound
        case 408 | 504 | 522 | 524:
            return TimedOut
        case 429:
            return RateLimited
        case 498 | 503 | 529:
            return Overloaded
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.FAILED_DEPENDENCY:
            return ServerError  # 424 is Bedrock's and TGI's: the model behind the server failed
        case _ if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return NotFound  # a redirect is not followed: it would carry the key to an address nobody named
        case _:
            return BadRequest


def _by_vague_code(names: Sequence[str]) -> type[BackendError]:
    return next((kind for kind, codes in _CODES if any(name in codes for name in names)), ServerError)


def _per_day(body: Any) -> bool:
    """Whether Google says that the quota of a whole day is gone."""
    return any(
        "PerDay" in str(violation.get("quotaId"))
        for detail in _details(body)
        for violation in _dicts(detail.get("violations"))
    )


def _innermost(body: Any) -> str | None:
    """The more telling code that Azure and Google keep one level down."""
    error = body.get("error") if isinstance(body, dict) else None
    inner = error.get("innererror") if isinstance(error, dict) else None
    if isinstance(inner, dict):
        return _text(inner.get("code"))
    return next((_text(detail["reason"]) for detail in _details(body) if detail.get("reason")), None)


def _details(body: Any) -> list[dict[str, Any]]:
    body = body[0] if isinstance(body, list) and body else body
    error = body.get("error", body) if isinstance(body, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    return _dicts(details)


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _body_pause(body: Any) -> float | None:
    wishes = [duration(str(detail["retryDelay"])) for detail in _details(body) if detail.get("retryDelay")]
    return next((wish for wish in wishes if wish), None)


def _exhausted(headers: Mapping[str, str], now: float) -> float | None:
    """When the allowance that is used up comes back, if the headers name one that is."""
    spent = (limit.reset for limit in rate_limits(headers, now) if limit.remaining == 0)
    return max((reset for reset in spent if reset is not None), default=0.0) or None


def _inner_headers(body: Any) -> dict[str, str]:
    """The headers that OpenRouter repeats in the body of a refusal."""
    error = body.get("error") if isinstance(body, dict) else None
    metadata = error.get("metadata") if isinstance(error, dict) else None
    told = metadata.get("headers") if isinstance(metadata, dict) else None
    return {str(name).lower(): str(value) for name, value in told.items()} if isinstance(told, dict) else {}


def _words_pause(message: str) -> float | None:
    found = _PAUSE_IN_WORDS.search(message)
    return duration(found[1]) if found else None


def _until(text: str, now: float) -> float | None:
    """Whole seconds from `now` to a date, as HTTP or RFC 3339 writes it; nothing for one that has passed."""
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        try:
            when = datetime.fromisoformat(text)
        except ValueError:
            return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return float(max(0, math.ceil(when.timestamp() - now)))


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _is_status(word: Any) -> bool:
    digits = str(word)
    return not isinstance(word, bool) and re.fullmatch(r"[45]\d\d", digits) is not None


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "" else None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
