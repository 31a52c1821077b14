"""The models in memory. Backends of the same file share its weights, and what nobody uses makes room for others.

The room is a wish, not a limit: a model that is needed is loaded, even if all the others are in use. What a GPU holds
is no part of it: there, the room is what the GPU says is free, and only models on a GPU give way to one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from graphrt.backends.llama.native.model import Model, Placement, free_on_gpus

BESIDE_WEIGHTS = 3 << 30
"""Bytes of a GPU that a model's cells, and what it computes with, may take beside its weights."""


class Tenant(Protocol):
    """Somebody with a loaded model."""

    used: float
    """When it was last asked for anything, on a clock that only goes forward."""
    placement: Placement
    """Where its model is."""

    def unload(self) -> bool:
        """Give the model up, if nothing is being computed, and return whether that was done. Blocks for as long."""
        raise NotImplementedError


class Shelf:
    """Loaded models and who uses them. `room` is in bytes, weights and contexts together; `free` says how many are free
    where a placement on GPUs puts a model. Any thread may call it."""

    def __init__(self, room: int, free: Callable[[Placement], int] = free_on_gpus) -> None:
        self.room = room
        self._free = free
        self._lock, self._loading = threading.Lock(), threading.Lock()
        self._borrowed: dict[Model, int] = {}
        self._tenants: dict[Tenant, int] = {}

    def borrow(self, path: Path, placement: Placement) -> Model:
        """The weights of a file, loaded if they are not there yet. Raises NotFound, BackendError."""
        with self._loading:
            with self._lock:
                for model in self._borrowed:
                    if model.is_of(path, placement):
                        self._borrowed[model] += 1
                        return model
            model = Model(path, placement)  # takes its time: nobody else's call waits for it
            with self._lock:
                self._borrowed[model] = 1
            return model

    def give_back(self, model: Model) -> None:
        """One context of the model is gone; the weights go with the last."""
        with self._lock:
            self._borrowed[model] -= 1
            if not self._borrowed[model]:
                del self._borrowed[model]
                model.close()

    def make_room(self, path: Path, placement: Placement) -> None:
        """Have those who are idle give up their models, the longest idle first, until there is room for a file."""
        size = path.stat().st_size if path.exists() else 0
        with self._lock:
            neighbours = [each for each in self._tenants if each.placement.on_gpus == placement.on_gpus]
        for tenant in sorted(neighbours, key=lambda tenant: tenant.used):
            if self._fits(size, placement):
                return
            tenant.unload()

    def _fits(self, size: int, placement: Placement) -> bool:
        if placement.on_gpus:
            return self._free(placement) >= size + BESIDE_WEIGHTS
        return self.taken + size <= self.room

    def enter(self, tenant: Tenant, size: int) -> None:
        """`tenant` has a context of `size` bytes now."""
        with self._lock:
            self._tenants[tenant] = size

    def leave(self, tenant: Tenant) -> None:
        """It has none any more."""
        with self._lock:
            self._tenants.pop(tenant, None)

    @property
    def taken(self) -> int:
        """Bytes in use, but for those on GPUs."""
        with self._lock:
            weights = sum(model.bytes for model in self._borrowed if not model.offloaded)
            return weights + sum(size for each, size in self._tenants.items() if not each.placement.on_gpus)


def memory() -> int:
    """The bytes of memory that this machine has, or a modest guess."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 << 30


SHELF = Shelf(memory() // 2)
"""The one of this process: half of the machine's memory."""
