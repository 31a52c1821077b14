"""Skills on unseen tools: calling, answering, refusing, several at once, over several turns, mending, planning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from graphrt.backends.llama.tiny import world
from graphrt.backends.llama.tiny.conversation import (
    Call,
    Conversation,
    Message,
    answers,
    calls,
    result,
    says,
    user,
)
from graphrt.backends.llama.tiny.deeds import Deed, deed, joined, key_of, listed, offered, several, spoken, value_of
from graphrt.backends.llama.tiny.values import digits, text_value
from graphrt.backends.llama.tiny.words import FIRST, Random, Split, a, adjective, made_up, noun, proper
from graphrt.backends.llama.tiny.world import HELPFUL, NO_TOOL

# Results, and what is said of them.


def _outcome(rng: Random, split: Split, one: Deed) -> tuple[Any, str]:
    """A result of the tool, and the answer that it makes: fields are told, a text is passed on, success is `Done.`"""
    kind = rng.random()
    if kind < 0.15:
        return {"error": (why := _trouble(rng, split))}, f"That did not work: {why}."
    if one.verb and kind < 0.5:
        return rng.choice(
            ({"ok": True}, {"status": "ok"}, {"status": "done"}, {"success": True}, "ok", "done")
        ), "Done."
    if kind < 0.6:
        text = f"The {noun(rng, split)} is {adjective(rng, split)}."
        return text, text
    keys = [
        joined(rng, [one.thing] if i == 0 and not one.verb else [noun(rng, split)])
        for i in range(rng.choice((1, 1, 2, 2, 3)))
    ]
    value = {key: rng.choice((text_value, lambda r, _: digits(r)))(rng, split) for key in dict.fromkeys(keys)}
    said = " and ".join(f"the {spoken(key)} is {item}" for key, item in value.items())
    return value, f"{said[0].upper()}{said[1:]}."


def _trouble(rng: Random, split: Split) -> str:
    thing = noun(rng, split)
    return rng.choice(
        (
            f"no such {thing}",
            f"the {thing} is {adjective(rng, split)}",
            "not found",
            "permission denied",
            f"{thing} not found",
            "the service is down",
        )
    )


# Skills.


def persona(rng: Random, split: Split) -> str:
    """What the system says where it says nothing of the task."""
    if (kind := rng.random()) < 0.7:
        return "" if kind < 0.4 else HELPFUL
    about = noun(rng, split)
    return rng.choice((
        f"You are {a(about)} assistant.", f"You help people with their {about}.", "Answer briefly.", "Be kind.",
        f"You work for {proper(rng, split, FIRST)}.", f"You are {a(noun(rng, split))} {about} agent. Use the tools.",
        "Use the tools on offer.", "You are an agent.",
    ))  # fmt: skip


def call(rng: Random, split: Split) -> Conversation:
    """One request, one call of an unseen tool; or, where the tool takes them, with optional arguments and choices."""
    (one,) = several(rng, split, 1)
    arguments = one.arguments(rng, split)
    if one.verb and arguments and rng.random() < 0.08:
        return _bare(rng, split, one)
    kinds = {param.kind for param in one.tool.params if param.name in arguments}
    optional = any(not param.required for param in one.tool.params)
    skill = "open enum" if "enum" in kinds else "open optional" if optional else "open call"
    said = user(one.request(rng, split, arguments))
    return Conversation(
        skill, (said, calls(Call(one.tool.name, arguments))), persona(rng, split), offered(rng, split, one)
    )


def _bare(rng: Random, split: Split, one: Deed) -> Conversation:
    """A verb and a value, where no other tool on offer has that verb: `Play Yesterday`."""
    key = key_of(rng, split, one.thing)
    one = replace(
        one,
        tool=replace(
            one.tool,
            params=(key, *(param for param in one.tool.params if not param.required and param.name != key.name)),
        ),
    )
    value = value_of(rng, split, key)
    said = rng.choice(
        (f"{one.verb} {value}", f"{one.verb} {value}.", f"please {one.verb} {value}", f"can you {one.verb} {value}?")
    )
    tools = [
        tool
        for tool in offered(rng, split, one)
        if tool == one.tool or one.verb not in f"{spoken(tool.name)} {tool.description.lower()}"
    ]
    messages = (user(said[0].upper() + said[1:]), calls(Call(one.tool.name, {key.name: value})))
    return Conversation("open call", messages, persona(rng, split), tuple(tools))


def answer(rng: Random, split: Split) -> Conversation:
    """The answer to a result."""
    (one,) = several(rng, split, 1)
    arguments = one.arguments(rng, split)
    got, said = _outcome(rng, split, one)
    messages = (
        user(one.request(rng, split, arguments)),
        calls(Call(one.tool.name, arguments)),
        result(got),
        says(said),
    )
    return Conversation("open answer", messages, persona(rng, split), offered(rng, split, one, most=4))


def no_tool(rng: Random, split: Split) -> Conversation:
    """None of the tools on offer fits, or there is none: the model says so."""
    (one,) = several(rng, split, 1)
    kind = rng.random()
    if kind < 0.55 or split == "eval":
        said = one.request(rng, split, one.arguments(rng, split))
        near = [deed(rng, split, verb_=one.verb)] if one.verb and rng.random() < 0.3 else []
        tools = tuple(
            tool for tool in offered(rng, split, *near) if one.thing not in f"{spoken(tool.name)} {tool.description}"
        )
        if rng.random() < 0.4:
            # The right thing, but nothing on offer does that with it.
            other = deed(rng, split, thing=one.thing, tells=False)
            if other.verb != one.verb:
                tools = tuple(sorted((*tools[:5], other.tool), key=lambda _: rng.random()))
    elif kind < 0.8:
        made = world.act(rng, split)
        said = made.request
        tools = tuple(tool for tool in (*world.offer(rng), *offered(rng, split)) if tool.name != made.tool.name)[
            : rng.randrange(6)
        ]
    else:
        said = rng.choice(rng.choice(tuple(world.ROUTES.values())))
        said = said[0].upper() + said[1:] + rng.choice(("", ".", "?"))
        tools = offered(rng, split)
    return Conversation("no tool", (user(said), says(NO_TOOL)), persona(rng, split), tools)


def parallel(rng: Random, split: Split) -> Conversation:
    """Two or three calls at once: of several tools, or of one for several values."""
    count = rng.choice((2, 2, 3))
    if rng.random() < 0.35:
        entity = noun(rng, split)
        key = key_of(rng, split, entity)
        one = replace(made := deed(rng, split, tells=True), tool=replace(made.tool, params=(key,)), entity=entity)
        values = list(dict.fromkeys(value_of(rng, split, key) for _ in range(count)))
        named = f"{one.called(rng, key)} " if rng.random() < 0.4 else ""
        them = listed([f"{named}{value}" for value in values])
        said = rng.choice(
            (
                f"What is the {one.thing} of {them}?",
                f"Get the {one.thing} of {them}.",
                f"Show me the {one.thing} for {them}.",
                f"Check the {one.thing} of {them}.",
            )
        )
        made_calls = [Call(one.tool.name, {key.name: value}) for value in values]
        return Conversation(
            "open parallel", (user(said), calls(*made_calls)), persona(rng, split), offered(rng, split, one, most=4)
        )
    deeds = several(rng, split, count)
    pairs = [(one, one.arguments(rng, split)) for one in deeds]
    requests = [one.request(rng, split, arguments) for one, arguments in pairs]
    said = " ".join(request if request.endswith((".", "?")) else f"{request}." for request in requests)
    if rng.random() < 0.25:
        heads = [request.rstrip(".?").removesuffix(" please") for request in requests]
        said = listed([heads[0], *(head[0].lower() + head[1:] for head in heads[1:])]) + "."
    messages = [user(said), calls(*(Call(one.tool.name, arguments) for one, arguments in pairs))]
    if split == "train" and rng.random() < 0.3:
        outcomes = [_outcome(rng, split, one) for one in deeds]
        messages += [*(result(got) for got, _ in outcomes), says(" ".join(words for _, words in outcomes))]
    return Conversation("open parallel", tuple(messages), persona(rng, split), offered(rng, split, *deeds, most=5))


def turns(rng: Random, split: Split) -> Conversation:
    """Several exchanges; the last one is a call, of another tool or of the same one with something changed."""
    deeds = several(rng, split, 2, tells=None)
    tools = offered(rng, split, *deeds, most=4)
    messages: list[Message] = []
    last: tuple[Deed, dict[str, Any]] | None = None
    count = rng.choice((2, 2, 2, 2, 3, 3, 3, 4, 6)) if split == "train" else rng.choice((2, 2, 3))
    for turn in range(count):
        key = None
        if last is not None and not last[0].verb:
            key = next(
                (param for param in last[0].tool.params[:1] if param.kind in {"string", "integer"} and param.required),
                None,
            )
        if last is not None and key is not None and rng.random() < 0.6:
            one, before = last
            value = value_of(rng, split, key)
            arguments = {**before, key.name: value}
            said = rng.choice(
                (
                    f"And {value}?",
                    f"What about {value}?",
                    f"And for {value}?",
                    f"The same for {value}.",
                    f"Now {value}.",
                )
            )
        else:
            one = rng.choice(deeds)
            arguments = one.arguments(rng, split)
            said = one.request(rng, split, arguments)
        last = (one, arguments)
        messages += [user(said), calls(Call(one.tool.name, arguments))]
        if turn < count - 1:
            got, words = _outcome(rng, split, one)
            messages += [result(got), says(words)]
            if rng.random() < 0.15:
                messages += [user("Thanks"), says("You are welcome.")]
    return Conversation("turns", tuple(messages), persona(rng, split), tools)


def correction(rng: Random, split: Split) -> Conversation:
    """A call that went wrong, what the tool said of it, and the call that mends it."""
    while True:
        (one,) = several(rng, split, 1)
        arguments = one.arguments(rng, split)
        params = [param for param in one.tool.params if param.name in arguments]
        if params:
            break
    param = rng.choice(params)
    name, value = param.name, arguments[param.name]
    said = one.request(rng, split, arguments)
    tools = offered(rng, split, one, most=4)
    tool, wrong, right = one.tool.name, dict(arguments), dict(arguments)
    kind = rng.random()
    if kind < 0.15:
        tool = joined(rng, [made_up(rng, split), noun(rng, split)])
        names = listed([each.name for each in tools])
        why = rng.choice((f"there is no tool {tool}; the tools are {names}", f"unknown tool {tool}"))
    elif kind < 0.35:
        del wrong[name]
        why = rng.choice((f"{name} is required", f"missing argument {name}", f"at /{name}: Field required"))
    elif param.kind == "string":
        right[name] = text_value(rng, split)
        why = rng.choice(
            (
                f"unknown {spoken(name)} {value}. Did you mean {right[name]}?",
                f"{value} not found, did you mean {right[name]}?",
                f"no {name} {value}; use {right[name]}",
            )
        )
    elif param.kind in {"integer", "number"} and kind < 0.6:
        right[name] = digits(rng)
        low = rng.random() < 0.5
        why = rng.choice(
            (
                f"{name} must be at {'least' if low else 'most'} {right[name]}",
                f"{name} is too {'small' if low else 'large'}, the {'minimum' if low else 'maximum'} is {right[name]}",
            )
        )
    elif param.kind == "enum":
        wrong[name] = rng.choice((noun, adjective))(rng, split)
        why = rng.choice(
            (
                f"{name} must be one of {', '.join(param.choices)}",
                f"at /{name}: Input should be {listed(param.choices)}",
                f"{wrong[name]} is not a {spoken(name)}",
            )
        )
    else:
        wrong[name] = str(value) if not isinstance(value, list) else listed(value)
        kinds = {"integer": "an integer", "number": "a number", "boolean": "a boolean", "array": "a list"}
        why = rng.choice((f"{name} must be {kinds[param.kind]}", f"at /{name}: Input should be a valid {param.kind}"))
    if wrong == arguments and tool == one.tool.name and right == arguments:
        return correction(rng, split)
    shown: Any = rng.choice((
        {"error": why}, f"Error: {why}", {"status": "error", "message": why},
        f"The arguments do not fit their JSON Schema:\n- {why}\nCall it again with the corrected arguments.",
    ))  # fmt: skip
    messages = [user(said), calls(Call(tool, wrong), learn=False), result(shown), calls(Call(one.tool.name, right))]
    return Conversation("correction", tuple(messages), persona(rng, split), tools)


def plan(rng: Random, split: Split) -> Conversation:
    """The tools on offer that a message asks for, in its order."""
    deeds = several(rng, split, rng.choice((2, 2, 3)))
    requests = [one.request(rng, split, one.arguments(rng, split)) for one in deeds]
    said = " ".join(request if request.endswith((".", "?")) else f"{request}." for request in requests)
    steps = {"steps": [one.tool.name for one in deeds]}
    system = "Plan the tools to use. Answer in JSON."
    return Conversation("open plan", (user(said), answers(steps)), system, offered(rng, split, *deeds))
