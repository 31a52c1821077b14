"""What a chat template is like, found out by trying it.

The probe renders conversations that differ in one thing, and looks at what differs in the prompt: with and without
tools, with no call, one call and two calls of other names and arguments, with and without a thought. From the
differences come the template's manner and the way in which its model writes calls and thoughts. What cannot be found in
this way is known by family.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphrt.backends.errors import BadRequest
from graphrt.backends.llama.chat.affixes import common_end, common_start
from graphrt.backends.llama.chat.entries import Entry, Manner
from graphrt.backends.llama.chat.families import KNOWN_THOUGHTS, family
from graphrt.backends.llama.chat.syntax import (
    ARGUMENTS,
    HERMES,
    ID,
    INDEX,
    NAME,
    Dialect,
    Slot,
    Tagged,
    Thoughts,
    ToolSyntax,
)

Fill = Callable[[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]], Mapping[str, Any]], str]

_KEYS = ("alphaKey", "betaKey")
_FIRST, _SECOND = {"alphaKey": "One Value", "betaKey": 731}, {"alphaKey": "Two Values", "betaKey": 852}
_NAMES, _IDS = ("firstTool", "secondTool"), ("callAAAA1", "callBBBB2")
_LONG_ID = "call_0123456789_0"
_SLOTS = {"\ue010": NAME, "\ue011": ID, "\ue012": INDEX, "\ue013": ARGUMENTS}
_MARK = r"<[^<>]*>|\[[^\[\]]*\]"
_TURN_ENDS = ("<|eom_id|>", "<|calls|>", "<|call|>")
"""Marks that end a turn of calls and no other turn."""
_TOOL = {
    "type": "function",
    "function": {
        "name": _NAMES[0],
        "description": "a tool",
        "parameters": {
            "type": "object",
            "properties": {
                _KEYS[0]: {"type": "string", "description": "a"},
                _KEYS[1]: {"type": "integer", "description": "b"},
            },
            "required": list(_KEYS),
        },
    },
}
_TOOLS: tuple[Entry, ...] = (_TOOL, {**_TOOL, "function": {**_TOOL["function"], "name": _NAMES[1]}})  # type: ignore[dict-item]
_CARELESS: tuple[Entry, ...] = tuple(
    {"type": "function", "function": {"name": "bare", "description": "", "parameters": parameters}}
    for parameters in (
        {},
        {"type": "object", "properties": {"x": {}}},
        {"type": "object", "properties": {"x": {"type": ["string", "null"], "description": "x"}}},
    )
)
"""Tools whose schemas leave things out, or name two types at once."""
_USER: Entry = {"role": "user", "content": "Question?"}


@dataclass(frozen=True, slots=True)
class Found:
    """What there is to know about a template."""

    manner: Manner
    dialect: Dialect
    known: bool
    """Whether the way calls are written is this model's own, and not the one that was given to it."""


def look(fill: Fill, source: str, *, eos: str) -> Found:
    """Try the template that `fill` fills."""
    kin = family(source)
    probe = _Probe(fill, eos)
    shown = probe.try_([_USER], _TOOLS)
    tools = shown is not None and all(name in shown for name in (*_NAMES, *_KEYS))
    manner, found = probe.calls(known=kin.tools is not None)
    syntax = kin.tools or found
    manner = replace(
        manner,
        tools=tools and syntax is not None,  # a way of calling that is not understood is as good as none
        system=probe.system(),
        results=probe.results(manner),
        short_ids=manner.calls and probe.short_ids(manner),
        mapped_arguments=manner.calls and not manner.text_arguments and probe.maps(manner),
        calls_with_content=not manner.calls or probe.writes_beside_content(manner),
        one_call=syntax is not None and manner.calls and not syntax.parallel,
        explicit=tools and any(probe.try_([_USER], [tool]) is None for tool in _CARELESS),
    )
    key, thoughts = probe.thoughts(manner)
    manner = replace(manner, thoughts=key)
    manner = replace(manner, one_voice=manner.calls and probe.one_voice(manner))
    known = next((one for one in KNOWN_THOUGHTS if one.open in source or one.close in source), Thoughts())
    thoughts = kin.thoughts or thoughts or known
    if syntax:
        begin = syntax.begin.rpartition(thoughts.close)[2].lstrip()  # without an empty thought that calls begin with
        syntax = replace(syntax, begin=begin, ends_thought=kin.ends_thought)
    if syntax and isinstance(syntax.arguments, Tagged):
        syntax = replace(syntax, arguments=replace(syntax.arguments, cdata="CDATA" in source))
    dialect = Dialect(syntax or HERMES, thoughts, kin.channels, kin.dropped)
    return Found(manner, dialect, syntax is not None)


