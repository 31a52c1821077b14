"""Fit the model to the generator's texts.

    pip install torch tokenizers numpy            # needed here only, never by the package
    python -m graphrt.backends.llama.tiny.train out --seconds 420

trains for so many seconds on the GPU or the processor at hand and writes `out/model.npz`, what `export` reads. The clock
sets the learning rate, so that it has come down to nothing when the time is over; `--resume FILE` goes on from there.

The architecture is llama.cpp's `llama`: RMSNorm, rotary positions on neighbouring pairs, SwiGLU, tied embeddings. Texts of
like length stand in rows of the same width, each row by itself: what is learnt is what llama.cpp will compute, nothing
attends to another text. Hidden matrices are fitted by Muon (orthogonalised momentum), the embedding and the norms by
AdamW. Loss is on the assistant's words; at the start a little on all, which is where copying is learnt.
"""

from __future__ import annotations

import argparse
import copy
import math
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from graphrt.backends.llama.tiny.conversation import segments
from graphrt.backends.llama.tiny.generate import conversation
from graphrt.backends.llama.tiny.tokenizer import SIZE, load
from graphrt.backends.llama.tiny.words import Split

PAD = 3
WIDTHS = (64, 96, 128, 192, 256, 384, 640, 1024)
"""Tokens in a row. A text stands in the narrowest row that holds it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The model's dimensions."""

    width: int = 256
    layers: int = 8
    heads: int = 8
    hidden: int = 384
    vocabulary: int = SIZE
    context: int = 1024

    @property
    def head(self) -> int:
        """Width of a head."""
        return self.width // self.heads

    @property
    def matrices(self) -> dict[str, tuple[int, ...]]:
        """Each layer's matrices: several beside each other, rows out, columns in."""
        d, f = self.width, self.hidden
        return {"qkv": (3, d, d), "out": (d, d), "up": (2, f, d), "down": (d, f)}


# Rows: texts as numbers, side by side.


def numbers(index: int, seed: int, split: Split, tokenizer: Any) -> tuple[list[int], list[int], str]:
    """One conversation's tokens, whether each is to be learnt, and its skill."""
    one = conversation(seed, index, split)
    tokens: list[int] = []
    learnt: list[int] = []
    for piece, learn in segments(one):
        ids = tokenizer.encode(piece, add_special_tokens=False).ids
        tokens += ids
        learnt += [int(learn)] * len(ids)
    return tokens, learnt, one.skill


def layout(budget: int, tokenizer: Any) -> tuple[tuple[int, int], ...]:
    """How many rows of each width make a step of about `budget` tokens, as often as texts are that long."""
    counts = dict.fromkeys(WIDTHS, 0)
    for index in range(4000):
        length = len(numbers(index, 10**6, "train", tokenizer)[0])
        if length <= WIDTHS[-1]:
            counts[min(width for width in WIDTHS if width >= length)] += 1
    area = sum(width * count for width, count in counts.items())
    return tuple((width, max(1, round(count * budget / area))) for width, count in counts.items() if count)


def steps(rows: tuple[tuple[int, int], ...], seed: int, first: int, stride: int, tokenizer: Any) -> Iterator[Any]:
    """Full steps, without end: tokens and marks, flat, the widths in the order of `rows`."""
    np = import_module("numpy")
    waiting: dict[int, list[tuple[list[int], list[int]]]] = {width: [] for width, _ in rows}
    index = first
    while True:
        while any(len(waiting[width]) < count for width, count in rows):
            tokens, learnt, _ = numbers(index, seed, "train", tokenizer)
            index += stride
            fitting = [width for width, count in rows if width >= len(tokens) and len(waiting[width]) < 3 * count]
            if fitting:
                waiting[fitting[0]].append((tokens, learnt))
        flat, marks = [], []
        for width, count in rows:
            for tokens, learnt in waiting[width][:count]:
                flat += tokens + [PAD] * (width - len(tokens))
                marks += learnt + [2] * (width - len(tokens))
            del waiting[width][:count]
        yield np.array(flat, dtype=np.int16), np.array(marks, dtype=np.uint8)


def _work(queue: Any, rows: tuple[tuple[int, int], ...], seed: int, first: int, stride: int) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    for step in steps(rows, seed, first, stride, load()):
        queue.put(step)


# The model.


