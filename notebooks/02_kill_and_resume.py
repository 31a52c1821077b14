# %% [markdown]
# # Killed and resumed
#
# A process runs a graph and is killed with -9 in the middle of it. This notebook takes the run up: what had finished
# is not done again, and what must not be repeated is not repeated.

# %% [markdown]
# ## A graph in a file
#
# A run is taken up by another process, so its graph lives in a file that both can import. `weigh` looks at the world
# and may run again; `ship` must not be repeated, and says so.

# %%
import os
import tempfile
from pathlib import Path

os.chdir(tempfile.mkdtemp())  # a new folder for the files of this notebook: it can be run again

Path("parcels.py").write_text(
    """
import anyio

from graphrt import dag, each, node


@node
async def weigh(parcel: str) -> int:
    with open("weighed.txt", "a") as log:
        log.write(parcel + "\\n")
    return len(parcel)


@node(effect="once")
async def ship(weights: list[int]) -> str:
    with open("shipped.txt", "a") as log:
        log.write(f"{sum(weights)}\\n")
    await anyio.sleep(60)  # the carrier takes its time to confirm
    return "confirmed"


@dag
def parcels(names: list[str]) -> str:
    return ship(each(weigh, names))
""",
    encoding="utf-8",
)

# %% [markdown]
# ## Killed
#
# The process is killed when it has written that it shipped, and before anybody confirmed it.

# %%
import subprocess
import sys
import time

names = '["books", "lamp", "tea"]'
line = [sys.executable, "-m", "graphrt", "run", "parcels.py:parcels", "--names", names, "--run-id", "parcels"]
worker = subprocess.Popen([*line, "--store", "parcels.db"])
while not (Path("shipped.txt").exists() and Path("shipped.txt").read_text()):
    time.sleep(0.02)
worker.kill()
worker.wait()

# %% [markdown]
# ## What is left of it
#
# The store says what had finished. `rt.get` is a run to look at: nobody drives it, and `ship`, which was in flight,
# is `unknown`. Nobody here can know whether the parcels are on their way, and `ship` must not be repeated.

# %%
from parcels import parcels

from graphrt import Runtime, Suspended

rt = await Runtime("parcels.db")
left = await rt.get("parcels")
left

# %%
prospect = await rt.prospect("parcels", parcels)
print(f"reused: {prospect.reused}; runs again: {prospect.again}; unknown: {prospect.unknown}")

# %%
run = await rt.resume("parcels", parcels)
try:
    await run
except Suspended as suspended:
    print(*suspended.waiting, sep="\n")

# %% [markdown]
# ## A person says what became of it
#
# The carrier, on the phone, has the parcels. The run goes on with that; nothing was weighed or shipped twice.

# %%
await rt.resolve(run, "ship", done="confirmed on the phone")
print(await run.result(wait=True))
print("weighed:", Path("weighed.txt").read_text().split())
print("shipped:", len(Path("shipped.txt").read_text().split()), "time")


# %% [markdown]
# What the first process did and what this one did are in one journal: `run resumed` is where this one took over.

# %%
async for entry in run.events():
    print(entry.seq, entry.fact.kind, getattr(entry.fact, "step", ""))


# %%
await rt.aclose()

# %% [markdown]
# ## Exercise
#
# Nobody has to be on the phone where a node can look for itself. Write `checked.py`, a copy of `parcels.py` whose
# logs have other names, and give its `ship` a check: `@node(effect="once", check=was_shipped)`. `was_shipped` is a
# function above it that takes the same `weights`; it returns the output, `"confirmed"`, if the log says that they
# were shipped, and raises `NotDone` (`from graphrt import NotDone`) if it does not. Run it in a process as above,
# with a store of its own, kill that when it has shipped, and resume. Who says what became of the parcels now, and how
# often were they shipped?
