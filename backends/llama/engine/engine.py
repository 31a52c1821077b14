"""One loaded model and its slots: many requests computed together, step by step.

Everything here belongs to one thread, apart from `interrupt` and `stop`. A request that is given up frees its slot at
once, or after the call that also computes for others. An interrupted call leaves the slots as they were before it.

An answer depends on nothing but its request, by construction. The bits of a token's state depend on how many tokens are
computed together with it: on some processors for every weight format, on others for some. So each slot has cells of its
own and flash attention is off; a prompt is computed alone, in chunks that begin at multiples of `CHUNK`, and only whole
chunks of prompts are ever reused: every cell of a prompt is computed in the same company, whatever was asked before.
The single rows of those that write are computed together, in numbers of which `invariance` has found, at load, that
they make no difference. Where there are none, or where this was not asked for, the slots share their cells and all that
waits goes into one call: what a GPU likes, and not repeatable to the bit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphrt.backends.errors import BackendError, ServerError
from graphrt.backends.llama.engine import schedule
from graphrt.backends.llama.engine.invariance import fewest_rows
from graphrt.backends.llama.engine.prefixes import Match, Prefixes, chunks
from graphrt.backends.llama.engine.task import Going, Restored, Task
from graphrt.backends.llama.native.context import CacheFull, Context, Span
from graphrt.backends.llama.native.library import Aborted
from graphrt.backends.llama.native.model import Model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK = 32
"""Tokens of a prompt computed in one go, and the unit in which equal beginnings are reused. More is hardly faster."""
CONTEXT = 4096
"""The context where nobody asked for another, unless the model was trained on less."""
PARALLEL = 8
"""Requests at once where nobody asked for another number, unless their cells took more than `CELL_BYTES`."""
CELL_BYTES = 2 << 30
"""What the cells of all slots may take where nobody said how many there should be."""
MOST = 256
"""Sequences that llama.cpp allows in a context."""
BESIDE = 2 * CHUNK
"""Tokens of its prompt that each reads in a step in which others write: what these wait for."""
TOGETHER = 512
"""Tokens that all of them read in such a step, and rows of a call that need not be exact."""
PADDED = 256
"""llama.cpp rounds the cells of a sequence up to a multiple of this."""


def _nothing() -> None:
    pass


@dataclass(slots=True, eq=False)
class Slot:
    """One sequence of the context: the first `held` tokens of something, and the task that goes on with it."""

    number: int
    held: int = 0
    used: int = 0
    since: int = 0
    task: Task | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """How a model is used. `None` leaves a choice to the engine.

    `n_ctx` is the context of one request in tokens, `parallel` how many requests are computed at once, and
    `cache_tokens` bounds what all of them hold together. `exact` None is exact where this processor is found to allow
    it.
    """

    n_ctx: int | None = None
    n_threads: int | None = None
    parallel: int | None = None
    cache_tokens: int | None = None
    exact: bool | None = None
    offload_kqv: bool = True


class Engine:
    """A model in memory with its slots. `batch_invariant`: an answer does not depend on what is computed beside it."""

    def __init__(self, model: Model, options: Options) -> None:
        self.model = model
        self.vocabulary = model.vocabulary
        self.template = model.template
        self.n_ctx = options.n_ctx or min(model.trained, CONTEXT)
        self.context, company = self._open(options)
        self.exact = not self.context.unified
        self.batch_invariant = self.exact and not model.offloaded  # there, long prompts were seen to differ
        self._limits = schedule.Limits(
            slots=self.context.sequences,
            rows=self.context.rows,
            chunk=CHUNK,
            prompts=BESIDE if self.exact else TOGETHER if model.offloaded else 2 * BESIDE,
            most=TOGETHER,
            exact=self.exact,
            company=company,
        )
        self._slots = [Slot(number) for number in range(self.context.sequences)]
        self._prefixes = Prefixes()
        self._waiting: dict[int, Task] = {}
        self._served: dict[Hashable, int] = {}
        self._count = 0
        self._guard = threading.Lock()
        self._computing: dict[Task, int] = {}
        self._some_given_up = False
        self._tight = False
        """Somebody had to make room: nobody comes in before those who are there have gone on."""
        self._stopped = False
        self._between: Callable[[], object] = _nothing
        if model.offloaded:
            self.context.meanwhile = self._meanwhile

    def _open(self, options: Options) -> tuple[Context, int]:
        """The context that `options` ask for, and how many single rows it computes together at least."""
        share = -(-(self.n_ctx + 1) // PADDED) * PADDED
        most = options.cache_tokens or CELL_BYTES // self.model.cell_bytes
        slots = options.parallel or PARALLEL
        if options.parallel is None or options.cache_tokens:
            slots = max(1, min(slots, most // share))
        threads = options.n_threads or self.model.threads
        if options.exact or (options.exact is None and not self.model.offloaded):
            context = Context(
                self.model,
                cells=share * slots,
                rows=max(CHUNK, slots),
                threads=threads,
                sequences=slots,
                gpu_cells=options.offload_kqv,
            )
            try:
                company = fewest_rows(context)
            except BaseException:
                context.close()
                raise
            if company or options.exact:
                return context, company
            context.close()
        slots = options.parallel or PARALLEL
        cells = max(share, options.cache_tokens or share * slots)
        context = Context(
            self.model,
            cells=cells,
            rows=min(TOGETHER, cells),
            threads=threads,
            sequences=slots,
            unified=True,
            gpu_cells=options.offload_kqv,
        )
        return context, 0

    # What other threads may call

    def interrupt(self, task: Task) -> None:
        """Give a task up. A call that is for it more than for others ends within about a millisecond."""
        with self._guard:
            task.given_up = self._some_given_up = True
            if 2 * self._computing.get(task, 0) > sum(self._computing.values()):
                self.context.abort.set()

    def stop(self) -> None:
        """Give everything up, now and from now on."""
        with self._guard:
            self._stopped = self._some_given_up = True
            self.context.abort.set()

    # What its own thread calls

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self._waiting) or any(slot.task for slot in self._slots)

    @property
    def tasks(self) -> list[Task]:
        """Everybody who has not been let go of."""
        return [*(slot.task for slot in self._slots if slot.task), *self._waiting.values()]

    def add(self, task: Task) -> None:
        """Put a task in the line."""
        task.number = self._count
        self._count += 1
        self._waiting[task.number] = task

    def step(self, between: Callable[[], object] = _nothing) -> None:
        """Let go of those who were given up, admit those whose turn it is, and compute a little for everybody.

        `between` is called after each of the step's calls, and where a GPU computes them, also while it does. Raises
        Aborted once it was stopped.
        """
        self._between = between
        if self._some_given_up:
            self._let_go()
        if not (self._tight and any(slot.task for slot in self._slots)):
            self._admit()
        running = [self._running(slot, slot.task) for slot in self._slots if slot.task]
        free = None if self.exact else self._evict(min(sum(each.todo for each in running), self._limits.rows))
        step = schedule.plan(running, self._limits, free)
        for number in step.preempt:
            self._preempt(self._slots[number])
        for call in step.calls:
            if not self._compute(call):
                return  # what comes after was planned for other slots than there are now
            between()

    def _running(self, slot: Slot, task: Task) -> schedule.Running:
        own = 0 if self.exact else slot.held - CHUNK * self._prefixes.shared(slot.number)
        return schedule.Running(slot.number, slot.since, slot.held, len(task.todo), task.reading, own)

    def _let_go(self) -> None:
        with self._guard:
            self._some_given_up = False
            if self._stopped:
                raise Aborted
        for slot in self._slots:
            if slot.task is not None and slot.task.given_up:
                self._finish(slot, slot.task)
        for task in [task for task in self._waiting.values() if task.given_up]:
            del self._waiting[task.number]
            task.work.close()
            task.over()

    def _admit(self) -> None:
        """Give slots to those whose turn it is. Who needs a beginning that is being computed waits for it."""
        free = sum(slot.task is None for slot in self._slots)
        line = [schedule.Asked(each.number, each.owner) for each in self._waiting.values()] if free else []
        blocked = 0
        while line and free and blocked < len(self._slots):
            asked = schedule.next_up(line, self._served)
            line.remove(asked)
            task = self._waiting[asked.number]
            if task.prompt is None and not self._prepare(task):
                del self._waiting[task.number]
                continue
            match = self._prefixes.match(task.chunks[: task.reusable])
            if match.coming > match.held and task.saved is None:
                blocked += 1
            elif self._place(task, match):
                del self._waiting[task.number]
                self._served[task.owner] = self._count
                free -= 1
            else:
                return
        if len(self._served) > len(self._waiting) + len(self._slots):
            owners = {task.owner for task in self._waiting.values()}
            self._served = {owner: turn for owner, turn in self._served.items() if owner in owners}

    def _prepare(self, task: Task) -> bool:
        """Make the prompt; False if the task is over already."""
        try:
            first = next(task.work)
        except StopIteration:
            task.over()
            return False
        if isinstance(first, Restored):
            task.restored, task.saved, task.reading = first, first.data, False
            task.prompt = task.done = list(first.tokens)
            task.todo = list(first.then)
        else:
            self._read(task, first)
        return True

    @staticmethod
    def _read(task: Task, prompt: object) -> None:
        assert isinstance(prompt, Sequence)  # noqa: S101 - for the type checker: nothing is restored or saved before it
        task.prompt, task.todo, task.done, task.reading = list(prompt), list(prompt), [], True
        task.chunks = chunks(task.prompt, CHUNK)
        task.reusable = (len(task.prompt) - 1) // CHUNK  # a token at least is left to compute

    def _place(self, task: Task, match: Match) -> bool:
        """Give `task` a slot, with as much of its prompt as anybody holds; False if there are no cells for it."""
        running = sum(slot.task is not None for slot in self._slots)
        # Beside a chunk for each that runs; where nobody does, there is always room.
        shared = CHUNK * match.held if task.saved is None else 0
        needed = len(task.done) + len(task.todo) - shared + CHUNK * (running + 1)
        if not self.exact and self._evict(needed, match.holders) < needed and running:
            return False
        slot = self._choose(match)
        slot.task = task
        self._count += 1
        slot.since = self._count
        if task.saved is None:
            self._share(slot, task, match)
            return True
        self._clear(slot)
        if self.context.restore(slot.number, task.saved):
            slot.held = len(task.done)  # in cells of its own: nobody is told that there is a beginning to share
        elif task.restored is not None:
            self._read(task, task.work.send(None))
        else:  # there are cells, but not as it wants them
            task.todo, task.done, task.reading = [*task.done, *task.todo], [], True
        if task.restored is not None:
            self._set_out(task, min(slot.held, task.restored.prompt))
            task.first = task.since
        task.saved = task.restored = None
        return True

    @staticmethod
    def _set_out(task: Task, cached: int) -> None:
        task.since = time.perf_counter()
        task.effort.queued = task.since - task.asked
        task.effort.cached = cached

    def _share(self, slot: Slot, task: Task, match: Match) -> None:
        """Begin a prompt with as much of it as anybody holds."""
        kept = 0
        if slot.number in match.holders:
            kept = self.context.trim(slot.number, match.held * CHUNK)
        elif match.held:
            kept = self.context.copy(match.holders[0], slot.number, match.held * CHUNK)
        elif slot.held:
            self.context.trim(slot.number, 0)
        self._prefixes.cut(slot.number)
        self._prefixes.begin(slot.number, task.chunks)
        self._prefixes.reach(slot.number, kept // CHUNK)
        slot.held = kept
        self._set_out(task, kept)
        task.done = task.todo[:kept]
        del task.todo[:kept]

    def _choose(self, match: Match) -> Slot:
        """The free slot beside those in use that holds what is missed least: llama.cpp splits a call at a gap."""
        active = [slot.number for slot in self._slots if slot.task] if self.exact else []

        def cost(slot: Slot) -> tuple[int, bool, int]:
            numbers = [*active, slot.number]
            whole = slot.number in match.holders and self._prefixes.reached(slot.number) == match.held
            return max(numbers) - min(numbers), not whole, slot.used

        return min((slot for slot in self._slots if slot.task is None), key=cost)

    def _free_cells(self) -> int:
        """The cells that nobody holds, where the slots share them; equal beginnings are held once."""
        prefixes = self._prefixes
        own = sum(slot.held - CHUNK * prefixes.reached(slot.number) for slot in self._slots)
        return self.context.cells - own - CHUNK * prefixes.held

    def _evict(self, needed: int, keep: Sequence[int] = ()) -> int:
        """Forget what is held for nobody, but in the slots `keep`, the oldest first, until `needed` cells are free;
        return how many are."""
        idle = [slot for slot in self._slots if slot.task is None and slot.held and slot.number not in keep]
        idle.sort(key=lambda slot: slot.used, reverse=True)
        while (free := self._free_cells()) < needed and idle:
            self._clear(idle.pop())
        return free

    def _clear(self, slot: Slot) -> None:
        self.context.trim(slot.number, 0)
        self._prefixes.cut(slot.number)
        slot.held = 0

    def _preempt(self, slot: Slot) -> None:
        """Take its slot from a task, which goes on later from where it was."""
        task = slot.task
        if task is None:
            return
        task.settle()
        task.saved = self.context.save(slot.number) if slot.held else None
        self._clear(slot)
        slot.task = None
        self._waiting[task.number] = task
        self._tight = True

    def _compute(self, call: schedule.Call) -> bool:
        """Compute one call and let those go on whose logits it brought; False if that did not come about."""
        rows = [(self._slots[number], count) for number, count in call.rows]
        tasks = {slot.number: slot.task for slot, _ in rows if slot.task}
        if not self._begin({tasks[slot.number]: count for slot, count in rows}):
            return False
        spans = [
            Span(slot.number, slot.held, tasks[slot.number].todo[:count], count == len(tasks[slot.number].todo))
            for slot, count in rows
        ]
        spans += [Span(number, self._slots[number].held, [0]) for number in call.fill]
        spans.sort(key=lambda span: span.sequence)
        try:
            logits = self.context.compute(spans)
        except Aborted:
            return False
        except CacheFull:
            self._relieve()
            return False
        except BackendError as error:
            self._lose(spans, str(error))
            return False
        finally:
            self._end()
        for number in call.fill:
            self._slots[number].held = self.context.trim(number, self._slots[number].held)
        at = 0
        for span in spans:
            if task := tasks.get(span.sequence):
                self._advance(self._slots[span.sequence], task, span, logits[at] if span.logits else None)
            at += span.logits
        self._tight = False
        return True

    def _begin(self, tasks: dict[Task, int]) -> bool:
        """Say for whom the next call is, and how much of it; False if somebody was given up, so that the step is to be
        planned anew."""
        with self._guard:
            if self._stopped:
                raise Aborted
            if any(task.given_up for task in tasks):
                return False
            self._computing = tasks
            self.context.abort.clear()
            return True

    def _end(self) -> None:
        with self._guard:
            self._computing = {}

    def _meanwhile(self) -> None:
        """What can be said of the tokens that are computed now is said while the processor would wait for a GPU."""
        for task in self._computing:
            task.settle()
        self._between()

    def _advance(self, slot: Slot, task: Task, span: Span, logits: NDArray[np.float32] | None) -> None:
        count, now = len(span.tokens), time.perf_counter()
        slot.held += count
        task.done += span.tokens
        del task.todo[:count]
        task.effort.computed += count
        if task.reading:
            self._prefixes.reach(slot.number, slot.held // CHUNK)
        if logits is None:
            return
        if task.reading:
            task.reading, task.first = False, now
            task.effort.reading = now - task.since
        task.effort.writing = now - task.first
        try:
            asked = task.go_on(logits)
        except StopIteration:
            self._finish(slot, task)
            return
        if isinstance(asked, Going):
            if asked.save is not None:
                asked.save(self.context.save(slot.number))
            task.meanwhile, asked = asked.meanwhile, asked.then
            if not self.model.offloaded:
                task.settle()
        assert isinstance(asked, Sequence)  # noqa: S101 - for the type checker: only the beginning can be restored
        task.todo = list(asked)

    def _finish(self, slot: Slot, task: Task) -> None:
        """Let go of a task. What was computed for it stays until the slot is needed."""
        task.work.close()
        slot.task = None
        self._count += 1
        slot.used = self._count
        if self.model.recurrent:
            self._clear(slot)
        elif self.exact:
            self._prefixes.cut(slot.number, self._prefixes.reached(slot.number))
        else:  # what was written is as good as what was read
            self._prefixes.cut(slot.number)
            self._prefixes.begin(slot.number, chunks(task.done, CHUNK))
            self._prefixes.reach(slot.number, slot.held // CHUNK)
        task.over()

    def _relieve(self) -> None:
        """Free cells after llama.cpp found none: of a slot that nobody uses, else of the youngest that runs."""
        idle = [slot for slot in self._slots if slot.task is None and slot.held]
        if idle:
            self._clear(min(idle, key=lambda slot: slot.used))
            return
        *others, youngest = sorted((slot for slot in self._slots if slot.task), key=lambda slot: slot.since)
        if others:
            self._preempt(youngest)
        else:
            self._fail(youngest, ServerError("llama.cpp has no cells for the only request", provider="llama_cpp"))

    def _lose(self, spans: Sequence[Span], why: str) -> None:
        """After a call that failed, its slots are empty: those who were in them cannot go on."""
        for span in spans:
            slot = self._slots[span.sequence]
            self._clear(slot)
            if slot.task is not None:
                self._fail(slot, ServerError(why, provider="llama_cpp"))

    def _fail(self, slot: Slot, error: BackendError) -> None:
        task = slot.task
        if task is None:
            return
        self._clear(slot)
        slot.task = None
        task.settle()
        try:
            task.work.throw(error)
        except StopIteration:
            pass
        finally:
            task.over()

    def reset(self) -> None:
        """Forget everything and everybody, after a failure that left nothing certain."""
        self._waiting.clear()
        for slot in self._slots:
            slot.task = None
            self._clear(slot)

    @property
    def bytes(self) -> int:
        """What the cells take, about."""
        return self.context.cells * self.model.cell_bytes

    def close(self) -> None:
        """Free the cells; the weights are whoever's who loaded them. Idempotent."""
        self.context.close()