class Model:
    """Its parameters, and what is computed of them. `fast` compiles the parts that every layer shares."""

    def __init__(self, shape: Shape, device: str, *, fast: bool) -> None:
        self.torch: Any = import_module("torch")
        self.shape = shape
        self.device = device
        torch = self.torch
        torch.manual_seed(0)

        def normal(*size: int, scale: float) -> Any:
            return (torch.randn(*size, device=device) * scale).requires_grad_()

        self.matrices: dict[str, Any] = {
            name: normal(shape.layers, *size, scale=(0.0 if name in {"out", "down"} else 0.5) / math.sqrt(size[-1]))
            for name, size in shape.matrices.items()
        }
        self.embedding = normal(shape.vocabulary, shape.width, scale=0.02)
        self.norms = torch.ones(2 * shape.layers + 1, shape.width, device=device).requires_grad_()
        self._before, self._after, self._loss = self._enter, self._leave, self._judge
        if fast:
            parts = (self._enter, self._leave, self._judge)
            self._before, self._after, self._loss = (torch.compile(part) for part in parts)

    @property
    def parameters(self) -> dict[str, Any]:
        """Everything that is learnt, by name."""
        return {**self.matrices, "embedding": self.embedding, "norms": self.norms}

    def _norm(self, x: Any, weight: Any) -> Any:
        x = x.float()
        return (x * self.torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * weight).bfloat16()

    def _enter(self, x: Any, norm: Any, qkv: Any, cos: Any, sin: Any) -> tuple[Any, Any, Any]:
        """Queries, keys and values of every token."""
        torch, shape = self.torch, self.shape
        q, k, v = (self._norm(x, norm) @ qkv.T).view(-1, 3, shape.heads, shape.head).unbind(1)

        def turn(y: Any) -> Any:
            one, other = y.float().unflatten(-1, (-1, 2)).unbind(-1)
            return torch.stack((one * cos - other * sin, one * sin + other * cos), -1).flatten(-2).bfloat16()

        return turn(q), turn(k), v

    def _leave(self, x: Any, seen: Any, out: Any, norm: Any, up: Any, down: Any) -> Any:
        """What attention saw, and the feed-forward part, added to the stream."""
        x = x + (seen @ out.T).float()
        gate, value = (self._norm(x, norm) @ up.T).chunk(2, -1)
        return x + ((self.torch.nn.functional.silu(gate) * value) @ down.T).float()

    def _judge(self, x: Any, norm: Any, embedding: Any, wanted: Any, weight: Any) -> Any:
        logits = (self._norm(x, norm) @ embedding.T).float()
        lost = self.torch.nn.functional.cross_entropy(logits, wanted, reduction="none")
        return (lost * weight).sum() / weight.sum()

    def stream(self, tokens: Any, rows: tuple[tuple[int, int], ...]) -> Any:
        """The last layer's stream for flat tokens in `rows`."""
        torch, shape = self.torch, self.shape
        place = torch.cat([torch.arange(width, device=self.device).repeat(count) for width, count in rows])
        rates = 10000.0 ** (-torch.arange(0, shape.head, 2, device=self.device) / shape.head)
        angle = (place[:, None] * rates)[:, None, :]
        cos, sin = angle.cos(), angle.sin()
        layers = {name: matrix.bfloat16().flatten(1, -2).unbind(0) for name, matrix in self.matrices.items()}
        norms = self.norms.unbind(0)
        x = torch.nn.functional.embedding(tokens, self.embedding)
        for i in range(shape.layers):
            q, k, v = self._before(x, norms[2 * i], layers["qkv"][i], cos, sin)
            # One split and one concatenation: a slice per width would cost a whole gradient each.
            parts = zip(rows, *(y.split([width * count for width, count in rows]) for y in (q, k, v)), strict=True)
            seen = []
            for (width, count), *part in parts:
                heads = [y.view(count, width, shape.heads, shape.head).transpose(1, 2) for y in part]
                got = torch.nn.functional.scaled_dot_product_attention(*heads, is_causal=True)
                seen.append(got.transpose(1, 2).reshape(width * count, shape.width))
            x = self._after(
                x, torch.cat(seen), layers["out"][i], norms[2 * i + 1], layers["up"][i], layers["down"][i]
            )
        return x

    def loss(self, tokens: Any, marks: Any, rows: tuple[tuple[int, int], ...], rest: Any) -> Any:
        """Mean loss per token to be learnt; the others, but for padding, weigh `rest`."""
        torch = self.torch
        wanted = torch.cat((tokens[1:], tokens[:1]))
        mark = torch.cat((marks[1:], marks[:1]))
        mark = torch.where(marks == 2, 2, mark)  # noqa: PLR2004 - padding foretells nothing
        weight = (mark == 1).float() + (mark == 0).float() * rest
        # A text that fills its row would foretell the first token of the next one.
        first = torch.cat([torch.arange(width, device=self.device).repeat(count) for width, count in rows]) == 0
        weight = weight * ~torch.cat((first[1:], first[:1]))
        x = self.stream(tokens, rows)
        return self._loss(x, self.norms[-1], self.embedding.bfloat16(), wanted, weight)

    def plain(self) -> Model:
        """The same model, uncompiled: its rows may have any form."""
        twin = copy.copy(self)
        twin._before, twin._after, twin._loss = self._enter, self._leave, self._judge
        return twin

    def arrays(self) -> dict[str, Any]:
        """The parameters in half precision, for a file."""
        return {name: value.detach().half().cpu().numpy() for name, value in self.parameters.items()}

    def restore(self, path: Path) -> None:
        """Take the parameters of a file."""
        saved = import_module("numpy").load(path)
        with self.torch.no_grad():
            for name, value in self.parameters.items():
                value.copy_(self.torch.from_numpy(saved[name]).float())