class _Probe:
    def __init__(self, fill: Fill, eos: str) -> None:
        self._fill = fill
        self._eos = eos

    def try_(self, chat: Sequence[Entry], tools: Sequence[Entry] = ()) -> str | None:
        try:
            return self._fill(chat, tools, {})
        except BadRequest:
            return None

    def system(self) -> bool:
        chat = [{"role": "system", "content": "Be kind, system."}, _USER]
        return any("Be kind, system." in (self.try_(chat, tools) or "") for tools in ((), _TOOLS))

    def results(self, manner: Manner) -> bool:
        said = self.try_(self._turn(manner, 1)) or self.try_(self._turn(manner, 1), _TOOLS)
        return said is not None and "Result!" in said

    def short_ids(self, manner: Manner) -> bool:
        return self.try_(self._turn(manner, 1), _TOOLS) is not None and (
            self.try_(json.loads(json.dumps(self._turn(manner, 1)).replace(_IDS[0], _LONG_ID)), _TOOLS) is None
        )

    def maps(self, manner: Manner) -> bool:
        """Whether arguments that are no object are refused."""
        turn = self._turn(manner, 1)
        turn[1]["tool_calls"][0]["function"]["arguments"] = "no object"
        return self.try_(turn, _TOOLS) is None

    def writes_beside_content(self, manner: Manner) -> bool:
        """Whether calls are written where there is content too."""
        said = self.try_(self._turn(manner, 1, "Let me see."), _TOOLS) or ""
        return _NAMES[0] in said[said.rfind("Question?") :]

    def one_voice(self, manner: Manner) -> bool:
        """Whether content beside thoughts and calls is refused."""
        turn = self._turn(manner, 1, "Let me see.")
        turn[1][manner.thoughts] = "Thought."
        return self.try_(turn, _TOOLS) is None

    def thoughts(self, manner: Manner) -> tuple[str, Thoughts | None]:
        """The key of thoughts, and the marks around them."""
        for key in ("reasoning_content", "thinking", "reasoning"):
            for called in (1, 0):
                chat = self._turn(manner, called, content="" if called else "Answer.")
                chat[1][key] = "Thought."
                said = self.try_(chat, _TOOLS) or ""
                if "Thought." in said:
                    before, _, after = said.partition("Thought.")
                    begun = re.search(r"(<[^<>\s/][^<>]*>|\[[^\[\]/]+\])\s*$", before)
                    ended = re.match(r"\s*(<[^<>]+>|\[/[^\[\]]+\])", after)
                    return key, Thoughts(begun[1], ended[1]) if begun and ended else None
        return "reasoning_content", None

    def _turn(self, manner: Manner, calls: int, content: str = "") -> list[Entry]:
        """The user asks, the assistant calls or says something, and hears what came of it."""
        asked: Entry = {"role": "assistant", "content": None if manner.no_content and not content else content}
        if not calls:
            return [_USER, asked, _USER]
        asked["tool_calls"] = [
            {
                "id": id_,
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(given) if manner.text_arguments else dict(given)},
            }
            for id_, name, given in zip(_IDS, _NAMES, (_FIRST, _SECOND), strict=True)
        ][:calls]
        heard = [
            {"role": "tool", "tool_call_id": id_, "name": name, "content": "Result!"}
            for id_, name in list(zip(_IDS, _NAMES, strict=True))[:calls]
        ]
        return [_USER, asked, *heard]

    def calls(self, *, known: bool) -> tuple[Manner, ToolSyntax | None]:
        """How the template wants calls, and, unless that is known, how it writes them.

        A template may write some that cannot be understood.
        """
        wrote: Manner | None = None
        for text_arguments in (False, True):
            for no_content in (False, True):
                manner = Manner(text_arguments=text_arguments, no_content=no_content)
                one = self.try_(self._turn(manner, 1), _TOOLS)
                if one is None or _NAMES[0] not in one[one.rfind("Question?") :]:
                    continue
                wrote = wrote or manner
                if known:
                    return manner, None
                if found := self._derive(manner, one):
                    return manner, found
        return wrote or Manner(calls=False), None

    def _derive(self, manner: Manner, one: str) -> ToolSyntax | None:
        plain = self.try_(self._turn(manner, 0, "Answer."), _TOOLS)
        if plain is None:
            return None
        start = len(_whole_marks(common_start(plain, one)))
        first = _slots(one[start:], 0)
        if first is None:
            return None
        marked, style = first
        ends = self._turn_ends(plain)
        two = self._turn(manner, 2)
        second = _slots((self.try_(two, _TOOLS) or "")[start:], 0)
        both = _slots(second[0], 1) if second else None
        if both is None:
            before, _, rest = marked.partition("\ue013")
            rest = self._rest(rest, self._turn(manner, 1), ends)
            return _syntax(before.lstrip() + "\ue013", rest, style, parallel=False)
        before, middle, rest = both[0].split("\ue013", 2)
        rest = self._rest(rest, two, ends)
        return self._of_two(before, middle, rest, style)

    def _turn_ends(self, plain: str) -> list[str]:
        """The marks that come after a turn that calls nothing."""
        after = plain.partition("Answer.")[2].partition("Question?")[0].lstrip()
        marks = re.findall(_MARK, after)
        return [*([] if re.match(_MARK, after) else [after[:4]]), *marks, self._eos, *_TURN_ENDS]

    def _rest(self, rest: str, turn: Sequence[Entry], ends: Sequence[str]) -> str:
        """What of `rest`, which follows the last call's arguments, belongs to the turn.

        That is what comes before the mark that ends a turn. Where there is none, it is what is left in front of the
        next answer when no result follows the calls.
        """
        rest = rest.partition("Result!")[0]
        if any(end and end in rest for end in ends):
            return _until(rest, ends)
        said = self.try_([entry for entry in turn if entry["role"] != "tool"], _TOOLS)
        asked = self.try_([_USER], _TOOLS)
        found = said and _slots(said[said.rfind("Question?") :], len(turn) - 3)
        if not found or not asked:
            return ""
        rest, prompt = found[0].partition("\ue013")[2], asked.rpartition("Question?")[2]
        same = common_end(rest, prompt)
        same = same[same.find("<") :] if ">" in same.partition("<")[0] else same
        return _until(rest.removesuffix(same), ends)

    def _of_two(self, before: str, middle: str, rest: str, style: Tagged | None) -> ToolSyntax | None:
        """From what stands before, between and after two calls' arguments to the syntax of one."""
        close = _whole_marks(common_start(middle, rest))
        middle, end = middle[len(close) :], rest[len(close) :]
        at = 0
        opening = ""
        first = 0
        while at < min(len(before), len(middle)):
            mine, other = before[-1 - at], middle[-1 - at]
            if mine != other and not (mine.isdigit() and other == str(int(mine) + 1)):
                break
            if mine != other:
                first = int(mine)
            opening = (mine if mine == other else "\ue012") + opening
            at += 1
        begin, between = before[: len(before) - at].lstrip(), middle[: len(middle) - at]
        space = opening[: len(opening) - len(opening.lstrip())]
        found = _syntax(opening.lstrip() + "\ue013", close, style, parallel=True)
        return found and replace(
            found, begin=begin + space if begin else "", between=between + space, end=end, first=first
        )


