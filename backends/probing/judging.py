"""What an endpoint's answers show. Pure.

A judge says `yes` or `no` only where the answers leave no other way to read them; what a model's own will or chance
could explain as well is `not settled`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from graphrt.backends.base import Capabilities
from graphrt.backends.errors import BackendError
from graphrt.backends.messages import Reasoning
from graphrt.backends.probing.findings import Case, Found, Outcome
from graphrt.backends.probing.questions import CHOICES, CITY, COLOUR, LAST, MOST, PASSWORD, STOP, TOOL
from graphrt.backends.wire.ratelimits import RateLimit


def outcome_of(error: BackendError) -> Outcome:
    """Return what an error shows: a refusal is an answer, whatever passes by is none."""
    return "refused" if error.category in _REFUSALS else "not settled"


_REFUSALS = frozenset({"auth", "bad_request", "not_found", "content_filter", "context_length"})


def streams(case: Case) -> Found:
    """Say whether words come as they are made, and when."""
    told = case.told["plain"]
    if told.first is None:
        return Found("not settled", "it said nothing")
    words = f"the first of {told.deltas} pieces after {told.first:.2f} s, all after {told.seconds:.2f} s"
    if told.deltas > 1:
        return Found("yes", words)
    if len(case.answer("plain").text) > _LONG:
        return Found("no", f"all at once, after {told.first:.2f} s")
    return Found("not settled", f"all at once, after {told.first:.2f} s: it is short")


_LONG = 40
"""Letters. Nobody streams these in one piece."""


def usage(case: Case) -> Found:
    """Say whether the stream tells what it cost. None of it, or 0 for words that came, is no usage."""
    told = case.answer("plain").usage
    if told.input and told.output:
        return Found("yes", f"{told.input} in, {told.output} out")
    if told.input is None and told.output is None:
        return Found("no", "it tells none")
    return Found("no", f"it tells {told.input} in, {told.output} out")


def model(case: Case) -> Found:
    """Say which model answers. Nobody but the provider can tell an alias from another model."""
    asked, says = case.backend.partition(":")[2], case.answer("plain").model
    if not says:
        return Found("not settled", "it does not say which model answers")
    if _same_model(asked, says):
        return Found("yes", says)
    return Found("not settled", "another name of it, or another model, answers:", says)


_VERSION = re.compile(r"(?:[-:@](?:latest|preview|exp|\d{3,}|\d\d(?=-))(?:-\d\d(?:\d\d)?)*)*\Z")


def _same_model(one: str, other: str) -> bool:
    """Whether two names mean one model, but for its owner and its version."""
    short, long = sorted((_bare(one), _bare(other)), key=len)
    return long.startswith(short) and _VERSION.match(long, len(short)) is not None


def _bare(name: str) -> str:
    return name.lower().rpartition("/")[2].removesuffix("-latest").removesuffix(":latest")


def system(case: Case) -> Found:
    """Say whether an instruction arrives. What is not obeyed may have been heard: then it is paid for."""
    heard, plain = case.answer("system"), case.answer("plain")
    if PASSWORD.lower() in heard.text.lower():
        return Found("yes")
    if heard.usage.input is None or plain.usage.input is None:
        return Found("not settled", "whether it was told is not to be seen; it answered", heard.text)
    if heard.usage.input > plain.usage.input:
        return Found("not settled", "it was told, and does not obey; it answered", heard.text)
    return Found("no", "it counts no more tokens than without; it answered", heard.text)


def tools(case: Case) -> Found:
    """Say whether a tool is called, and with what it was asked for."""
    answer = case.answer("tool")
    if not answer.tool_calls:
        return Found("no", "it answered", answer.text)
    call = answer.tool_calls[0]
    if call.name == TOOL and call.complete and CITY.lower() in str(_object(call.arguments).get("city", "")).lower():
        return Found("yes")
    return Found("no", "it called", f"{call.name} {call.arguments}")


def no_tool(case: Case) -> Found:
    """Say whether it can be kept from calling, where it does call of its own will."""
    called = case.told["tool"].answer
    if case.answer("no tool").tool_calls:
        return Found("no", "it called all the same")
    if called is not None and called.tool_calls:
        return Found("yes")
    return Found("not settled", "it does not call when it may, either")


def forced(case: Case) -> Found:
    """Say whether it can be made to call where it has no reason to."""
    answer = case.answer("forced tool")
    if any(call.name == TOOL for call in answer.tool_calls):
        return Found("yes")
    return Found("no", "it answered", answer.text)


def parallel(case: Case) -> Found:
    """Say whether one answer may hold several calls. One that holds one does not say that it may not."""
    calls = len(case.answer("two tools").tool_calls)
    if calls > 1:
        return Found("yes")
    return Found("not settled", "it called once: it may want to go one by one" if calls else "it did not call")


def schema(case: Case) -> Found:
    """Say whether the answer is of the form that was asked for."""
    answer = case.answer("schema")
    value = _object(answer.text)
    if value.keys() == {"mood_k7", "sure_q2"} and value["mood_k7"] in CHOICES and isinstance(value["sure_q2"], bool):
        return Found("yes")
    return Found("no", "it answered", answer.text)


def json_object(case: Case) -> Found:
    """Say whether the answer is JSON and nothing else."""
    answer = case.answer("schema")
    if not _object(answer.text):
        return Found("no", "it answered", answer.text)
    if promises_json(case.can) or schema(case).outcome == "yes":
        return Found("yes")
    return Found("not settled", "it answered with an object: it was asked to in words, too")


def promises_json(can: Capabilities) -> bool | None:
    """Return whether JSON is promised, in whatever way."""
    return can.json_object or can.json_schema


def reasoning(case: Case) -> Found:
    """Say whether it thinks: by what it shows or counts, in whichever answer."""
    parts = sum(isinstance(part, Reasoning) for answer in case.answers for part in answer.message.parts)
    if parts:
        return Found("yes", f"in {parts} of its parts")
    tokens = sum(answer.usage.reasoning or 0 for answer in case.answers)
    if tokens:
        return Found("yes", f"{tokens} tokens of it, which it keeps to itself")
    told = case.told.get("thought")
    if told is not None and told.error is not None:
        return Found(outcome_of(told.error), str(told.error))
    if case.can.reasoning:
        return Found("not settled", "none was seen: it can, and need not")
    return Found("no", "none was seen")


def seed(case: Case) -> Found:
    """Say whether a seed settles what is said."""
    if "seed" not in case.told:
        return Found("no", "not asked: this API has no such setting")
    one, same, other = (case.answer(name).text.strip() for name in ("seed", "seed again", "another seed"))
    if not one or not same:
        return Found("not settled", "it said nothing")
    if one == same != other:
        return Found("yes")
    if one == same:
        return Found("not settled", "the same words whatever the seed: it may not be random at all")
    if one.split()[0] != same.split()[0]:
        return Found("no", "other words for the same seed, from the first one on")
    return Found("not settled", "it began alike and went another way: chance could do that")


_BEFORE_STOP, _AFTER_STOP = "4", "6"


def stop(case: Case) -> Found:
    """Say whether it stops where it was told to."""
    text = case.answer("stop").text
    if _AFTER_STOP in text:
        return Found("no", "it went on:", text)
    if STOP in text:
        return Found("yes", "it leaves the stop string in")
    if _BEFORE_STOP in text:
        return Found("yes")
    return Found("not settled", "it did not count:", text)


def tokens(case: Case) -> Found:
    """Say whether it keeps to a limit, and owns up to having been cut off."""
    answer = case.answer("tokens")
    if len(answer.text) > _LONG * MOST:
        return Found("no", f"it said {len(answer.text)} letters")
    if answer.finish == "length":
        return Found("yes")
    if answer.usage.output == MOST and str(LAST) not in answer.text:
        return Found("no", f"it was cut off, and says it ended by itself ({answer.raw_finish or answer.finish})")
    return Found("not settled", "it ended by itself")


def image(case: Case) -> Found | None:
    """Say whether it sees, if its profile says that it can."""
    if "image" not in case.told:
        return None
    text = case.answer("image").text
    if COLOUR in text.lower():
        return Found("yes")
    return Found("not settled", "it answered", text)


def limits(case: Case) -> Found:
    """Say which allowances the headers tell of."""
    told = max((each.limits for each in case.told.values()), key=len)
    return Found("yes", ", ".join(_limit(each) for each in told)) if told else Found("no")


def _limit(limit: RateLimit) -> str:
    of = limit.of.replace("_", " ")
    if limit.limit is None:
        return of if limit.remaining is None else f"{limit.remaining:,.0f} {of} left"
    left = "" if limit.remaining is None else f"{limit.remaining:,.0f} of "
    return f"{left}{limit.limit:,.0f} {of}"


def context(case: Case) -> Found | None:
    """Say what it told of its context only once it was asked."""
    if case.can.context_tokens is None or case.can.context_tokens == case.before.context_tokens:
        return None
    return Found("yes", f"{case.can.context_tokens:,} tokens")


def _object(text: str) -> Mapping[str, Any]:
    """The JSON object that a text is; an empty one if it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
