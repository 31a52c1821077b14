"""`doctor --model`: what an endpoint really does, against what is written down of it.

Interrupted, it closes the connection and ends with 130; what it had found is not told.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import anyio

from graphrt.backends.accounting import Call, Spent, Total
from graphrt.backends.dialects.profiles import PRESETS
from graphrt.backends.events import Usage
from graphrt.backends.prices import Price, Prices
from graphrt.backends.probing import Finding, Report, examine
from graphrt.backends.uri import key_variable, open_backend
from graphrt.cli.exits import CONFIGURATION, OK
from graphrt.cli.screen import print_json
from graphrt.clock import lasted
from graphrt.config import Config, load_config
from graphrt.errors import UsageError
from graphrt.types import StepKey
from graphrt.view.spending import line_of, total_of
from graphrt.view.terminal import note, paint
from graphrt.view.words import wrapped

if TYPE_CHECKING:
    from graphrt.backends.base import Backend
    from graphrt.backends.errors import BackendError
    from graphrt.backends.probing.questions import Told


def doctor_model(arguments: argparse.Namespace) -> int:
    """Examine a model. 6 if it cannot be used, or something differs from its profile; 0 if nothing does."""
    config = load_config()
    uri = _uri(arguments.model, config.models)
    backend = open_backend(uri)
    begun = time.monotonic()
    report = anyio.run(_examine, backend, uri, arguments)
    seconds = time.monotonic() - begun
    report = replace(report, findings=tuple(_printable(each) for each in report.findings))
    total = _spent(report, backend.name, config)
    advice = _advice(report, uri)
    if arguments.json:
        print_json(
            {
                "model": backend.name,
                "uri": uri,
                "usable": report.error is None,
                "agrees": report.agrees,
                "findings": [asdict(each) | {"verdict": each.verdict} for each in report.findings],
                "questions": len(report.asked),
                "seconds": seconds,
                "spent": total_of(total),
                "advice": advice,
            }
        )
    else:
        width = shutil.get_terminal_size().columns
        sys.stdout.write("".join(f"{line}\n" for line in _table(report.findings, width)))
        counted = f"{len(report.asked)} question{'' if len(report.asked) == 1 else 's'} in {lasted(seconds)}"
        spent = "" if report.error is not None else f" · {line_of(total)}"
        lines = [f"{backend.name}: {counted}{spent}", *_summary(report), *advice]
        sys.stdout.write("".join(f"{line}\n" for each in lines for line in wrapped(each, width)))
    return OK if report.agrees else CONFIGURATION


async def _examine(backend: Backend, uri: str, arguments: argparse.Namespace) -> Report:
    def tell(words: str) -> None:
        note(words, quiet=arguments.quiet)

    key = os.environ.get(key_variable(uri) or "", "").strip()
    try:
        return await examine(backend, timeout=arguments.timeout, secrets=[key], telling=tell)
    finally:
        with anyio.CancelScope(shield=True):
            await backend.aclose()


def _uri(word: str, models: Mapping[str, str]) -> str:
    """Return the URI that is meant: the word itself, or what the surroundings bind to it as to a role."""
    if ":" in word:
        return word
    if word not in models:
        roles = ", ".join(sorted(models)) or "none"
        raise UsageError(
            f"no model is bound to {word!r} (bound: {roles}); write a role of graphrt.toml, or scheme:model"
        )
    return models[word]


def _printable(finding: Finding) -> Finding:
    """Leave out of the words of a provider or a model what would steer a terminal."""
    return replace(finding, words="".join(letter if letter.isprintable() else " " for letter in finding.words))


def _spent(report: Report, backend: str, config: Config) -> Total:
    """Add up what the questions cost, at the prices of `graphrt.toml` and those that are known here."""
    prices = Prices({name: Price(**price.model_dump()) for name, price in config.prices.items()})
    return Spent(tuple(_call(told, backend, prices) for told in report.asked)).total


def _call(told: Told, backend: str, prices: Prices) -> Call:
    usage = told.answer.usage if told.answer else (told.error and told.error.usage) or Usage()
    model = told.answer.model if told.answer else None
    quote = prices.quote(backend, usage, answered_by=model)
    return Call(
        step=StepKey(told.question),
        attempt=1,
        role="",
        backend=backend,
        usage=usage,
        answered_by=model,
        error=told.error.category if told.error else None,
        cost=quote.dollars if quote else None,
        priced_by=quote.source if quote else None,
    )


# What is shown.

_MARKS = {"agrees": "✓", "differs": "✗", "learned": "+", "not settled": "?"}
_PROFILE = {True: "yes", False: "no", None: "unknown"}
_COLUMNS = (17, 7, 11, 11)


def _table(findings: Sequence[Finding], width: int) -> Iterator[str]:
    """A line for each finding, with the words for it beside or below; where the columns have no room, words alone."""
    header = _columns("", "profile", "found", "verdict")
    if width <= len(header):
        for each in findings:
            yield f"{paint(_MARKS[each.verdict], sys.stdout)} {each.name}: {each.verdict}"
            words = f"profile: {_PROFILE[each.says]}, found: {each.found}; {_words(each)}".removesuffix("; ")
            yield from wrapped(words, width, indent="    ")
        return
    yield f"  {header}".rstrip()
    for each in findings:
        row = _columns(each.name, _PROFILE[each.says], each.found, each.verdict)
        words = _words(each)
        beside = width >= len(row) + len(words) + 2
        yield f"{paint(_MARKS[each.verdict], sys.stdout)} {row + words if beside else row}".rstrip()
        if not beside:
            yield from wrapped(words, width, indent="    ")


def _words(finding: Finding) -> str:
    """What was found, in words; and what was asked, where that may be doubted."""
    doubtful = finding.verdict in {"differs", "not settled"}
    return "; ".join(filter(None, (f"asked: {finding.asked}" if doubtful else "", finding.words)))


def _columns(*words: str) -> str:
    return " ".join(f"{word:<{size}}" for word, size in zip(words, _COLUMNS, strict=True)) + " "


def _summary(report: Report) -> Iterator[str]:
    if report.error is not None:
        return
    counts = {verdict: sum(each.verdict == verdict for each in report.findings) for verdict in _MARKS}
    words = ", ".join(f"{count} {_SAID[verdict]}" for verdict, count in counts.items() if count)
    yield f"{paint('✓' if report.agrees else '✗', sys.stdout)} {words}"


_SAID = {
    "agrees": "as its profile says",
    "differs": "not as its profile says",
    "learned": "unknown to its profile",
    "not settled": "not settled",
}


# What to do about it.


def _advice(report: Report, uri: str) -> list[str]:
    """Return what the user can do: about an endpoint that cannot be used, or a profile that knows too little."""
    if report.error is not None:
        return [_remedy(report.error, uri)]
    scheme, _, rest = uri.partition(":")
    query = rest.partition("?")[2]
    if scheme != "openai_chat" or "profile" in dict(parse_qsl(query)):
        return []
    if all(each.verdict == "agrees" for each in report.findings):
        return []
    return [f"if it is one of {', '.join(PRESETS)}: its profile knows more; add '&profile=NAME' to the URI"]


def _remedy(error: BackendError, uri: str) -> str:
    variable = key_variable(uri)
    match error.category:
        case "auth" if variable is not None and os.environ.get(variable):
            return f"the key was refused: put one that is valid, and may use this model, into {variable}"
        case "auth" if variable is not None:
            return f"it wants a key: put it into {variable}"
        case "auth":
            return "it wants a key: put it into an environment variable, and name that with 'key_env=NAME' in the URI"
        case "connection":
            return "nobody answers there: see that the server runs, and that 'base_url' in the URI is its address"
        case "timeout":
            return "it took too long: give it more time with --timeout, or see whether the server is well"
        case "not_found":
            return "there is no such model at that address: see how the provider calls it, and to 'base_url' in the URI"
        case "quota":
            return "the account has nothing left: see to it at the provider, or use the key of another account"
        case "rate_limit" | "overloaded":
            return "it has no time now: try again later"
        case _:
            return "it does not answer the plainest question: none of the others was asked"
