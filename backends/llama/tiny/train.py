"""Fit the model to the generator's texts.

    pip install torch tokenizers numpy            # needed here only, never by the package
    python -m graphrt.backends.llama.tiny.train out --seconds 420

trains for so many seconds on the GPU or the processor at hand and writes `out/model.npz`, what `export` reads. The
clock sets the learning rate, so that it has come down to nothing when the time is over; `--resume FILE` goes on from
there.

Hidden matrices are fitted by Muon (orthogonalised momentum), the embedding and the norms by AdamW. Loss is on the
assistant's words; at the start a little on all, which is where copying is learnt.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from graphrt.backends.llama.tiny.model import Model, Shape
from graphrt.backends.llama.tiny.rows import PAD, WIDTHS, Rows, layout, numbers, steps
from graphrt.backends.llama.tiny.tokenizer import load


def _work(queue: Any, rows: Rows, seed: int, first: int, stride: int) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    for step in steps(rows, seed, first, stride, load()):
        queue.put(step)


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
    rows: Rows
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
        if now - said > 10:
            after = f"{now - training.began:.0f}s step {training.taken}"
            print(f"{after} loss {lost.item():.4f} rate {share:.3f}", flush=True)
            said = now
        if now - saved > 60:
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

    An answer is exact if each of its tokens is the likeliest after those before it: what greedy decoding finds.
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
                said = model.likeliest(torch.tensor(flat, device=model.device), ((width, len(part)),))
                texts_said = said.view(len(part), width).tolist()
                for (tokens, learnt, skill), answer in zip(part, texts_said, strict=True):
                    right = all(answer[i - 1] == tokens[i] for i in range(1, len(tokens)) if learnt[i])
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
