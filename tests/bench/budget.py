"""A promise in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """What was measured, and the most it may be, or, of a `floor`, the least."""

    what: str
    found: float
    bound: float
    unit: str
    floor: bool = False

    def __str__(self) -> str:
        verdict = "met   " if self.met else "MISSED"
        bound = f", at least {self.bound:g}" if self.floor else f" of {self.bound:g}"
        return f"  {verdict}  {self.what}: {self.found:.2f} {self.unit}{bound} {self.unit}"

    @property
    def met(self) -> bool:
        return self.found >= self.bound if self.floor else self.found <= self.bound
