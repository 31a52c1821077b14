"""Sampling under a grammar: a JSON Schema, or tool calls of which each argument list has a schema.

The grammar never promises more than it can hold: a keyword that it cannot enforce is left out and named in a warning,
and whoever asked validates the answer anyway. A schema that nothing can satisfy is the caller's mistake.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from graphrt.backends.errors import BackendError, BadRequest
from graphrt.backends.llama.grammar import Calls
from graphrt.backends.llama.library import extra
from graphrt.backends.llama.syntax import PLAIN, Dialect, ToolSyntax
from graphrt.backends.llama.vocabulary import Vocabulary
from graphrt.backends.messages import OutputSchema, ToolSpec

if TYPE_CHECKING:
    import numpy as np
    from llguidance import LLMatcher, LLTokenizer
    from numpy.typing import NDArray

LAYOUT = {"whitespace_flexible": False, "key_separator": ": ", "item_separator": ", "}
"""How JSON is written: one line, a space after colons and commas, as models learn it from Python."""
_LENIENT = {"coerce_one_of": True, "lenient": True}


class Matcher:
    """Where one answer stands in its grammar."""

    def __init__(self, matcher: LLMatcher, size: int) -> None:
        self._matcher = matcher
        self._size = size
        self._np = extra("numpy")

    @property
    def done(self) -> bool:
        """Whether the grammar allows nothing more."""
        return self._matcher.is_stopped()

    def allowed(self) -> NDArray[np.bool_]:
        """Which tokens may come next."""
        bits = self._np.frombuffer(self._matcher.compute_bitmask(), dtype=self._np.uint8)
        mask = self._np.unpackbits(bits, count=self._size, bitorder="little").astype(bool)
        if not mask.any():
            raise BackendError(f"the grammar allows no token: {self._matcher.get_error()}", provider="llama_cpp")
        return cast("NDArray[np.bool_]", mask)

    def accept(self, token: int) -> None:
        """Go on by `token`, which must be an allowed one."""
        if not self._matcher.consume_token(token):
            raise BackendError(f"the grammar refused a token: {self._matcher.get_error()}", provider="llama_cpp")

    def forced(self) -> list[int]:
        """The tokens that must come next, so that nothing need be sampled for them."""
        return [] if self._matcher.is_stopped() else self._matcher.compute_ff_tokens()

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
        self._tools = tools
        self._many = many
        self._syntax = syntax
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

    def forced(self) -> list[int]:
        """The tokens that must come next."""
        return [] if self._matcher is None else self._matcher.forced()

    def watch(self, calling: str | None) -> None:
        """Hear of the calls that are being written: their text so far, or None outside calls."""
        if calling is None:
            self._matcher, self._looked = None, False
        elif not self._looked:
            self._looked = True
            self._matcher = self._grammars.resume(self._tools, calling, many=self._many, syntax=self._syntax)


class Grammars:
    """Makes matchers for one vocabulary, which takes a while to read."""

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

    def matcher(self, grammar: str) -> Matcher:
        """Begin an answer under a Lark grammar."""
        guidance = self._guidance.LLMatcher
        found: LLMatcher = guidance(self._tokenizer, guidance.grammar_from_lark(grammar), log_level=0)
        if found.is_error():
            raise BadRequest(f"the constraint cannot be used: {found.get_error()}", provider="llama_cpp")
        return Matcher(found, self._vocabulary.size)

    def resume(self, tools: Sequence[ToolSpec], text: str, *, many: bool, syntax: ToolSyntax) -> Matcher | None:
        """A matcher for calls of which `text` is written already.

        None where there is none to be had: the calls began in a way of their own, or a schema cannot be used. Nobody
        asked for a call here, so that is no reason to end the answer.
        """
        try:
            rules, _ = self._calls(syntax, tools, many=many)
            found = self.matcher("\n".join(["start: calls", *rules]))
        except BadRequest:
            return None
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
        whole = dict(schema)
        problem = ""
        for candidate in (whole, {**whole, "x-guidance": _LENIENT}, *self._without_patterns(whole)):
            options = candidate.pop("x-guidance", {}) if candidate is not whole else {}
            grammar = {**candidate, "x-guidance": {**LAYOUT, **options}}
            guidance = self._guidance.LLMatcher
            failed, notes = guidance.validate_grammar_with_warnings(
                guidance.grammar_from_json_schema(grammar), self._tokenizer
            )
            if not failed:
                dropped = [f"{where}: {problem} (the pattern is not enforced)"] if "regex" in problem else []
                return grammar, dropped + [f"{where} is not wholly enforced: {note}" for note in notes]
            problem = problem if "regex" in problem else " ".join(notes)
        raise BadRequest(f"{where} cannot be used to constrain an answer: {problem}", provider="llama_cpp")

    @staticmethod
    def _without_patterns(schema: dict[str, Any]) -> list[dict[str, Any]]:
        """The schema without regular expressions, which may be of a kind that the grammar cannot follow."""

        def strip(value: Any, *, names: bool = False) -> Any:
            if isinstance(value, list):
                return [strip(item) for item in value]
            if not isinstance(value, dict):
                return value
            if names:
                return {name: strip(item) for name, item in value.items()}
            kept = {
                key: strip(item, names=key in {"properties", "$defs", "definitions"})
                for key, item in value.items()
                if not (key == "pattern" and isinstance(item, str)) and key != "patternProperties"
            }
            if "patternProperties" in value:
                kept.pop("additionalProperties", None)
            return kept

        return [{**strip(schema), "x-guidance": _LENIENT}]
