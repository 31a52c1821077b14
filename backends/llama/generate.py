"""One answer, from the request to the terminal event: plain code that runs in the engine's thread.

`answer` is a generator: it yields the tokens that it wants computed and is sent the logits after the last of them. It
emits every event of the stream, the terminal one included, and raises nothing.
"""

from __future__ import annotations

import codecs
import contextlib
import functools
import hashlib
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphrt.backends.errors import BackendError, BadRequest, ContextLengthExceeded, ServerError, UnsupportedSetting
from graphrt.backends.events import Failed, Finished, FinishReason, Fold, Started, StreamEvent, Usage, Warned
from graphrt.backends.llama.chat.parsing import AnswerParser
from graphrt.backends.llama.chat.stops import StopStrings
from graphrt.backends.llama.chat.template import read_template
from graphrt.backends.llama.engine import drafts
from graphrt.backends.llama.engine.drafts import Group, Keeper
from graphrt.backends.llama.engine.engine import Engine
from graphrt.backends.llama.engine.sampling import Sampler
from graphrt.backends.llama.engine.snapshots import MOST, Cells, Snapshots
from graphrt.backends.llama.engine.task import Effort, Work
from graphrt.backends.llama.grammar.constrain import Grammars, LazyMatcher, Matcher
from graphrt.backends.llama.native.library import library, log
from graphrt.backends.messages import Request, Settings, ToolSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Speaker:
    """A loaded model with all that is made once for it: its template, its grammars."""

    def __init__(
        self,
        engine: Engine,
        *,
        name: str,
        model: str,
        chat_template: str | None = None,
        snapshots: Path | None = None,
        snapshot_bytes: int = MOST,
    ) -> None:
        self.engine = engine
        self.snapshots: Snapshots | None = None
        if snapshots is not None:
            made = drafts.digest(self.made, engine.context.layout)
            self.snapshots = Snapshots(snapshots, snapshot_bytes, made)
        self.name = name
        self.model = model
        source = chat_template or engine.template
        if not source:
            raise BadRequest(f"{name} has no chat template of its own: pass chat_template=", provider="llama_cpp")
        vocabulary = engine.vocabulary
        control = tuple(vocabulary.control_texts)
        self.template = read_template(source, vocabulary.bos_text, vocabulary.eos_text, control)
        spells = self.template.dialect.spells
        self.tags = frozenset(token for token in vocabulary.control if spells(vocabulary.text(token)))
        """The control tokens that mean something to the parser."""
        self._grammars: Grammars | None = None
        self._making = threading.Lock()

    @functools.cached_property
    def made(self) -> str:
        """What answers come from: the model and the libraries. Read from the file only once somebody keeps a draft."""
        libraries = f"llama.cpp {library().llama_version()!r}, llguidance {version('llguidance')}"
        return drafts.digest(self.engine.model.fingerprint, libraries)

    @property
    def grammars(self) -> Grammars:
        """Made at the first constrained answer."""
        with self._making:
            if self._grammars is None:
                self._grammars = Grammars(self.engine.vocabulary)
            return self._grammars

    def prepare(self, request: Request) -> None:
        """Make the grammars that `answer` will want, which may take seconds. Any thread may do so while the model is
        there; what cannot be made is the answer's to tell."""
        with contextlib.suppress(Exception):
            _Answer(self, request, lambda _: None, _Spent(Effort())).constraint()

    def tokens(self, prompt: str) -> list[int]:
        """The prompt's tokens. Only the template's own text may spell control tokens."""
        vocabulary = self.engine.vocabulary
        beginning = not (vocabulary.bos_text and prompt.startswith(vocabulary.bos_text))
        tokens: list[int] = []
        for i, (text, special) in enumerate(self.template.split(prompt)):
            tokens += vocabulary.tokenize(text, special=special, beginning=beginning and i == 0)
        if not tokens:
            raise BadRequest("the chat template made an empty prompt", provider="llama_cpp")
        return tokens

    def answer(self, request: Request, emit: Callable[[StreamEvent], None], effort: Effort) -> Work:
        """Answer `request`. Closed, it emits nothing more; an error thrown into it ends the answer."""
        seen = Fold()

        def tell(event: StreamEvent) -> None:
            seen.add(event)
            emit(event)

        spent = _Spent(effort)
        try:
            yield from _Answer(self, request, tell, spent).run()
        except BackendError as error:
            emit(Failed(_with_partial(error, seen, spent)))
        except RecursionError:
            deep = BadRequest("what was asked, or its tools or schema, is nested too deeply", provider=self.name)
            emit(Failed(_with_partial(deep, seen, spent)))
        except Exception as error:
            log.exception("answering failed")
            failure = ServerError(f"{type(error).__name__}: {error}", provider=self.name, retryable=False)
            failure.__cause__ = error
            emit(Failed(_with_partial(failure, seen, spent)))


