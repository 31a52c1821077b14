"""DBOS Transact: the same three cases as a workflow over steps, on SQLite. It has no way to run without a database.

    python -m tests.bench.dbos_peer chain 1000 /tmp/peer.db       prints one JSON line

A workflow keeps its state in the outputs of its steps, which a recovery runs through again: in the loop, what is stored
for each turn is the message, not the list. The file is put into a write-ahead log beforehand, which DBOS keeps and does
not ask for; synchronous is FULL, as SQLite has it. DBOS 3.4 does not start where Python is 3.12 or newer and SQLite is
older than 3.42.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.bench.cases import MESSAGE
from tests.bench.peer import main
from tests.bench.timer import Timer

logging.disable(logging.WARNING)


def workflows() -> dict[str, Any]:
    """Register the three workflows."""
    from dbos import DBOS

    @DBOS.step()
    async def increment(value: int) -> int:
        return value + 1

    @DBOS.step()
    async def double(item: int) -> int:
        return item * 2

    @DBOS.step()
    async def turn(messages: list[dict[str, str]]) -> dict[str, str]:
        return MESSAGE

    @DBOS.workflow()
    async def chain(length: int) -> int:
        value = 0
        for _ in range(length):
            value = await increment(value)
        return value

    @DBOS.workflow()
    async def fanout(width: int) -> int:
        return sum(await asyncio.gather(*(DBOS.run_step_async(None, double, item) for item in range(width))))

    @DBOS.workflow()
    async def loop(turns: int) -> list[dict[str, str]]:
        messages: list[dict[str, str]] = []
        while len(messages) < turns:
            messages = [*messages, await turn(messages)]
        return messages

    return {"chain": chain, "fanout": fanout, "loop": loop}


async def measure(case: str, size: int, path: Path | None) -> tuple[dict[str, float], Any]:
    """See tests.bench.peer.Measure."""
    from dbos import DBOS, SetWorkflowID

    assert path is not None, "DBOS needs a database"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    DBOS(config={"name": "peer", "system_database_url": f"sqlite:///{path}", "run_admin_server": False})
    workflow = workflows()[case]
    DBOS.launch()
    timer = Timer()
    with SetWorkflowID("peer"):
        result = await workflow(size)
    taken = timer.read()
    DBOS.destroy()
    return taken, result


if __name__ == "__main__":
    main(measure)
