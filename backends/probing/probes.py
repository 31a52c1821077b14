"""What there is to find out about an endpoint, and whether what was found is what its profile says. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphrt.backends.base import Capabilities
from graphrt.backends.errors import BackendError
from graphrt.backends.probing import judging
from graphrt.backends.probing.findings import Case, Finding, Found
from graphrt.backends.probing.questions import COLOUR, LAST, MOST, STOP
from graphrt.backends.wire.redaction import redact


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing to find out. Judged by the answers to its `questions`; where one has none, its error is what was found.
    `setting` is the one of which the backend warns where it does not send it."""

    name: str
    asked: str
    says: Callable[[Capabilities], bool | None]
    judge: Callable[[Case], Found | None]
    """None where there is nothing to tell."""
    questions: tuple[str, ...] = ()
    setting: str | None = None


def findings(case: Case, secrets: Sequence[str] = ()) -> tuple[Finding, ...]:
    """Judge a case, once its first question is answered. `secrets` are taken out of the words, and of nothing that is
    judged: a key may be as short as a letter."""
    return tuple(found for probe in PROBES if (found := _finding(probe, case, secrets)) is not None)


def unusable(error: BackendError) -> Finding:
    """Return what there is to say of an endpoint that did not answer the first question."""
    found = judging.outcome_of(error)
    return Finding(
        _REACHED.name, _REACHED.asked, says=True, found="no" if found == "not settled" else found, words=str(error)
    )


def _finding(probe: Probe, case: Case, secrets: Sequence[str]) -> Finding | None:
    says = probe.says(case.can)
    told = [case.told[question] for question in probe.questions if question in case.told]
    unsent = next((words for each in told for setting, words in each.unsent.items() if setting == probe.setting), None)
    error = next((each.error for each in told if each.error is not None), None)
    if unsent is not None:
        return Finding(probe.name, probe.asked, says=False, found="no", words=f"not sent: {unsent}")
    if error is not None:
        return Finding(probe.name, probe.asked, says, judging.outcome_of(error), str(error))
    found = probe.judge(case)
    if found is None:
        return None
    words = redact(found.words, secrets)
    if found.quote is not None:
        words += f" {_quoted(redact(found.quote, secrets))}"
    return Finding(probe.name, probe.asked, says, found.outcome, words)


_QUOTED = 60


def _quoted(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= _QUOTED else f"{line[: _QUOTED - 1]}…") if line else "nothing"


# What there is to find out.


def _promised(_: Capabilities) -> bool:
    """Every backend of ours promises that, unless it warns (M6)."""
    return True


def _unknown(_: Capabilities) -> None:
    """No profile says that."""


_REACHED = Probe("reachable", "whether it answers, and takes the key", _promised, lambda case: Found("yes"), ("plain",))

PROBES: Sequence[Probe] = (
    _REACHED,
    Probe("model", "which model says that it answers", _promised, judging.model, ("plain",)),
    Probe("streams", "seven words", lambda can: can.streaming, judging.streams, ("plain",)),
    Probe("usage", "how many tokens that was", lambda can: can.usage, judging.usage, ("plain",)),
    Probe(
        "system message",
        "seven words, with an instruction to say another",
        _promised,
        judging.system,
        ("plain", "system"),
    ),
    Probe("tools", "a question that a tool answers", lambda can: can.tools, judging.tools, ("tool",)),
    Probe(
        "tool choice: none",
        "the same, with the order to call none",
        lambda can: can.forced_tool or None,  # what cannot be made to call may well be kept from it
        judging.no_tool,
        ("no tool",),
        "tool_choice",
    ),
    Probe(
        "tool choice: one",
        "to say hello, with the order to call the tool",
        lambda can: can.forced_tool,
        judging.forced,
        ("forced tool",),
        "tool_choice",
    ),
    Probe(
        "parallel tools",
        "two questions at once for a tool",
        lambda can: can.parallel_tools,
        judging.parallel,
        ("two tools",),
    ),
    Probe("JSON schema", "an answer held to a schema", lambda can: can.json_schema, judging.schema, ("schema",)),
    Probe("JSON object", "an answer in JSON", judging.promises_json, judging.json_object, ("schema",)),
    Probe("reasoning", "a question to think about a little", lambda can: can.reasoning, judging.reasoning),
    Probe(
        "seed",
        "random words, twice with a seed and once with another",
        lambda can: can.seed,
        judging.seed,
        ("seed", "seed again", "another seed"),
        "seed",
    ),
    Probe("stop strings", f"to count to 9, with {STOP!r} to stop at", _promised, judging.stop, ("stop",), "stop"),
    Probe("max_tokens", f"to count to {LAST}, in {MOST} tokens", _promised, judging.tokens, ("tokens",), "max_tokens"),
    Probe("images", f"the colour of a {COLOUR} square", lambda can: can.images, judging.image, ("image",)),
    Probe("rate limits", "what the headers say is left", _unknown, judging.limits),
    Probe("context", "how many tokens it takes", lambda can: None, judging.context),
)