@dataclass(slots=True)
class _Spent:
    """The tokens of one answer, counted as they come."""

    effort: Effort
    input: int | None = None
    output: int | None = None
    thought: int = 0
    raw: dict[str, Any] = field(default_factory=dict)

    def usage(self) -> Usage:
        thought = self.thought if self.output is not None else None
        raw = self.raw | self.effort.facts()
        return Usage(input=self.input, output=self.output, cache_read=self.effort.cached, reasoning=thought, raw=raw)


def _with_partial(error: BackendError, seen: Fold, spent: _Spent) -> BackendError:
    partial = seen.partial()
    error.partial = error.partial or (partial if partial.parts else None)
    if error.usage is None and spent.input is not None:
        error.usage = spent.usage()
    return error


def sampler(settings: Settings, drawn: int | None = None) -> Sampler:
    """The sampler that `settings` ask for: greedy without a temperature; where a seed is needed, the one that was
    `drawn` before, or a fresh one."""
    seed = settings.seed if settings.seed is not None else drawn
    if seed is None:
        seed = secrets.randbits(63) if settings.temperature else 0
    return Sampler(
        temperature=settings.temperature or 0.0,
        top_k=settings.top_k or 0,
        top_p=1.0 if settings.top_p is None else settings.top_p,
        min_p=settings.min_p or 0.0,
        presence_penalty=settings.presence_penalty or 0.0,
        frequency_penalty=settings.frequency_penalty or 0.0,
        seed=seed,
    )


def check(settings: Settings) -> None:
    """Refuse values that mean nothing. Raises BadRequest."""
    limits = (
        ("max_tokens", settings.max_tokens, 1, None),
        ("temperature", settings.temperature, 0, 1e9),
        ("presence_penalty", settings.presence_penalty, -1e6, 1e6),
        ("frequency_penalty", settings.frequency_penalty, -1e6, 1e6),
        ("top_p", settings.top_p, 0, 1),
        ("min_p", settings.min_p, 0, 1),
        ("top_k", settings.top_k, 0, None),
    )
    for name, value, low, high in limits:
        if value is not None and not (value >= low and (high is None or value <= high)):
            wanted = f"at least {low}" if high is None else f"between {low} and {high}"
            raise BadRequest(f"{name} is {value}; it must be {wanted}", provider="llama_cpp")
    if "" in settings.stop:
        raise BadRequest("an empty stop string would stop everything", provider="llama_cpp")


