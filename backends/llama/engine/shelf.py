"""The models in memory. Backends of the same file share its weights, and what nobody uses makes room for others.

The room is a wish, not a limit: a model that is needed is loaded, even if all the others are in use.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Protocol

from graphrt.backends.llama.native.model import Model, Placement


class Tenant(Protocol):
    """Somebody with a loaded model."""

    used: float
    """When it was last asked for anything, on a clock that only goes forward."""

    def unload(self) -> bool:
        """Give the model up, if nothing is being computed, and return whether that was done. Blocks for as long."""
        raise NotImplementedError


class Shelf:
    """Loaded models and who uses them. `room` is in bytes, weights and contexts together. Any thread may call it."""

    def __init__(self, room: int) -> None:
        self.room = room
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

    def make_room(self, path: Path) -> None:
        """Have those who are idle give up their models, the longest idle first, until there is room for a file."""
        size = path.stat().st_size if path.exists() else 0
        with self._lock:
            idle = sorted(self._tenants, key=lambda tenant: tenant.used)
        for tenant in idle:
            if self.taken + size <= self.room:
                return
            tenant.unload()

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
        """Bytes in use."""
        with self._lock:
            return sum(model.bytes for model in self._borrowed) + sum(self._tenants.values())


def memory() -> int:
    """The bytes of memory that this machine has, or a modest guess."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 << 30


SHELF = Shelf(memory() // 2)
"""The one of this process: half of the machine's memory."""
