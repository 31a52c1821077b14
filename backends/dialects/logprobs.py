"""How likely tokens were, from each provider's shape to `TokenLogprob`.

Pure functions over what `json.loads` gave. None of them raises, whatever shape a server sends; what is no number is
left out. They run only for answers that were asked for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from graphrt.backends.dialects.values import dicts, mend
from graphrt.backends.messages import TokenLogprob

_NEVER = -9999.0
"""What OpenAI says for minus infinity, which no JSON can hold."""


def listed(entries: Any) -> list[TokenLogprob]:
    """Read OpenAI's shape, which most servers have taken over: a list of tokens, each with its alternatives."""
    return [token for entry in dicts(entries) if (token := _token(entry, "token", "logprob", "top_logprobs"))]


def in_columns(found: Mapping[str, Any]) -> list[TokenLogprob]:
    """Read the shape of OpenAI's old completions, which Together has for chat: a list of tokens and one of numbers."""
    tokens, numbers, tops = (found.get(name) for name in ("tokens", "token_logprobs", "top_logprobs"))
    if not isinstance(tokens, list) or not isinstance(numbers, list):
        return []
    tops = tops if isinstance(tops, list) else []
    rows = zip(tokens, numbers, [*tops, *[None] * (len(tokens) - len(tops))], strict=False)
    return [made for token, number, top in rows if (made := _made(token, number, top=_mapped(top)))]


def of_gemini(result: Any) -> list[TokenLogprob]:
    """Read Google's: the chosen tokens, and beside them a list of what was likeliest at each place."""
    found = result if isinstance(result, dict) else {}
    tops = [dicts(place.get("candidates")) for place in dicts(found.get("topCandidates"))]
    tokens = []
    for place, chosen in enumerate(dicts(found.get("chosenCandidates"))):
        top = tops[place] if place < len(tops) else []
        alternatives = [made for each in top if (made := _token(each, "token", "logProbability", None))]
        made = _made(chosen.get("token"), chosen.get("logProbability"), top=alternatives)
        tokens += [made] if made else []
    return tokens


def of_cohere(found: Any) -> list[TokenLogprob]:
    """Read Cohere's: pieces of text with the number of each token in them. A piece is as likely as all its tokens."""
    pieces = dicts(found if isinstance(found, list) else [found])
    sums = ((piece.get("text"), piece.get("logprobs")) for piece in pieces)
    summed = ((text, sum(map(_number, numbers))) for text, numbers in sums if isinstance(numbers, list) and numbers)
    return [made for text, number in summed if (made := _made(text, number))]


def of_tgi(token: Mapping[str, Any], top: Any) -> list[TokenLogprob]:
    """Read one token of TGI's, and what else could have stood there."""
    alternatives = [made for each in dicts(top) if (made := _made(each.get("text"), each.get("logprob")))]
    made = _made(token.get("text"), token.get("logprob"), top=alternatives)
    return [made] if made else []


def _token(entry: Mapping[str, Any], token: str, number: str, top: str | None) -> TokenLogprob | None:
    below = entry.get(top) if top else None
    alternatives = [made for each in dicts(below) if (made := _token(each, token, number, None))]
    return _made(entry.get(token), entry.get(number), octets=entry.get("bytes"), top=alternatives)


def _made(token: Any, number: Any, *, octets: Any = None, top: Iterable[TokenLogprob] = ()) -> TokenLogprob | None:
    logprob = _number(number)
    if not isinstance(token, str) or math.isnan(logprob):
        return None
    words, half = mend("", token)
    whole = isinstance(octets, list) and all(type(octet) is int and octet in range(256) for octet in octets)
    return TokenLogprob(
        token=words + ("\ufffd" if half else ""),
        logprob=max(logprob, _NEVER),
        bytes=tuple(octets) if whole else None,
        top=tuple(top),
    )


def _mapped(top: Any) -> list[TokenLogprob]:
    found = top if isinstance(top, dict) else {}
    return [made for token, number in found.items() if (made := _made(token, number))]


def _number(value: Any) -> float:
    try:
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    except OverflowError:
        return math.nan
