# %% [markdown]
# # Any model
#
# A graph names a model by its role. What the role means is said when it runs: a script for tests, a record for CI, a
# model in this process, a provider over the network. The graph does not know, and its code does not change.

# %% [markdown]
# ## A graph with one question
#
# The return type is what the model is asked for, and what its answer is validated against. `fast` is the role. An
# answer that does not fit is sent back once with what was wrong, which is called a repair.

# %%
import os
import tempfile
from typing import Literal

from pydantic import BaseModel

from graphrt import Runtime, dag, node
from graphrt.nodes import generated, llm

os.chdir(tempfile.mkdtemp())  # a new folder for the files of this notebook: it can be run again


class Ticket(BaseModel):
    route: Literal["billing", "technical", "sales", "other"]


@llm(
    "{{ letter }}",
    model="fast",
    system="Route the request to billing, technical, sales or other. Answer in JSON.",
)
def classify(letter: str) -> Ticket:
    return generated()


@node
def desk(ticket: Ticket) -> str:
    return f"goes to {ticket.route}"


@dag
def triage(letter: str) -> str:
    return desk(classify(letter))


letter = "I was charged twice!"


# %% [markdown]
# ## Scripted: for tests
#
# A scripted model says what it is told to say. It needs nothing, and takes no time.

# %%
async with Runtime("models.db", models={"fast": 'scripted:{"route": "sales"}'}) as rt:
    scripted = await rt.start(triage, letter=letter)
    print("scripted:", await scripted.result())


# %% [markdown]
# ## Local: a model in this process
#
# `llama_cpp:tiny` came with the package: 4.9 million parameters, on one core. Any GGUF file goes in its place, or a
# provider: `anthropic:claude-…`, `openai:…`, `ollama:…`. The answer is held to the schema while it is written.

# %%
async with Runtime("models.db", models={"fast": "llama_cpp:tiny"}) as rt:
    local = await rt.start(triage, letter=letter)
    print("local:", await local.result())


# %% [markdown]
# ## Recorded: for CI
#
# `recorded` asks once, and writes down what was said: one file for each question, made to be read in a review. From
# then on nobody is asked; with `mode="replay"`, a question that was not recorded is an error that shows the nearest
# one.

# %%
from pathlib import Path

from graphrt.backends.policies import recorded

for mode in ("auto", "replay"):
    async with Runtime("models.db", models={"fast": recorded("llama_cpp:tiny", "cassettes", mode=mode)}) as rt:
        print(f"{mode}:", await rt.run(triage, letter=letter))
print(len(list(Path("cassettes").iterdir())), "question recorded")


# %% [markdown]
# ## Another model for a run that is over
#
# A fork shares the history of its parent up to what differs. Here the role is bound otherwise: what asked it is asked
# anew, and what depends on its answer follows. The parent stays as it was, so the two can be compared, step by step.

# %%
async with Runtime("models.db", models={"fast": 'scripted:{"route": "sales"}'}) as rt:
    fork = await rt.fork(scripted, triage, models={"fast": "llama_cpp:tiny"})
    print("fork:", await fork.result())
    for row in (await rt.diff(scripted, fork)).rows:
        print(f"{row.step:<10} {row.verdict:<8} {row.a.decode():<28} {row.b.decode()}")


# %% [markdown]
# ## When a model is busy
#
# A policy is made of models, and stands for one. `fallback` goes on to the next where the first cannot answer; which
# one answered, and why, is recorded with the step.

# %%
from graphrt.backends import Scripted
from graphrt.backends.errors import Overloaded
from graphrt.backends.policies import fallback

busy = Scripted([Overloaded("come back later")], name="busy")
async with Runtime("models.db", models={"fast": fallback(busy, "llama_cpp:tiny")}) as rt:
    run = await rt.start(triage, letter=letter)
    print("fallback:", await run.result())
    async for entry in run.events():
        if note := getattr(entry.fact, "note", None):
            print(note.decode()[:400])

# %% [markdown]
# ## Exercise
#
# Bind `fast` to a scripted model that gives an answer which is no `Ticket`, such as `scripted:{"route": "lawyers"}`,
# and run the graph. Which error does the run raise, and what does it say was wrong? Then bind `fast` to
# `llama_cpp:tiny` in another runtime on the same store, ask it for the `prospect` of that run, and resume it there:
# which step runs again, and which runs for the first time?