# Fitting.


class Muon:
    """Momentum, made orthogonal by five Newton-Schulz steps: every direction of a matrix learns alike."""

    def __init__(self, torch: Any, matrices: list[Any], momentum: float = 0.95) -> None:
        self._torch = torch
        self._matrices = matrices
        self._momentum = momentum
        self._past = [torch.zeros_like(matrix) for matrix in matrices]

    def step(self, rate: float, decay: float) -> None:
        """Take the gradients into account, and forget them."""
        for matrix, past in zip(self._matrices, self._past, strict=True):
            past.lerp_(matrix.grad, 1 - self._momentum)
            turned = self._orthogonal(matrix.grad.lerp(past, self._momentum))
            matrix.mul_(1 - rate * decay)
            matrix.add_(turned.float(), alpha=-rate * max(1.0, matrix.shape[-2] / matrix.shape[-1]) ** 0.5)
            matrix.grad = None

    def _orthogonal(self, update: Any) -> Any:
        x = update.bfloat16()
        tall = x.shape[-2] > x.shape[-1]
        x = x.mT if tall else x
        x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
        for _ in range(5):
            square = x @ x.mT
            x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
        return x.mT if tall else x


def schedule(done: float) -> float:
    """The learning rate's share after a share of the time: steady for a third, then down to nothing."""
    return min(1.0, (1.0 - done) / 0.67)


@dataclass(slots=True)
class Training:
    """Where a training run stands."""

    model: Model
    rows: tuple[tuple[int, int], ...]
    rate: float
    rest: float
    began: float
    seconds: float
    taken: int = 0

    @property
    def done(self) -> float:
        """The share of the time that is over."""
        return (time.monotonic() - self.began) / self.seconds


def fit(training: Training, batches: Callable[[], Any], out: Path) -> None:
    """Take steps until the time is over, saving the model every minute and at the end."""
    model, torch = training.model, training.model.torch
    muon = Muon(torch, list(model.matrices.values()))
    others = [model.embedding, model.norms]
    adam = torch.optim.AdamW(others, betas=(0.9, 0.95), weight_decay=0.0, fused=model.device != "cpu")
    saved = said = time.monotonic()
    while (done := training.done) < 1:
        tokens, marks = batches()
        rest = torch.tensor(training.rest * max(0.02, 1 - 5 * done), device=model.device)
        lost = model.loss(tokens, marks, training.rows, rest)
        lost.backward()
        share = schedule(done) * min(1.0, (training.taken + 1) / 100)
        for group in adam.param_groups:
            group["lr"] = 0.3 * training.rate * share
        adam.step()
        adam.zero_grad(set_to_none=True)
        with torch.no_grad():
            muon.step(training.rate * share, 0.01)
        training.taken += 1
        now = time.monotonic()
        if now - said > 10:  # noqa: PLR2004 - seconds between lines
            print(f"{now - training.began:.0f}s step {training.taken} loss {lost.item():.4f} rate {share:.3f}", flush=True)
            said = now
        if now - saved > 60:  # noqa: PLR2004 - seconds between files
            save(model, out)
            saved = now
    save(model, out)