class _Answer:
    """The state of one answer."""

    def __init__(self, speaker: Speaker, request: Request, emit: Callable[[StreamEvent], None], spent: _Spent) -> None:
        self.speaker = speaker
        self.engine = speaker.engine
        self.request = request
        self.emit = emit
        self.spent = spent
        self.warnings: list[Warned] = []

    def run(self) -> Work:
        settings = self.request.settings
        check(settings)
        tools = self._tools()
        template_options = self._options(settings)
        prompt = self.speaker.template.render(self.request.messages, tools, template_options)
        thoughts = self.speaker.template.dialect.thoughts
        thinking = prompt.rstrip().endswith(thoughts.open)
        grammar = self._grammar(tools)
        if grammar is not None and thinking:
            gap = "\n\n" if prompt.endswith("\n") else ""  # as the template itself writes an empty thought
            prompt, thinking = f"{prompt.rstrip()}{gap}{thoughts.close}{gap}", False
        tokens = self.speaker.tokens(prompt)
        if settings.strict and self.warnings:
            said = "; ".join(f"{warning.setting}: {warning.message}" for warning in self.warnings)
            raise UnsupportedSetting(said, provider=self.speaker.name)
        id_ = hashlib.blake2b(repr(tokens).encode(), digest_size=6).hexdigest()
        self.emit(Started(model=self.speaker.model, response_id=id_))
        for warning in self.warnings:
            self.emit(warning)
        self.spent.input = len(tokens)
        if len(tokens) > self.engine.n_ctx:
            raise ContextLengthExceeded(
                f"the prompt has {len(tokens)} tokens and the context holds {self.engine.n_ctx}",
                provider=self.speaker.name,
            )
        dialect = self.speaker.template.dialect
        parser = AnswerParser(self.emit, ids=id_, tools=tools, dialect=dialect, thinking=thinking)
        matcher = self._matcher(grammar, tools)
        yield from self._write(tokens, parser, matcher)

    def constraint(self) -> Matcher | LazyMatcher | None:
        """What holds the answer from its first token, or from its first call."""
        tools = self._tools()
        return self._matcher(self._grammar(tools), tools)

    def _matcher(self, grammar: str | None, tools: tuple[ToolSpec, ...]) -> Matcher | LazyMatcher | None:
        if grammar is not None:
            return self.speaker.grammars.matcher(grammar)
        if not tools:
            return None
        syntax = self.speaker.template.dialect.calls
        return LazyMatcher(self.speaker.grammars, tools, many=self._many, syntax=syntax)

    def _tools(self) -> tuple[ToolSpec, ...]:
        request, choice = self.request, self.request.tool_choice
        if choice == "none" or (not request.tools and choice == "auto"):
            return ()
        if choice not in {"auto", "required"}:
            named = tuple(tool for tool in request.tools if tool.name == choice)
            if not named:
                raise BadRequest(f"tool_choice names {choice!r}, which is not offered", provider="llama_cpp")
        elif not request.tools:
            raise BadRequest("tool_choice is 'required' and no tool is offered", provider="llama_cpp")
        if not self.speaker.template.takes_tools:
            self._warn("tools", "the model's chat template does not show tools; the system message describes them")
        return request.tools

    def _options(self, settings: Settings) -> dict[str, Any]:
        """What goes to the template beside the messages; warns of what cannot be honoured."""
        options: dict[str, Any] = {}
        if settings.reasoning_effort is not None:
            none = settings.reasoning_effort == "none"
            if none and (quiet := self.speaker.template.thinking(on=False)):
                options |= quiet
            elif not none and "reasoning_effort" in self.speaker.template.wants:
                options["reasoning_effort"] = settings.reasoning_effort
            else:
                self._warn("reasoning_effort", "this model has no such setting")
        if settings.logprobs is not None:
            self._warn("logprobs", "this backend does not tell them")
        if settings.temperature is None:
            for name in ("top_p", "top_k", "min_p"):
                if getattr(settings, name) is not None:
                    self._warn(name, "without a temperature the likeliest token is always taken")
        for key, value in self.request.extra.items():
            if key == "chat_template_kwargs" and isinstance(value, dict):
                options |= value
            else:
                self._warn(f"extra.{key}", "unknown here; only chat_template_kwargs is")
        return options

    def _warn(self, setting: str, message: str) -> None:
        self.warnings.append(Warned(setting, message))

    def _grammar(self, tools: tuple[ToolSpec, ...]) -> str | None:
        request, choice = self.request, self.request.tool_choice
        forced = bool(tools) and choice != "auto"
        if not forced and request.output is None:
            return None
        offered = tools if choice in {"auto", "required"} else tuple(t for t in tools if t.name == choice)
        grammar, weak = self.speaker.grammars.answer(
            output=None if forced else request.output,
            tools=offered,
            calls=bool(tools),
            many=self._many,
            dialect=self.speaker.template.dialect,
        )
        for message in weak:
            self._warn("tools" if forced else "output", message)
        return grammar

    @property
    def _many(self) -> bool:
        """Whether one answer may hold several calls."""
        several = self.request.tool_choice in {"auto", "required"}
        return several and self.request.settings.parallel_tool_calls is not False

    def _write(self, tokens: list[int], parser: AnswerParser, matcher: Matcher | LazyMatcher | None) -> Work:
        which = functools.cache(lambda: self._which(tokens))  # most answers are over before anybody wants to know
        begun = None
        if self.request.draft:
            begun = drafts.read(self.request.draft, which(), self.engine.vocabulary.size)
        choose = sampler(self.request.settings, begun.seed if begun is not None else None)
        if choose.temperature:
            self.spent.raw["seed"] = choose.seed
        writing = _Writing(self, len(tokens), parser, matcher, choose)
        kept = Keeper(self.emit, which, choose.seed if choose.temperature else None, begun)
        snapshots = self.speaker.snapshots
        cells = Cells(snapshots, "" if snapshots is None else f"{which()}-{choose.seed}", tokens)
        # What was written before an interruption is said again at once; then it is computed as it was before.
        if before := cells.recall(begun.groups if begun is not None else ()):
            self._say_again(writing, before)
            for group in before[len(begun.groups) if begun is not None else 0 :]:
                kept.add(group)
        if not writing.ending:
            logits = yield from cells.read()
            self.spent.output = self.spent.output or 0
            while fresh := writing.next(logits):
                say = functools.partial(self._say, writing, fresh, kept)
                if writing.goes_on(fresh):
                    logits = yield from cells.add(fresh, say)
                elif say():
                    break
                else:
                    logits = yield from cells.add(fresh)
        cells.end()
        self.emit(writing.end())

    @staticmethod
    def _say(writing: _Writing, fresh: list[int], kept: Keeper) -> bool:
        """Say the tokens; whether they are the last."""
        if writing.take(fresh):
            return True
        kept.add(fresh)
        writing.look_ahead()
        return False

    def _which(self, tokens: list[int]) -> str:
        """The answer that this is, among all that any model was ever asked for."""
        asked = repr(self.request.model_copy(update={"messages": (), "draft": ()}))  # it may hold what is no JSON
        return drafts.digest(self.speaker.made, asked, repr(tokens))

    def _say_again(self, writing: _Writing, before: Sequence[Group]) -> None:
        self.spent.output = 0
        self.spent.raw["resumed"] = sum(map(len, before))
        for group in before:
            writing.follow(group)
            if writing.take(group):
                break


