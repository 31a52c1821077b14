# %% [markdown]
# # People, signals and deadlines
#
# Asking a person is a node of its own, and so is waiting for a message or for time to pass. While everything in a run
# waits for the world, the run is suspended: no process and no memory wait for it, and nothing runs again when the
# answer comes.

# %% [markdown]
# ## A question
#
# `@person` makes a node of a question. Its parameters fill the template, and its return type says what an answer is.
# The body never runs.

# %%
import os
import tempfile

from pydantic import BaseModel

from graphrt import Runtime, Suspended, dag, first, node
from graphrt.nodes import answered, person, signal, sleep

os.chdir(tempfile.mkdtemp())  # a new folder for the files of this notebook: it can be run again


class Decision(BaseModel):
    approved: bool
    reason: str = ""


@node
def price(order: int) -> float:
    print("looked up once")
    return order * 1.5


@person("Refund {{ amount }} for order {{ order }}?", to="ann")
def approve(order: int, amount: float) -> Decision:
    return answered()


@node
def letter(amount: float, decision: Decision) -> str:
    return f"You get {amount} back." if decision.approved else f"Sorry: {decision.reason}"


@dag
def refund(order: int) -> str:
    amount = price(order)
    return letter(amount, approve(order, amount))


refund

# %% [markdown]
# `await run`, which is `await run.result()`, waits for steps that run and for timers, but not for people: then it
# raises `Suspended`, which says what for, and which command answers. `run.result(wait=True)` waits for people, too.

# %%
rt = await Runtime("people.db")
run = await rt.start(refund, order=8)
try:
    await run
except Suspended as suspended:
    print(*suspended.waiting, sep="\n")

# %% [markdown]
# The inbox is the same for whoever looks into the store, with the graph's code or without: `graphrt inbox` prints it.
# A question is there once its step has begun to wait, which is a moment after the run has started.

# %%
for info, asked in await rt.inbox():
    print(info.graph, "/", asked.step, "/", asked.name)

# %% [markdown]
# ## Answers are validated
#
# One that does not fit is refused and recorded, and the question stands.

# %%
await rt.answer(run, "approve", "perhaps")
try:
    await run.result()
except Suspended:
    refused = [entry.fact async for entry in run.events() if entry.fact.kind == "message refused"]
    print("refused:", refused[0].failure.message)

await rt.answer(run, "approve", Decision(approved=False, reason="the parcel was opened"))
print(await run.result(wait=True))


# %% [markdown]
# ## A signal, or a deadline
#
# A signal is a typed message with a name. It may come before anybody waits for it. Sent again under the same `id`, it
# changes nothing: ids are the store's, so that a sender may always send again. `first` takes what comes first; a
# timer is due at an absolute time, also after a crash.


# %%
class Payment(BaseModel):
    amount: float


paid = signal("paid", Payment)


@node
def close(payment: Payment | None) -> str:
    return "nobody paid in time" if payment is None else f"paid {payment.amount}"


@dag
def order(within: float) -> str:
    return close(first(paid(), sleep(None, within)))


early = await rt.start(order, within=3600)
print(await rt.signal(early, "paid", Payment(amount=12), id="payment 17"))
print(await rt.signal(early, "paid", Payment(amount=12), id="payment 17"))
print(await early.result(wait=True))

# %%
late = await rt.start(order, within=0.1)
print(await late.result(wait=True))


# %% [markdown]
# ## Nothing ran twice
#
# The run that waited for a person, from its journal.

# %%
async for entry in run.events():
    print(entry.seq, entry.fact.kind, getattr(entry.fact, "step", ""))


# %%
await rt.aclose()

# %% [markdown]
# ## Exercise
#
# Ann is on holiday. Write `refund_soon`, like `refund`, but so that a request which nobody answers within two seconds
# is refused by itself: the `first` of `approve` and of a `sleep` that gives `Decision(approved=False, reason="nobody
# looked")`. Run it twice in a new runtime: once without an answer, and once answered as soon as its question is in
# the inbox (look into `await rt.inbox()` until it is there). What do the two letters say, what is left in the inbox,
# and what is the status of `approve` in `await run.steps()` of the run that nobody answered?
