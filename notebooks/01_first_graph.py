# %% [markdown]
# # A first graph
#
# A graph is made of typed functions. It runs durably: every step is in the store before the next one begins, and what
# a process leaves behind, another one takes up. The models here answer from a script, so this notebook needs no key,
# no network and no download.

# %% [markdown]
# ## A dag: what depends on what
#
# `@node` makes a step of a function, `@llm` makes one of a question to a model, and `@dag` draws its body once:
# `outline` is a graph, and nothing has run yet. A notebook shows it as a picture, which is made here: nothing is
# fetched.

# %%
import os
import tempfile
from pathlib import Path

from graphrt import Final, Machine, Runtime, State, dag, each, node
from graphrt.backends.scripted import Scripted
from graphrt.nodes import generated, llm


@llm("Split {{ topic }} into three questions.", model="fast")
def plan(topic: str) -> list[str]:
    return generated()


@node
def answer(question: str) -> str:
    if "how often" in question and not Path("almanac.txt").exists():
        raise FileNotFoundError("almanac.txt")
    return f"{question} It depends."


@node
def write(topic: str, answers: list[str]) -> str:
    return "\n".join([f"# {topic}", *answers])


@dag
def outline(topic: str) -> str:
    return write(topic, each(answer, plan(topic)))


outline

# %% [markdown]
# ## A runtime stays open from cell to cell
#
# A script writes `async with Runtime(...)`. A notebook awaits it, and closes it at the end. The graph names a model
# by its role, `fast`; what the role means is bound here: a name such as `"llama_cpp:tiny"`, or a backend.

# %%
questions = '{"result": ["What are tides?", "Why do they come?", "And how often do they come?"]}'
rt = await Runtime("first_graph.db", models={"fast": Scripted(questions)})

# %% [markdown]
# ## A run that fails keeps what it has
#
# Whoever waits for a run sees it: where it stands, drawn on its graph, and a line that says how far it is. One of the
# answers needs a file that is not there. The error names the run, the step and the attempt.

# %%
from graphrt.errors import RunFailed

run = await rt.start(outline, topic="Tides")
try:
    await run
except RunFailed as error:
    print(error)


# %% [markdown]
# What became of each step, so far:

# %%
await run.steps()

# %% [markdown]
# The journal holds everything that happened, in order, for whoever asks.

# %%
async for entry in run.events():
    print(entry.seq, entry.fact.kind, getattr(entry.fact, "step", ""))


# %% [markdown]
# ## Resume
#
# With the file in its place, the run goes on where it was. The model is not asked again: its answer is in the store.

# %%
Path("almanac.txt").write_text("Twice a day.", encoding="utf-8")
prospect = await rt.prospect(run.id, outline)
print(f"runs again: {', '.join(prospect.again)}; reused: {prospect.reused}")

resumed = await rt.resume(run.id, outline)
print(await resumed)


# %% [markdown]
# ## A machine: states, and what leads from one to the next
#
# A state is data, and a transition is a return type. Machines and dags nest in each other; each is a node.


# %%
class Drafting(State):
    brief: str
    rounds: int = 0


class Reviewing(State):
    brief: str
    draft: str
    rounds: int


class Approved(Final):
    text: str
    rounds: int


editor = Machine("editor", start=Drafting, end=Approved)


@editor.on
def draft(state: Drafting) -> Reviewing:
    text = state.brief + "!" * state.rounds
    return Reviewing(brief=state.brief, draft=text, rounds=state.rounds + 1)


@editor.on
def review(state: Reviewing) -> Drafting | Approved:
    if state.draft.endswith("!!"):
        return Approved(text=state.draft, rounds=state.rounds)
    return Drafting(brief=state.brief, rounds=state.rounds)


approved = await rt.run(editor, brief="The sea comes and goes")
approved

# %%
for info in await rt.runs():
    print(info.graph, info.status)

# %%
await rt.aclose()

# %% [markdown]
# ## Exercise
#
# Add a node `count(text: str) -> int` that counts the words of a text, and a dag `report(topic: str) -> tuple[str,
# int]` that returns what `outline` returns and how many words that has: a graph is a node, so `outline` is called in
# the new dag like any other. Show the graph, open a runtime again as above, with a new script for the model, and run
# it. Then delete `almanac.txt` and start another run of it, which fails: which steps would `prospect` run again, and
# which of those were never run at all?
