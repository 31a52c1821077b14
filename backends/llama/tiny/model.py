"""The model as it is trained: llama.cpp's architecture `llama` in PyTorch, and nothing more.

RMSNorm, rotary positions on neighbouring pairs, SwiGLU, tied embeddings. Matrices of the same place in every layer are
one parameter.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from graphrt.backends.llama.tiny.rows import Rows
from graphrt.backends.llama.tiny.tokenizer import SIZE


@dataclass(frozen=True, slots=True)
class Shape:
    """The model's dimensions."""

    width: int = 256
    layers: int = 8
    heads: int = 8
    hidden: int = 384
    vocabulary: int = SIZE

    @property
    def head(self) -> int:
        """Width of a head."""
        return self.width // self.heads

    @property
    def matrices(self) -> dict[str, tuple[int, ...]]:
        """Each layer's matrices: several beside each other, rows out, columns in."""
        d, f = self.width, self.hidden
        return {"qkv": (3, d, d), "out": (d, d), "up": (2, f, d), "down": (d, f)}


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

    def _leave(self, x: Any, seen: Any, out: Any, norm: Any, up: Any, down: Any) -> Any:  # noqa: PLR0917 - compiled
        """What attention saw, and the feed-forward part, added to the stream."""
        x = x + (seen @ out.T).float()
        gate, value = (self._norm(x, norm) @ up.T).chunk(2, -1)
        return x + ((self.torch.nn.functional.silu(gate) * value) @ down.T).float()

    def _judge(self, x: Any, norm: Any, embedding: Any, wanted: Any, weight: Any) -> Any:
        logits = (self._norm(x, norm) @ embedding.T).float()
        lost = self.torch.nn.functional.cross_entropy(logits, wanted, reduction="none")
        return (lost * weight).sum() / weight.sum()

    def stream(self, tokens: Any, rows: Rows) -> Any:
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
            x = self._after(x, torch.cat(seen), layers["out"][i], norms[2 * i + 1], layers["up"][i], layers["down"][i])
        return x

    def loss(self, tokens: Any, marks: Any, rows: Rows, rest: Any) -> Any:
        """Mean loss per token to be learnt; the others, but for padding, weigh `rest`."""
        torch = self.torch
        wanted = torch.cat((tokens[1:], tokens[:1]))
        mark = torch.cat((marks[1:], marks[:1]))
        mark = torch.where(marks == 2, 2, mark)
        weight = (mark == 1).float() + (mark == 0).float() * rest
        # A text that fills its row would foretell the first token of the next one.
        first = torch.cat([torch.arange(width, device=self.device).repeat(count) for width, count in rows]) == 0
        weight = weight * ~torch.cat((first[1:], first[:1]))
        x = self.stream(tokens, rows)
        return self._loss(x, self.norms[-1], self.embedding.bfloat16(), wanted, weight)

    def likeliest(self, tokens: Any, rows: Rows) -> Any:
        """The likeliest next token at every place."""
        return (self._norm(self.stream(tokens, rows), self.norms[-1]) @ self.embedding.bfloat16().T).argmax(-1)

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
