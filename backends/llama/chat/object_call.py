"""A call that is a JSON object, like `{"name": "f", "arguments": {"x": 1}}`, read while it is written."""

from __future__ import annotations

import functools
import json
import re

from graphrt.backends.llama.chat.json_text import JsonText, loads
from graphrt.backends.llama.chat.parts import CallPart, Parts

_STRING = r'"(?:[^"\\]|\\.)*"'


@functools.cache
def _head(name: str, arguments: str) -> re.Pattern[str]:
    """The object up to its arguments, where the name comes before them and only small things before the name."""
    other = rf'(?:"(?!{name}"){_STRING[1:]}\s*:\s*(?:{_STRING}|[\w.+-]+)\s*,\s*)*'
    key = "|".join(dict.fromkeys((arguments, "arguments", "parameters")))
    return re.compile(rf'\s*\{{\s*{other}"{name}"\s*:\s*({_STRING})\s*,\s*"(?:{key})"\s*:\s*(?=\{{)', re.DOTALL)


class ObjectCall:
    """One call: its arguments stream as soon as the name is known and an object has begun.

    A call written in another order is read when it is whole.
    """

    def __init__(self, parts: Parts, keys: tuple[str, str]) -> None:
        self._parts = parts
        self._keys = keys
        self.text = ""
        self.outer = JsonText()
        self._inner = JsonText()
        self._part: CallPart | None = None
        self._sent = 0

    def feed(self, text: str) -> int:
        """Take more; return how much of it belongs to the object."""
        used = self.outer.feed(text)
        self.text += text[:used]
        if self._part is None and (head := _head(*self._keys).match(self.text)):
            try:
                name = loads(head[1])
            except ValueError:
                return used
            self._part, self._sent = self._parts.call(name), head.end()
        if self._part is not None and not self._inner.ended:
            size = self._inner.feed(self.text[self._sent :])
            self._part.more(self.text[self._sent : self._sent + size])
            self._sent += size
        return used

    def end(self, *, closed: bool, cut: bool) -> bool:
        """Close the call; False if it turned out to be none, and then nothing has been emitted.

        A call that the model closed with its tag is whole even if its arguments are wrong: that is the model's
        mistake, and it is told so. One that was cut off, or that the model left open in the middle of its JSON, is
        not.
        """
        if self._part is not None:
            self._part.end(complete=closed or (self._inner.ended and not cut))
            return True
        try:
            whole = loads(self.text)
        except ValueError:
            whole = None
        name, arguments = self._keys
        if isinstance(whole, dict) and isinstance(whole.get(name), str):
            given = next((whole[key] for key in (arguments, "arguments", "parameters") if key in whole), None)
            part = self._parts.call(whole[name])
            part.more(
                given if isinstance(given, str) else "" if given is None else json.dumps(given, ensure_ascii=False)
            )
            part.end(complete=closed or not cut)
            return True
        if closed:
            return False
        part = self._parts.call("")
        part.more(self.text)
        part.end(complete=False)
        return True
