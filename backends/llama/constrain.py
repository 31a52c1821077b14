"""Sampling under a grammar: a JSON Schema, or tool calls of which each argument list has a schema.

The grammar never promises more than it can hold: a keyword that it cannot enforce is left out and named in a warning,
and whoever asked validates the answer anyway. A schema that nothing can satisfy is the caller's mistake.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from graphrt.backends.errors import BackendError, BadRequest
from graphrt.backends.llama.library import extra
from graphrt.backends.llama.vocabulary import Vocabulary
from graphrt.backends.messages import OutputSchema, ToolSpec

if TYPE_CHECKING:
    import numpy as np
    from llguidance import LLMatcher, LLTokenizer
    from numpy.typing import NDArray

LAYOUT = {"whitespace_flexible": False, "key_separator": ": ", "item_separator": ", "}
"""How JSON is written: one line, a space after colons and commas, as models learn it from Python."""
CALL, END_CALL = "<tool_call>", "</tool_call>"
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
        self._texts = {vocabulary.text(token) for token in vocabulary.marks}

    def matcher(self, grammar: str) -> Matcher:
        """Begin an answer under a Lark grammar."""
        guidance = self._guidance.LLMatcher
        found: LLMatcher = guidance(self._tokenizer, guidance.grammar_from_lark(grammar), log_level=0)
        if found.is_error():
            raise BadRequest(f"the constraint cannot be used: {found.get_error()}", provider="llama_cpp")
        return Matcher(found, self._vocabulary.size)

    def answer(
        self, *, output: OutputSchema | None, tools: Sequence[ToolSpec], calls: bool, many: bool
    ) -> tuple[str, list[str]]:
        """The grammar of an answer, and what it cannot enforce.

        With `calls` the answer may be calls of `tools`, several if `many`; with `output` it may be that schema's JSON.
        """
        rules: list[str] = []
        warnings: list[str] = []
        ways: list[str] = []
        if calls:
            ways.append("calls")
            rules.append('calls: call ("\\n" call)*' if many else "calls: call")
            rules.append("call: " + " | ".join(f"call_{i}" for i in range(len(tools))))
            for i, tool in enumerate(tools):
                schema, weak = self.enforceable({"type": "object", **tool.parameters}, f"tool {tool.name!r}")
                warnings += weak
                tail = "}\n"
                head = f'\n{{"name": {json.dumps(tool.name, ensure_ascii=False)}, "arguments": '
                body = f"{json.dumps(head)} arguments_{i} {json.dumps(tail)}"
                rules.append(f"call_{i}: {self._mark(CALL)} {body} {self._mark(END_CALL)}")
                rules.append(f"arguments_{i}: %json {json.dumps(schema)}")
        if output is not None:
            schema, weak = self.enforceable(output.schema_, f"schema {output.name!r}")
            warnings += weak
            ways.append("json")
            rules.append(f"json: %json {json.dumps(schema)}")
        return "\n".join(["start: " + " | ".join(ways), *rules]), warnings

    def _mark(self, text: str) -> str:
        """A tag in a grammar: the vocabulary's own token where it has one, letters where not."""
        return text if text in self._texts else json.dumps(text)

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