def save(model: Model, out: Path) -> None:
    """Write the parameters; the file is whole or the old one."""
    fresh = out / "fresh.npz"
    import_module("numpy").savez(fresh, **model.arrays())
    fresh.replace(out / "model.npz")


def score(model: Model, tokenizer: Any, count: int) -> dict[str, tuple[int, int]]:
    """Exact answers of `count` unseen conversations, per skill: right and all.

    An answer is exact if each of its tokens is the likeliest after those before it, which is what greedy decoding finds.
    """
    torch = model.torch
    model = model.plain()
    found: dict[str, list[int]] = {}
    by_width: dict[int, list[tuple[list[int], list[int], str]]] = {}
    for index in range(count):
        text = numbers(index, 0, "eval", tokenizer)
        if len(text[0]) <= WIDTHS[-1]:
            by_width.setdefault(min(width for width in WIDTHS if width >= len(text[0])), []).append(text)
    with torch.no_grad():
        for width, texts in by_width.items():
            for at in range(0, len(texts), 64):
                part = texts[at : at + 64]
                flat = [token for tokens, _, _ in part for token in tokens + [PAD] * (width - len(tokens))]
                x = model.stream(torch.tensor(flat, device=model.device), ((width, len(part)),))
                logits = model._norm(x, model.norms[-1]) @ model.embedding.bfloat16().T
                likeliest = logits.argmax(-1).view(len(part), width).tolist()
                for (tokens, learnt, skill), said in zip(part, likeliest, strict=True):
                    right = all(said[i - 1] == tokens[i] for i in range(1, len(tokens)) if learnt[i])
                    tally = found.setdefault(skill, [0, 0])
                    tally[0] += right
                    tally[1] += 1
    return {skill: (right, count) for skill, (right, count) in sorted(found.items())}


def main() -> None:
    """Train, and print the scores."""
    parser = argparse.ArgumentParser(description="Train the tiny model.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=420)
    parser.add_argument("--tokens", type=int, default=65536, help="in a step")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 2))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0.02)
    parser.add_argument("--rest", type=float, default=0.2, help="weight of what is not the assistant's, at the start")
    parser.add_argument("--width", type=int, default=Shape().width)
    parser.add_argument("--layers", type=int, default=Shape().layers)
    parser.add_argument("--hidden", type=int, default=Shape().hidden)
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--plain", action="store_true", help="do not compile")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--scored", type=int, default=4000, help="unseen conversations to score at the end")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    tokenizer = load()
    rows = layout(given.tokens, tokenizer)
    print("rows", rows, "tokens in a step", sum(width * count for width, count in rows), flush=True)
    starting = multiprocessing.get_context("spawn")
    queue = starting.Queue(maxsize=8 * given.workers)
    workers = [
        starting.Process(target=_work, args=(queue, rows, given.seed, first, given.workers), daemon=True)
        for first in range(given.workers)
    ]
    for worker in workers:
        worker.start()
    torch: Any = import_module("torch")
    if given.threads:
        torch.set_num_threads(given.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shape = Shape(given.width, given.layers, given.width // 32, given.hidden)
    model = Model(shape, device, fast=device == "cuda" and not given.plain)
    print("parameters", sum(value.numel() for value in model.parameters.values()), device, flush=True)
    if given.resume:
        model.restore(given.resume)

    def batches() -> tuple[Any, Any]:
        tokens, marks = queue.get()
        return (
            torch.from_numpy(tokens).to(device, non_blocking=True).long(),
            torch.from_numpy(marks).to(device, non_blocking=True),
        )

    began = time.monotonic()
    tokens, marks = batches()
    model.loss(tokens, marks, rows, torch.tensor(0.1, device=device)).backward()
    for value in model.parameters.values():
        value.grad = None
    print(f"ready after {time.monotonic() - began:.0f}s", flush=True)
    training = Training(model, rows, given.rate, given.rest, time.monotonic(), given.seconds)
    fit(training, batches, given.out)
    spent = time.monotonic() - training.began
    total = training.taken * sum(width * count for width, count in rows)
    print(f"{training.taken} steps, {total / 1e6:.1f} M tokens, {total / spent:.0f} tokens a second", flush=True)
    for worker in workers:
        worker.terminate()
    for skill, (right, count) in score(model, tokenizer, given.scored).items():
        print(f"{skill:14} {right:4} of {count:4} {right / count:.1%}", flush=True)


if __name__ == "__main__":
    main()
