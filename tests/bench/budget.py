"""A promise in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """What was measured, and the most it may be, or, of a `floor`, the least.

    `ceiling` is what one would have who did nothing but compute: a floor above it says something of the machine.
    """

    what: str
    found: float
    bound: float
    unit: str
    floor: bool = False
    ceiling: float | None = None

    def __str__(self) -> str:
        verdict = "met   " if self.met else "MISSED"
        bound = f", at least {self.bound:g}" if self.floor else f" of {self.bound:g}"
        most = "" if self.ceiling is None else f"; who only computes has {self.ceiling:.2f} {self.unit}"
        return f"  {verdict}  {self.what}: {self.found:.2f} {self.unit}{bound} {self.unit}{most}"

    @property
    def met(self) -> bool:
        return self.found >= self.bound if self.floor else self.found <= self.bound
