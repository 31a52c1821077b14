# %% [markdown]
# # The local engine
#
# Many steps on one loaded model: computed together, with the same answers as alone. This notebook uses the small
# model that comes with the package; any GGUF file does the same, with `n_gpu_layers=-1` on a GPU.

# %% [markdown]
# ## One model, many answers at once
#
# `LlamaCpp` is a backend: what a role is bound to. The file is read at the first request, in a thread of its own.

# %%
import time

import anyio

from graphrt.backends import Request, Settings, complete
from graphrt.backends.llama import LlamaCpp
from graphrt.backends.messages import system, user

RULES = "Route the request to billing, technical, sales or other. Answer in JSON."
LETTERS = [
    f"{greeting}, {problem}"
    for greeting in ("Hi", "Hello", "Good morning", "Please help")
    for problem in ("I was charged twice", "the app crashes", "how much is the large plan", "tell me a joke")
]

model = LlamaCpp("tiny", parallel=16)


def asked(letter, **settings):
    return Request(messages=(system(RULES), user(letter)), settings=Settings(**settings))


async def answer(request):
    return await complete(model.stream(request))


print((await answer(asked(LETTERS[0]))).text)


# %%
async def together(requests):
    answers = [None] * len(requests)

    async def one(number):
        answers[number] = await answer(requests[number])

    async with anyio.create_task_group() as tasks:
        for number in range(len(requests)):
            tasks.start_soon(one, number)
    return answers


requests = [asked(letter) for letter in LETTERS]
began = time.perf_counter()
alone = [await answer(request) for request in requests]
then = time.perf_counter()
crowd = await together(requests)
print(f"one after the other {then - began:.2f} s, all at once {time.perf_counter() - then:.2f} s")

# %% [markdown]
# This model is so small that little is gained. One of half a billion weights writes nearly twice as many tokens a
# second for eight at once as for one, on two cores: its weights are read once for all.
#
# ## The same answer, alone and in a crowd
#
# A model's numbers depend a little on what is computed beside them, and so may its answer. Here they do not: the
# engine tries that out when it loads the model, and `capabilities.batch_invariant` says so from then on. With a seed,
# the same request has the same answer, alone and in a crowd. A wild temperature makes the smallest difference
# visible.

# %%
print("batch_invariant:", model.capabilities.batch_invariant)
wild = [asked(letter, temperature=9.0, seed=7, max_tokens=24) for letter in LETTERS]
alone = [(await answer(request)).text for request in wild]
crowd = [each.text for each in await together(wild)]
print("the same:", alone == crowd)
print(repr(alone[0][:60]))

# %% [markdown]
# ## What prompts have in common is computed once
#
# All the letters have the same rules before them. `cache_read` says how many tokens of the prompt were there already.

# %%
long_rules = system(RULES + " Be quick." * 40)
for letter in LETTERS[:3]:
    usage = (await answer(Request(messages=(long_rules, user(letter))))).usage
    print(f"prompt {usage.input} tokens, {usage.cache_read} of them there already")

# %% [markdown]
# ## Held to a schema
#
# A grammar leaves the model no way to break the schema, even at a temperature at which it writes noise. What no
# grammar can hold is said in a warning, and validated afterwards.

# %%
from graphrt.backends.messages import OutputSchema

person = OutputSchema.model_validate(
    {
        "name": "person",
        "schema": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "maxLength": 12},
                "age": {"type": "integer", "minimum": 0, "maximum": 120},
                "city": {"type": "string", "maxLength": 12},
            },
            "required": ["name", "age", "city"],
            "additionalProperties": False,
        },
    }
)
people = (system("Extract name, age and city. Answer in JSON."), user("My name is Ann, I am 41 and live in Rome."))
noise = Settings(temperature=9.0, seed=3, max_tokens=80)
print("free: ", repr((await answer(Request(messages=people, settings=noise))).text[:60]))
print("held: ", (await answer(Request(messages=people, settings=noise, output=person))).text)
print("calm: ", (await answer(Request(messages=people, output=person))).text)

# %% [markdown]
# ## Given up, and gone
#
# A request that nobody waits for any more frees its place within milliseconds: closing the stream is enough, and so
# is a timeout around it.

# %%
with anyio.move_on_after(0.05) as scope:
    await answer(asked("Tell me a story", temperature=9.0, seed=1, max_tokens=900))
print("given up:", scope.cancelled_caught)
print("and the next:", (await answer(asked(LETTERS[1]))).text)
await model.aclose()

# %% [markdown]
# ## Exercise
#
# Open the model again with `LlamaCpp("tiny", parallel=2)`, ask all sixteen letters at once, and look at
# `usage.raw["queue_seconds"]` of each answer (`raw` has what only this backend says of itself): who waited, and for
# how long? Then open it with `LlamaCpp("tiny", parallel=16, exact=False)`: what does `batch_invariant` say after the
# first answer, and are the answers to `wild` still the same in a crowd as alone?
