"""Sampling under a grammar: a JSON Schema, or tool calls of which each argument list has a schema.

The grammar never promises more than it can hold: a keyword that it cannot enforce is left out and named in a warning,
and whoever asked validates the answer anyway. A schema that nothing can satisfy is the caller's mistake.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

from graphrt.backends.errors import BadRequest
from graphrt.backends.llama.chat.syntax import PLAIN, Dialect, ToolSyntax
from graphrt.backends.llama.grammar.calls import Calls
from graphrt.backends.llama.grammar.weaken import Unusable, Weakness, dumped, weakened
from graphrt.backends.llama.native.library import extra
from graphrt.backends.llama.native.vocabulary import Vocabulary
from graphrt.backends.messages import OutputSchema, ToolSpec

if TYPE_CHECKING:
    import numpy as np
    from llguidance import LLMatcher, LLTokenizer
    from numpy.typing import NDArray

LAYOUT = {"whitespace_flexible": False, "key_separator": ": ", "item_separator": ", "}
"""How JSON is written: one line, a space after colons and commas, as models learn it from Python."""
_LIMITS = {"max_items_in_row": 20_000, "step_max_items": 200_000, "initial_lexer_fuel": 10_000_000}
"""Objects of thousands of optional members and lists of a hundred thousand words: beyond what the library allows."""
LARGE = 16_384
"""Tokens of a vocabulary from which on a mask takes longer than handing it to another thread."""
_KEPT = 32
"""How many grammars are kept for those who ask again."""
_LINE = 200
"""Letters of a reason that are told."""


@functools.cache
def _others() -> ThreadPoolExecutor:
    """Threads that compute masks while a model computes. They hold no lock of the interpreter's."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="graphrt masks")


class Matcher:
    """Where one answer stands in its grammar."""

    def __init__(self, matcher: LLMatcher, size: int) -> None:
        self._matcher = matcher
        self._size = size
        self._np = extra("numpy")
        self._coming: Future[bytes] | None = None

    @property
    def done(self) -> bool:
        """Whether the grammar allows nothing more."""
        return self._coming is None and self._matcher.is_stopped()

    def allowed(self) -> NDArray[np.bool_]:
        """Which tokens may come next."""
        coming, self._coming = self._coming, None
        found = self._matcher.compute_bitmask() if coming is None else coming.result()
        bits = self._np.frombuffer(found, dtype=self._np.uint8)
        mask = self._np.unpackbits(bits, count=self._size, bitorder="little").astype(bool)
        if not mask.any():
            raise self._stuck()
        return cast("NDArray[np.bool_]", mask)

    def ahead(self) -> None:
        """Begin to find out which tokens may come next, in another thread, if that takes longer than asking it to.
        Until `allowed` was called, nothing may be but `done`."""
        if self._size >= LARGE and not self.done:
            self._coming = _others().submit(self._matcher.compute_bitmask)

    def accept(self, token: int) -> None:
        """Go on by `token`, which must be an allowed one."""
        if not self._matcher.consume_token(token):
            raise self._stuck()

    def forced(self) -> list[int]:
        """The tokens that must come next, so that nothing need be sampled for them."""
        return [] if self._matcher.is_stopped() else self._matcher.compute_ff_tokens()

    def _stuck(self) -> BadRequest:
        why = _reason(self._matcher) or "nothing may come next"
        return BadRequest(f"the answer cannot go on under its constraint: {why}", provider="llama_cpp")

    def watch(self, calling: str | None) -> None:
        """Hear of the calls that are being written, which changes nothing: this matcher holds from the first token."""

    def follow(self, tokens: Sequence[int]) -> bool:
        """Go on by `tokens` if all of them are allowed."""
        return self._matcher.validate_tokens(list(tokens)) == len(tokens) and self._matcher.consume_tokens(list(tokens))


