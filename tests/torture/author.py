"""The process that is killed while it writes one long answer.

    python -m tests.torture.author STORE MODEL KIND

It begins the run in STORE or goes on with it, leaves a byte on stdout for every piece of text that is shown, and at the
end a line of JSON: the text, how many tokens it has, how many of them were there already, and how many were computed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import anyio
from pydantic import BaseModel

from graphrt import Runtime, dag, node
from graphrt.backends.llama.engine import drafts
from graphrt.backends.messages import OutputSchema, Settings
from graphrt.checkpoints import SqliteJournal
from graphrt.errors import RunNotFound
from graphrt.nodes import ask
from graphrt.types import RunId

RUN = RunId("answer")
LONGEST = 160
drafts.EVERY = 0.0  # the model is small: it writes in half a second what a large one writes in a minute


class Wrote(BaseModel):
    text: str
    written: int
    resumed: int
    computed: int


LIST = OutputSchema.model_validate(
    {
        "name": "numbers",
        "schema": {
            "type": "object",
            "properties": {f"value_{name}": {"type": "integer"} for name in "abcdefgh"},
            "required": [f"value_{name}" for name in "abcdefgh"],
            "additionalProperties": False,
        },
    }
)


@node
async def write(kind: str) -> Wrote:
    hot = Settings(temperature=9.0, seed=None if kind == "drawn" else 5, max_tokens=LONGEST)
    answer = await ask("m", "Tell me of the sea.", settings=hot, output=LIST if kind == "schema" else None)
    text = "\n".join(part.model_dump_json() for part in answer.message.parts)
    raw = answer.usage.raw
    return Wrote(text=text, written=answer.usage.output or 0, resumed=raw.get("resumed", 0), computed=raw["computed"])


@dag
def author(kind: str) -> Wrote:
    return write(kind)


async def main(store: Path, model: str, kind: str) -> None:
    journal = SqliteJournal(store, durability="process")
    async with Runtime(journal, models={"m": model}) as runtime:
        try:
            await journal.info(RUN)
            run = await runtime.resume(RUN, author)
        except RunNotFound:
            run = await runtime.start_as(RUN, author, kind)
        async for _ in run.live():
            sys.stdout.write(".")
            sys.stdout.flush()
        found = await run.result()
    print("\n" + json.dumps(found.model_dump()))
    await journal.aclose()


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2], sys.argv[3])