class _Writing:
    """How an answer goes on, token by token. `ending` is the word for why it does not."""

    def __init__(
        self, asked: _Answer, read: int, parser: AnswerParser, matcher: Matcher | LazyMatcher | None, choose: Sampler
    ) -> None:
        settings = asked.request.settings
        self._eog = asked.engine.vocabulary.eog
        self._read = read
        self._parser = parser
        self._matcher = matcher
        self._choose = choose
        self._spent = asked.spent
        single = settings.parallel_tool_calls is False
        self._text = _Text(asked.speaker, parser, StopStrings(settings.stop), single=single)
        self._any_may_end = bool(settings.stop) or single
        """Whether what the tokens spell may end the answer."""
        room = asked.engine.n_ctx - read + 1
        self._limit = room if settings.max_tokens is None else min(room, settings.max_tokens)
        self._asked_for = settings.max_tokens
        self.ending: str | None = None

    def next(self, logits: NDArray[np.float32]) -> list[int]:
        """Choose the next token; with it come those that must follow. Nothing, if the grammar is at its end."""
        matcher = self._matcher
        if matcher is not None and matcher.done:
            self.ending = "grammar"
            return []
        position = self._read + (self._spent.output or 0)
        token = self._choose.pick(logits, position, None if matcher is None else matcher.allowed())
        if matcher is None or token in self._eog:
            return [token]
        matcher.accept(token)
        forced = matcher.forced()
        for each in forced:
            matcher.accept(each)
        return [token, *forced]

    def goes_on(self, fresh: list[int]) -> bool:
        """Whether there is more after these tokens, whatever they spell: then the next may be computed at once."""
        whole = (self._spent.output or 0) + len(fresh)
        return not (self._any_may_end or whole >= self._limit or any(token in self._eog for token in fresh))

    def look_ahead(self) -> None:
        """Have it found out, while the model computes, which tokens may come next."""
        if self._matcher is not None:
            self._matcher.ahead()

    def follow(self, group: list[int]) -> None:
        """Bring the grammar to where it was after tokens that `next` gave."""
        if self._matcher is not None and group[0] not in self._eog:
            for each in group:
                self._matcher.accept(each)

    def take(self, fresh: list[int]) -> str | None:
        """Say the tokens; return the word for the ending if the answer ends at one of them."""
        spent, parser, matcher = self._spent, self._parser, self._matcher
        ending: str | None = None
        for i, token in enumerate(fresh, start=1):
            if token in self._eog:
                ending = "eog"
            else:
                self._choose.accept(token)
                spent.output = (spent.output or 0) + 1
                spent.thought += parser.thinking
                ending = self._text.add(token) or ("max_tokens" if spent.output >= self._limit else None)
                if matcher is not None:
                    matcher.watch(parser.calling)
            if ending == "max_tokens" and matcher is not None and matcher.done and i == len(fresh):
                ending = "grammar"
            if ending:
                break
        if ending == "max_tokens" and self._limit != self._asked_for:
            ending = "context_full"
        self.ending = ending
        return ending

    def end(self) -> Finished:
        """Settle what waits, and the event that ends the answer."""
        self._text.end(cut=self.ending in {"max_tokens", "context_full", "stop_string"})
        reason: FinishReason = "tool_calls" if self._parser.calls else "stop"
        if self.ending in {"max_tokens", "context_full"}:
            reason = "length"
        return Finished(reason, self.ending, self._spent.usage())


class _Text:
    """From tokens to text: bytes to characters, control tokens out, stop strings watched, and on to the parser."""

    def __init__(self, speaker: Speaker, parser: AnswerParser, stops: StopStrings, *, single: bool) -> None:
        self._vocabulary = speaker.engine.vocabulary
        self._tags = speaker.tags
        self._parser = parser
        self._stops = stops
        self._single = single
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, token: int) -> str | None:
        """Take one token; the word for the ending if it ends the answer."""
        if token in self._vocabulary.control and token not in self._tags:
            return None
        self._parser.feed(self._stops.feed(self._decoder.decode(self._vocabulary.pieces[token])))
        if self._stops.hit:
            return "stop_string"
        return "one_call" if self._single and self._parser.calls else None

    def end(self, *, cut: bool) -> None:
        """Settle what waits. Half a character at a cut is dropped."""
        rest = "" if cut else self._decoder.decode(b"", final=True)
        self._parser.feed(self._stops.feed(rest) + self._stops.end())
        self._parser.end(cut=cut)