class LazyMatcher:
    """A matcher that sleeps until calls begin, holds the model to them, and sleeps again when they are over."""

    done = False
    """The answer may always go on."""

    def __init__(self, grammars: Grammars, tools: Sequence[ToolSpec], *, many: bool, syntax: ToolSyntax) -> None:
        self._grammars = grammars
        self._grammar = grammars.calls(tools, many=many, syntax=syntax)
        self._matcher: Matcher | None = None
        self._looked = False
        """Whether these calls have had their matcher."""

    def allowed(self) -> NDArray[np.bool_] | None:
        """Which tokens may come next; None for any."""
        return None if self._matcher is None else self._matcher.allowed()

    def accept(self, token: int) -> None:
        """Go on by `token`."""
        if self._matcher is not None:
            self._matcher.accept(token)
            if self._matcher.done:
                self._matcher = None

    def ahead(self) -> None:
        """Begin to find out which tokens may come next."""
        if self._matcher is not None:
            self._matcher.ahead()

    def forced(self) -> list[int]:
        """The tokens that must come next."""
        return [] if self._matcher is None else self._matcher.forced()

    def watch(self, calling: str | None) -> None:
        """Hear of the calls that are being written: their text so far, or None outside calls."""
        if calling is None:
            self._matcher, self._looked = None, False
        elif not self._looked:
            self._looked = True
            self._matcher = None if self._grammar is None else self._grammars.resume(self._grammar, calling)


