"""A promise in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """What was measured, and the most it may be."""

    what: str
    found: float
    most: float
    unit: str

    def __str__(self) -> str:
        verdict = "met   " if self.met else "MISSED"
        return f"  {verdict}  {self.what}: {self.found:.2f} {self.unit} of {self.most:g} {self.unit}"

    @property
    def met(self) -> bool:
        return self.found <= self.most


@dataclass(frozen=True)
class Floor:
    """What was measured, and the least it may be."""

    what: str
    found: float
    least: float
    unit: str

    def __str__(self) -> str:
        verdict = "met   " if self.met else "MISSED"
        return f"  {verdict}  {self.what}: {self.found:.2f} {self.unit}, at least {self.least:g} {self.unit}"

    @property
    def met(self) -> bool:
        return self.found >= self.least
