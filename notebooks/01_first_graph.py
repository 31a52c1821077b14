# %% [markdown]
# # A first graph
#
# A graph is made of typed functions. It runs durably: every step is in the store before the next one begins, and
# another process can go on where this one ends, even if it is killed. The models here answer from a script, so this
# notebook needs no key, no network and no download.

# %% [markdown]
# ## A dag: what depends on what
#
# `@node` makes a step of a function, `@llm` makes one of a question to a model, and `@dag` makes a graph of a
# function: it is called once, with placeholders, to see what depends on what. `outline` is such a graph, and nothing
# has run yet. A call is a step: calling a node twice makes two steps. A notebook shows it as a picture, which is made
# here: nothing is fetched.

# %%
import os
import tempfile
from pathlib import Path

from graphrt import Final, Machine, Runtime, State, dag, each, node
from graphrt.backends.scripted import Scripted
from graphrt.nodes import generated, llm

os.chdir(tempfile.mkdtemp())  # a new folder for the files of this notebook: it can be run again


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
# by its role, `fast`; what the role means is bound here: a name such as `"llama_cpp:tiny"`, or a backend. A scripted
# one says the same whenever it is asked; given a list, it says one after the other, each once.

# %%
questions = '{"result": ["What are tides?", "Why do they come?", "And how often do they come?"]}'
rt = await Runtime("first_graph.db", models={"fast": Scripted(questions)})

# %% [markdown]
# ## A run that fails keeps what it has
#
# `await run` gives the run's result, and shows meanwhile where it stands: on its graph, and in a line that counts the
# steps begun so far. One of the answers needs a file that is not there. The error names the run, the step and the
# attempt.

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
# `prospect` says what a resume will do before it does it: which of the steps that have begun run again. What depends
# on them follows. With the file in its place, the run goes on where it was. The model is not asked again: its answer
# is in the store.

# %%
Path("almanac.txt").write_text("Twice a day.", encoding="utf-8")
prospect = await rt.prospect(run.id, outline)
print(f"runs again: {', '.join(prospect.again)}; reused: {prospect.reused}")

resumed = await rt.resume(run.id, outline)
print(await resumed)


# %% [markdown]
# ## A machine: states, and what leads from one to the next
#
# A state is a class with data. A function that handles one returns the next state, and its return type says which
# ones there may be. Machines and dags nest in each other; each is a node.


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
# the new dag like any other. Show the graph, open a runtime again as above, and run it. Then delete `almanac.txt` and
# start another run of it, which fails: which step would `prospect` run again, and which steps has `await run.steps()`
# not heard of yet?