class Grammars:
    """Makes matchers for one vocabulary. Reading it takes most of a second where it is large, and the library holds the
    interpreter's lock meanwhile; compiling grammars and computing masks does not."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._guidance = extra("llguidance")
        self._vocabulary = vocabulary
        # A byte that no text begins with marks tokens that only a grammar's own marks may produce.
        tokens = [
            b"\xff" + piece if token in vocabulary.marks else piece for token, piece in enumerate(vocabulary.pieces)
        ]
        ends = [vocabulary.eos, *(token for token in vocabulary.eog if token != vocabulary.eos)]
        self._tokenizer: LLTokenizer = self._guidance.LLTokenizer.from_llamacpp(
            tokens=tokens,
            vocab_ptr=vocabulary.pointer,
            tokenize_fptr=vocabulary.tokenize_pointer,
            eos_token=[token for token in ends if token >= 0],
        )
        self._tokens = {vocabulary.text(token): token for token in vocabulary.marks}
        longest = sorted(self._tokens, key=len, reverse=True)
        self._spelt = re.compile(f"({'|'.join(map(re.escape, longest))})")
        self._limits = self._guidance.LLParserLimits(**_LIMITS)
        self._compiled = functools.lru_cache(_KEPT)(self._compile)
        self._weakened = functools.lru_cache(_KEPT)(self._weaken)

    def matcher(self, grammar: str) -> Matcher:
        """Begin an answer under a Lark grammar."""
        try:
            grammar.encode()
        except UnicodeEncodeError:
            raise BadRequest("a tool's name or a parameter's holds half a character", provider="llama_cpp") from None
        found = self._compiled(grammar)
        if found.is_error():
            raise BadRequest(f"the constraint cannot be used: {_reason(found)}", provider="llama_cpp")
        return Matcher(found.deep_copy(), self._vocabulary.size)

    def calls(self, tools: Sequence[ToolSpec], *, many: bool, syntax: ToolSyntax) -> str | None:
        """The grammar of nothing but calls, compiled; None where a schema cannot be used. Nobody asked for a call, so
        that this is no reason to end the answer."""
        try:
            rules, _ = self._calls(syntax, tools, many=many)
            grammar = "\n".join(["start: calls", *rules])
            self.matcher(grammar)
        except BadRequest:
            return None
        return grammar

    def resume(self, grammar: str, text: str) -> Matcher | None:
        """A matcher for calls of which `text` is written already; None where they began in a way of their own."""
        found = self.matcher(grammar)
        tokens: list[int] = []
        for piece in re.split(self._spelt, text.lstrip()) if self._tokens else [text]:
            token = self._tokens.get(piece)
            tokens += [token] if token is not None else self._tokenizer.tokenize_bytes(piece.encode())
        return found if found.follow(tokens) and not found.done else None

    def answer(
        self,
        *,
        output: OutputSchema | None,
        tools: Sequence[ToolSpec],
        calls: bool,
        many: bool,
        dialect: Dialect = PLAIN,
    ) -> tuple[str, list[str]]:
        """The grammar of an answer, and what it cannot enforce.

        With `calls` the answer may be calls of `tools`, several if `many`; with `output` it may be that schema's JSON.
        """
        rules: list[str] = []
        warnings: list[str] = []
        ways: list[str] = []
        if calls:
            calling, weak = self._calls(dialect.tools, tools, many=many)
            ways.append("calls")
            rules += calling
            warnings += weak
        if output is not None:
            schema, weak = self.enforceable(output.schema_, f"schema {output.name!r}")
            warnings += weak
            ways.append("json")
            header = self._literal(dialect.channels.plain) if dialect.channels else ""
            rules += [f"json: {header} value", f"value: %json {json.dumps(schema)}"]
        return "\n".join(["start: " + " | ".join(ways), *rules]), warnings

    def _calls(self, syntax: ToolSyntax, tools: Sequence[ToolSpec], *, many: bool) -> tuple[list[str], list[str]]:
        """The rules of calls, and what they cannot enforce."""
        written = Calls(syntax, literal=self._literal, special=self._special, enforce=self.enforceable)
        start = written.start(tools, many=many)
        return [f"calls: {start}", *written.rules], written.warnings

    def _literal(self, text: str) -> str:
        """Fixed text in a grammar: the vocabulary's own tokens for its marks, letters for the rest.

        A mark that ends an answer is left out at the end: the end itself says as much.
        """
        pieces = [piece for piece in (re.split(self._spelt, text) if self._tokens else [text]) if piece]
        if pieces and self._tokens.get(pieces[-1]) in self._vocabulary.eog:
            pieces.pop()
        terms = [f"<[{self._tokens[p]}]>" if p in self._tokens else json.dumps(p, ensure_ascii=False) for p in pieces]
        return " ".join(terms) or '""'

    def _special(self, text: str) -> bool:
        """Whether `text` begins with a mark of the vocabulary's."""
        return any(text.startswith(mark) for mark in self._tokens)

    def enforceable(self, schema: Mapping[str, Any], where: str) -> tuple[dict[str, Any], list[str]]:
        """What can be enforced of `schema`, and a sentence about each thing that cannot.

        Raises BadRequest for a schema that is wrong in itself.
        """
        try:
            made, weak = self._weakened(dumped(schema))
        except Unusable as error:
            raise BadRequest(f"{where} {error}", provider="llama_cpp") from None
        if isinstance(weak, Unusable):
            raise BadRequest(f"{where} {weak}", provider="llama_cpp")
        return made, [f"{where} is not wholly enforced: {one}" for one in weak]

    def _weaken(self, schema: str) -> tuple[dict[str, Any], list[Weakness] | Unusable]:
        try:
            made, weak = weakened(schema, self._refusal)
        except Unusable as error:  # kept like an answer: it may have taken as long
            return {}, error
        return {**made, "x-guidance": LAYOUT}, weak

    def _refusal(self, schema: Mapping[str, Any]) -> str:
        """Why a schema cannot be held; empty where it can, as far as the first letters show."""
        found = self._compile(f"start: %json {json.dumps({**schema, 'x-guidance': LAYOUT})}")
        if not found.is_error():
            found.compute_ff_tokens()
        if not found.is_stopped():
            found.compute_bitmask()
        return _reason(found) if found.is_error() else ""

    def _compile(self, grammar: str) -> LLMatcher:
        guidance = self._guidance.LLMatcher
        found: LLMatcher = guidance(
            self._tokenizer, guidance.grammar_from_lark(grammar), log_level=0, limits=self._limits
        )
        return found


def _reason(matcher: LLMatcher) -> str:
    """Why a matcher can go on no more, in a line."""
    said = matcher.get_error()
    if found := re.search(r"^error: (.*)", said, re.MULTILINE):  # of a pattern, which is shown before
        return found[1][:_LINE]
    return re.sub(r"\Aat \d+\(\d+\): (failed to compile JSON schema: )?", "", said.partition("\n")[0])[:_LINE]