def _until(text: str, ends: Sequence[str]) -> str:
    """`text` up to the first of `ends`."""
    return text[: min((at for end in ends if end and (at := text.find(end)) >= 0), default=len(text))].rstrip()


def _whole_marks(text: str) -> str:
    """`text` without the beginning of a mark at its end."""
    for left, right in (("<", ">"), ("[", "]")):
        if (at := text.rfind(left)) > text.rfind(right):
            text = text[:at]
    return text


def _slots(text: str, number: int) -> tuple[str, Tagged | None] | None:
    """`text` with slots where call `number` has its own; None if the arguments are not to be found."""
    given, name, id_ = (_FIRST, _SECOND)[number], _NAMES[number], _IDS[number]
    at = text.find(name)
    if at < 0:
        return None
    for found in re.finditer(r"\{", text[at:]):
        try:
            value, size = json.JSONDecoder().raw_decode(text[at + found.start() :])
        except ValueError:
            continue
        if value == given:
            start, end, style = at + found.start(), at + found.start() + size, None
            break
    else:
        if (tagged := _tagged(text, at, given)) is None:
            return None
        start, end, style = tagged
    head = text[:start].replace(name, "\ue010").replace(id_, "\ue011")
    tail = text[end:].replace(id_, "\ue011")
    return f"{head}\ue013{tail}", style


def _tagged(text: str, at: int, given: Mapping[str, Any]) -> tuple[int, int, Tagged] | None:
    """Where tagged arguments begin and end in `text`, and how they are tagged."""
    places = []
    for part in (_KEYS[0], given[_KEYS[0]], _KEYS[1], str(given[_KEYS[1]])):
        if (at := text.find(part, at)) < 0:
            return None
        places.append((at, at + len(part)))
        at += len(part)
    string, other = text[places[0][1] : places[1][0]], text[places[2][1] : places[3][0]]
    middle = text[places[1][1] : places[2][0]]
    rest, before = text[places[3][1] :], text[: places[0][0]]
    close = _whole_marks(common_start(middle, rest)) or middle[: middle.find(">") + 1]
    middle = middle[len(close) :]
    opening = common_end(middle, before)
    opening = opening if middle.startswith(opening) else opening[opening.find("<") :]
    opening = opening.lstrip() or opening
    between = middle[: len(middle) - len(opening)]
    if between.strip():
        return None
    return (
        places[0][0] - len(opening),
        places[3][1] + len(close),
        Tagged(opening, string, other, close + between),
    )


def _syntax(call: str, tail: str, style: Tagged | None, *, parallel: bool) -> ToolSyntax | None:
    """The syntax of a call that is written out with slots in it."""
    pieces = tuple(_SLOTS.get(piece, piece) for piece in re.split("([\ue010-\ue013])", call + tail) if piece)
    seen = [piece for piece in pieces if isinstance(piece, Slot)]
    if seen.count(NAME) != 1 or seen.count(ARGUMENTS) != 1:
        return None
    return ToolSyntax(call=pieces, arguments=style, parallel=parallel)
