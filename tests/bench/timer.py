"""What a measurement takes: on the clock, and of the CPU."""

from __future__ import annotations

import gc
import time


class Timer:
    """Takes the time from its making to its reading.

    What was made before is looked through for garbage first: else it is chance on whose clock that falls.
    """

    def __init__(self) -> None:
        gc.collect()
        self._began = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        """Return seconds on the clock, and seconds of CPU over all threads."""
        return {"seconds": time.perf_counter() - self._began[0], "cpu": time.process_time() - self._began[1]}
