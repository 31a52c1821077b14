"""Tools that nobody has seen before: made up one by one, with the requests that mean them.

A model that has met a million tools, each for once, can only do one thing: read what is on offer and copy. So names,
parameters, descriptions and values are all drawn anew, and a request points to its tool by the words of the tool's name
or of its description. What is scored (`eval`) uses words that training never has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphrt.backends.llama.tiny import world
from graphrt.backends.llama.tiny.conversation import (
    Call,
    Conversation,
    Kind,
    Message,
    Param,
    Tool,
    answers,
    calls,
    result,
    says,
    user,
)
from graphrt.backends.llama.tiny.words import (
    CITIES,
    DAYS,
    FIRST,
    LANGUAGES,
    Split,
    a,
    adjective,
    foreign,
    made_up,
    noun,
    proper,
    third,
    verb,
)
from graphrt.backends.llama.tiny.world import HELPFUL, NO_TOOL, Random

@dataclass(frozen=True, slots=True)
class Natural:
    """A parameter with a name that people use: what its values look like, and how English says them."""

    looks: str
    ways: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """Its type."""
        return "integer" if self.looks == "count" else "number" if self.looks == "money" else "string"


NATURAL: dict[str, Natural] = {
    "city": Natural("city", ("in {}", "in {}", "for {}")),
    "location": Natural("city", ("in {}", "for {}", "near {}")),
    "country": Natural("city", ("in {}", "of {}")),
    "room": Natural("thing", ("in the {}", "in {}")),
    "folder": Natural("thing", ("in {}", "in the {} folder", "from {}")),
    "restaurant": Natural("person", ("at {}",)),
    "place": Natural("person", ("at {}",)),
    "day": Natural("day", ("on {}", "for {}")),
    "date": Natural("date", ("on {}", "for {}")),
    "time": Natural("time", ("at {}",)),
    "to": Natural("person", ("to {}",)),
    "recipient": Natural("person", ("to {}", "for {}")),
    "person": Natural("person", ("for {}", "with {}")),
    "artist": Natural("person", ("by {}",)),
    "author": Natural("person", ("by {}",)),
    "source": Natural("city", ("from {}",)),
    "origin": Natural("city", ("from {}",)),
    "destination": Natural("city", ("to {}",)),
    "language": Natural("language", ("in {}", "to {}", "into {}")),
    "minutes": Natural("count", ("for {} minutes", "in {} minutes")),
    "hours": Natural("count", ("for {} hours",)),
    "people": Natural("count", ("for {} people", "for {}")),
    "quantity": Natural("count", ("{} times",)),
    "title": Natural("phrase", ("called {}", "titled {}", "with the title {}")),
    "name": Natural("person", ("named {}", "called {}")),
    "subject": Natural("phrase", ("about {}",)),
    "topic": Natural("phrase", ("about {}", "on {}")),
    "query": Natural("phrase", ("for {}", "for {}", "about {}")),
    "message": Natural("phrase", ("saying {}", "that says {}", "with the message {}")),
    "text": Natural("phrase", ("saying {}", "with the text {}")),
    "reason": Natural("phrase", ("because of {}",)),
    "email": Natural("email", ("with email {}", "at {}", "{}")),
    "path": Natural("path", ("at {}", "{}", "from {}")),
    "file": Natural("path", ("{}", "from {}", "in {}")),
    "url": Natural("url", ("at {}", "from {}")),
    "symbol": Natural("symbol", ("of {}", "for {}", "{}")),
    "price": Natural("money", ("for {} dollars", "for {}")),
    "amount": Natural("money", ("of {}", "of {} dollars")),
}
"""Training only: what is scored has parameters of unknown names."""
_KEYS = (
    "city", "name", "location", "country", "query", "symbol", "date", "topic", "title", "email", "path", "file", "url",
    "person", "author", "language", "text",
)  # fmt: skip
_SMALL = ("the", "of", "for", "in", "and", "with", "to", "on", "from", "my", "new")


def spoken(name: str) -> str:
    """The words of a name: `order_id` and `orderId` are `order id`."""
    return "".join(f" {c.lower()}" if c.isupper() else " " if c in "_-" else c for c in name).strip()


def _join(rng: Random, words: Sequence[str]) -> str:
    """A name out of words, mostly `like_this`."""
    parts = " ".join(words).split()
    style = rng.random()
    if style < 0.8:
        return "_".join(parts)
    if style < 0.95:
        return parts[0] + "".join(part.capitalize() for part in parts[1:])
    return "-".join(parts)


def _digits(rng: Random, most: int = 6) -> int:
    return rng.randrange(10 ** rng.randrange(1, most + 1))


def _looks(rng: Random, split: Split, looks: str) -> Any:
    """A value that looks like what is asked for."""
    if looks == "city":
        return proper(rng, split, CITIES)
    if looks == "person":
        name = proper(rng, split, FIRST)
        return name if rng.random() < 0.7 else f"{name} {made_up(rng, split).capitalize()}"
    if looks == "thing":
        return noun(rng, split)
    if looks in {"day", "language"}:
        return rng.choice(DAYS if looks == "day" else LANGUAGES)
    if looks == "date":
        date = f"{rng.randrange(2019, 2031)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
        return rng.choice((date, date, rng.choice(DAYS), "tomorrow", "today"))
    if looks == "time":
        hour = rng.randrange(24)
        return rng.choice((f"{hour:02}:{rng.randrange(60):02}", f"{hour:02}:{rng.randrange(60):02}", "noon", f"{hour % 12 + 1} pm"))
    if looks == "count":
        return rng.randrange(1, 200)
    if looks == "money":
        return rng.choice((rng.randrange(1, 5000), float(f"{_digits(rng, 3)}.{rng.randrange(1, 10)}")))
    if looks == "email":
        return f"{rng.choice((proper(rng, split, FIRST).lower(), made_up(rng, split)))}@{made_up(rng, split)}.{rng.choice(('com', 'org', 'net', 'io'))}"
    if looks == "path":
        file = f"{noun(rng, split)}{rng.choice(('', '-', '_'))}{rng.choice(('', noun(rng, split)))}.{rng.choice(('txt', 'py', 'csv', 'md', 'json', 'pdf'))}"
        return rng.choice((file, f"/{noun(rng, split)}/{noun(rng, split)}", f"{noun(rng, split)}/{file}"))
    if looks == "url":
        return f"https://{made_up(rng, split)}.{rng.choice(('com', 'org'))}{rng.choice(('', f'/{noun(rng, split)}'))}"
    if looks == "symbol":
        return made_up(rng, split)[: rng.randrange(3, 6)].upper()
    words = [rng.choice((noun, noun, adjective, verb, made_up))(rng, split) for _ in range(rng.randrange(1, 6))]
    if split == "train" and len(words) > 2:
        words = [rng.choice(_SMALL) if 0 < i < len(words) - 1 and rng.random() < 0.3 else word for i, word in enumerate(words)]
    return " ".join(words)


def text_value(rng: Random, split: Split) -> str:
    """A value that is text, of one of the shapes that people use."""
    if rng.random() < 0.05:
        return foreign(rng, split)
    looks = rng.choice(("person", "person", "person", "city", "city", "made", "made", "made", "words", "words", "code", "date", "time", "email", "path", "symbol"))
    if looks == "made":
        return made_up(rng, split)
    if looks == "words":
        return " ".join(rng.choice((noun, adjective, made_up))(rng, split) for _ in range(rng.choice((2, 2, 3))))
    if looks == "code":
        letters = "".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(rng.choice((1, 2, 3))))
        return f"{letters}{rng.choice(('-', '', ''))}{_digits(rng, 4)}"
    return str(_looks(rng, split, looks))


def _choices(rng: Random, split: Split) -> tuple[str, ...]:
    draw = rng.choice((adjective, noun))
    found = list(dict.fromkeys(draw(rng, split) for _ in range(rng.randrange(2, 6))))
    return tuple(found) if len(found) > 1 else (*found, made_up(rng, split))


def _value(rng: Random, split: Split, param: Param) -> Any:
    """A value for a parameter."""
    if split == "train" and param.name in NATURAL and param.kind == NATURAL[param.name].kind and rng.random() < 0.9:
        return _looks(rng, split, NATURAL[param.name].looks)
    if param.kind == "string":
        return text_value(rng, split)
    if param.kind == "integer":
        return _digits(rng)
    if param.kind == "number":
        return float(f"{_digits(rng, 3)}.{rng.randrange(1, 10)}")
    if param.kind == "boolean":
        return rng.random() < 0.5
    if param.kind == "enum":
        return rng.choice(param.choices)
    return [made_up(rng, split) for _ in range(rng.randrange(1, 4))]


def _param(rng: Random, split: Split, *, required: bool = True) -> Param:
    """A parameter: an English one that is said as English says it, or one of any name and kind."""
    if split == "train" and rng.random() < 0.35:
        name = rng.choice(tuple(NATURAL))
        return Param(name, NATURAL[name].kind, required=required)
    words = [noun(rng, split)]
    if rng.random() < 0.3:
        words.insert(0, rng.choice((adjective, noun))(rng, split))
    kind = rng.choice(("string", "string", "string", "integer", "integer", "number", "boolean", "enum", "enum", "array"))
    if kind == "integer" and rng.random() < 0.5:
        words.append(rng.choice(("id", "number", "count")))
    choices = _choices(rng, split) if kind == "enum" else ()
    return Param(_join(rng, words), kind, choices, required)  # type: ignore[arg-type]


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + f" and {items[-1]}"


def _said(rng: Random, split: Split, param: Param, value: Any) -> str:
    """How a request says that `param` is `value`."""
    name = spoken(param.name)
    if param.kind == "boolean":
        yes = (f"with {name}", f"{name} on", f"with {name} on", f"{name}: yes", f"{name} true")
        no = (f"without {name}", f"{name} off", f"with {name} off", f"{name}: no", f"{name} false")
        return rng.choice(yes if value else no)
    shown = _listed(value) if isinstance(value, list) else str(value)
    if param.kind == "string" and rng.random() < 0.12:
        shown = f'"{shown}"'
    if split == "train" and param.name in NATURAL and rng.random() < 0.8:
        return rng.choice(NATURAL[param.name].ways).format(shown)
    ways = [f"with {name} {shown}", f"{name} {shown}", f"using {name} {shown}", f"{name}: {shown}", f"{name} = {shown}", f"with the {name} {shown}", f"with {name} set to {shown}"]
    if param.kind == "enum":
        ways += [f"{shown} {name}", f"with {shown} {name}", f"as {shown}", f"in {shown}", f"to {shown}", shown]
    return rng.choice(ways)


@dataclass(frozen=True, slots=True)
class Deed:
    """A made-up tool, and the words that point to it. `verb` is empty where the tool only tells something."""

    tool: Tool
    verb: str
    thing: str
    entity: str = ""

    def arguments(self, rng: Random, split: Split) -> dict[str, Any]:
        """Values for it; what is optional is given half of the time."""
        return {
            param.name: _value(rng, split, param)
            for param in self.tool.params
            if param.required or rng.random() < 0.5
        }

    def called(self, rng: Random, key: Param) -> str:
        """What a request calls the thing that `key` names: by words that the offer shows."""
        name = spoken(key.name)
        seen = self.entity and (self.entity in name.split() or self.entity in self.tool.description)
        return self.entity if seen and rng.random() < 0.6 else name

    def request(self, rng: Random, split: Split, arguments: dict[str, Any]) -> str:
        """Words that mean this tool with these arguments."""
        given = [param for param in self.tool.params if param.name in arguments]
        thing = self.thing
        key = given[0] if given and given[0].required and given[0].kind in {"string", "integer"} else None
        if self.verb:
            base = f"{self.verb} {rng.choice((f'the {thing}', a(thing), f'the {thing}', f'my {thing}', f'this {thing}'))}"
            if key is not None and rng.random() < 0.25:
                given.remove(key)
                base = f"{self.verb} {rng.choice(('', '', 'the ', 'my '))}{thing} {arguments[key.name]}"
        else:
            asking = rng.choice((
                "get", "show me", "find", "tell me", "check", "give me", "look up", "I need", "I want to know",
                "I would like to see", "can you tell me", "could you look up", "do you know",
            ))  # fmt: skip
            base = f"{asking} the {thing}" if rng.random() < 0.5 else f"{rng.choice(('what is', 'what is', 'what are', 'how is'))} the {thing}"
            if rng.random() < 0.12:
                base = thing if rng.random() < 0.6 else f"what's the {thing}"
            if key is not None:
                given.remove(key)
                of = rng.choice(("of", "for", "of", "for the"))
                named = of == "for the" or rng.random() < 0.4
                if split == "train" and key.name in NATURAL and rng.random() < 0.6:
                    base += " " + rng.choice(NATURAL[key.name].ways).format(arguments[key.name])
                else:
                    base += f" {of} {f'{self.called(rng, key)} ' if named else ''}{arguments[key.name]}"
        rng.shuffle(given)
        given.sort(key=lambda param: len(str(arguments[param.name]).split()) > 2)  # a long one has the last word
        said = [_said(rng, split, param, arguments[param.name]) for param in given]
        glue = rng.choice((" ", " ", ", ", " and "))
        words = " ".join([base, glue.join(said)]) if said else base
        form = rng.random()
        if form < 0.45:
            words = words[0].upper() + words[1:]
        elif form < 0.6:
            words = "Please " + words
        elif form < 0.7 and self.verb:
            words = rng.choice(("Can you ", "Could you ", "I want to ", "I would like to ", "I need you to ")) + words
        elif form < 0.78:
            words = rng.choice(("Hi, ", "Hello, ", "Now ", "Then ")) + words
        else:
            words = words[0].upper() + words[1:]
        asks = words.lower().startswith(("can you", "could you", "do you", "how ", "what"))
        return words + ("?" if asks else rng.choice((".", ".", "", " please.")))


def deed(rng: Random, split: Split, *, verb_: str = "", thing: str = "", tells: bool | None = None) -> Deed:
    """Make a tool up. `verb_` and `thing` are words that it has to have, `tells` says whether it only tells something."""
    if not thing:
        thing = noun(rng, split)
        if (extra := rng.random()) < 0.3:
            thing = f"{rng.choice((adjective, noun))(rng, split)} {thing}"
        elif extra < 0.33:
            thing = f"{thing} {noun(rng, split)}"
        elif extra < 0.45 and not thing.endswith("s"):
            thing = f"{thing}s"
    if tells is None:
        tells = not verb_ and rng.random() < 0.45
    optional = [_param(rng, split, required=False) for _ in range(rng.choice((0, 0, 0, 1, 1, 2)))]
    if tells:
        entity = noun(rng, split) if rng.random() < 0.6 else ""
        params = [] if rng.random() < 0.12 else [_key(rng, split, entity)]
        head = rng.choice(("get", "get", "find", "lookup", "check", "fetch", "read", "show", ""))
        name = _join(rng, [head, thing] if head or rng.random() < 0.5 else [thing, rng.choice(("lookup", "info", "finder"))])
        of = f" of {a(entity)}" if entity else ""
        about = rng.choice((f"Get the {thing}{of}.", f"Returns the {thing}{of}.", f"Look up the {thing}{of}.", f"The {thing}{of}.", f"Tells the {thing}{of}."))
        doing = ""
    else:
        entity, doing = "", verb_ or verb(rng, split)
        params = [_param(rng, split) for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3)))]
        name = _join(rng, [doing, thing] if rng.random() < 0.9 else [thing, doing])
        one = a(thing)
        about = rng.choice((f"{doing.capitalize()} {one}.", f"{third(doing).capitalize()} the {thing}.", f"{third(doing).capitalize()} {one}.", f"Use this to {doing} {one}."))
    described = rng.random()
    if described < 0.15:
        name = _join(rng, [made_up(rng, split)] + ([made_up(rng, split)] if rng.random() < 0.3 else []))
    elif described < 0.2:
        name = _join(rng, [doing or thing])
    elif described < 0.5:
        about = ""
    unique = {param.name: param for param in [*params, *optional]}
    return Deed(Tool(name, tuple(unique.values()), about), doing, thing, entity)


def _key(rng: Random, split: Split, entity: str) -> Param:
    """What a tool that tells something is asked with."""
    if entity and rng.random() < 0.6:
        name, kind = rng.choice(((entity, "string"), (f"{entity} name", "string"), (f"{entity} id", "integer"), (f"{entity} number", "integer")))
        return Param(_join(rng, [name]), kind)  # type: ignore[arg-type]
    if split == "train" and rng.random() < 0.6:
        name = rng.choice(_KEYS)
        return Param(name, "integer" if name == "id" and rng.random() < 0.5 else "string")
    return Param(_join(rng, [noun(rng, split)]), rng.choice(("string", "string", "integer")))


def offered(rng: Random, split: Split, *needed: Deed, most: int = 6) -> tuple[Tool, ...]:
    """The tools needed, and others beside them: strangers, and near ones that share a verb or a thing."""
    found = {one.tool.name: one.tool for one in needed}
    taken = {(one.verb, one.thing) for one in needed}
    for _ in range(rng.randrange(most + 1 - len(found))):
        near = rng.random()
        if needed and near < 0.2 and (one := rng.choice(needed)).verb:
            other = deed(rng, split, verb_=one.verb)
        elif needed and near < 0.4:
            other = deed(rng, split, thing=rng.choice(needed).thing, tells=False)
        elif split == "train" and near < 0.47:
            tool = rng.choice(world.TOOLS)
            found.setdefault(tool.name, tool)
            continue
        else:
            other = deed(rng, split)
        if (other.verb, other.thing) not in taken:
            found.setdefault(other.tool.name, other.tool)
    tools = list(found.values())
    rng.shuffle(tools)
    return tuple(tools)


def _fresh(rng: Random, split: Split, count: int, *, tells: bool | None = None) -> list[Deed]:
    """Tools of different names, verbs and things."""
    made: list[Deed] = []
    while len(made) < count:
        one = deed(rng, split, tells=tells)
        if all(one.tool.name != other.tool.name and one.thing != other.thing for other in made):
            made.append(one)
    return made


# Results, and what is said of them.


def _outcome(rng: Random, split: Split, one: Deed) -> tuple[Any, str]:
    """A result of the tool, and the answer that it makes: fields are told, a text is passed on, success is `Done.`"""
    kind = rng.random()
    if kind < 0.15:
        return {"error": (why := _trouble(rng, split))}, f"That did not work: {why}."
    if one.verb and kind < 0.5:
        return rng.choice(({"ok": True}, {"status": "ok"}, {"status": "done"}, {"success": True}, "ok", "done")), "Done."
    if kind < 0.6:
        text = f"The {noun(rng, split)} is {adjective(rng, split)}."
        return text, text
    keys = [_join(rng, [one.thing] if i == 0 and not one.verb else [noun(rng, split)]) for i in range(rng.choice((1, 1, 2, 2, 3)))]
    value = {key: rng.choice((text_value, lambda r, _: _digits(r)))(rng, split) for key in dict.fromkeys(keys)}
    said = " and ".join(f"the {spoken(key)} is {item}" for key, item in value.items())
    return value, f"{said[0].upper()}{said[1:]}."


def _trouble(rng: Random, split: Split) -> str:
    thing = noun(rng, split)
    return rng.choice((f"no such {thing}", f"the {thing} is {adjective(rng, split)}", "not found", "permission denied", f"{thing} not found", "the service is down"))


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
    (one,) = _fresh(rng, split, 1)
    arguments = one.arguments(rng, split)
    if one.verb and arguments and rng.random() < 0.08:
        return _bare(rng, split, one)
    kinds = {param.kind for param in one.tool.params if param.name in arguments}
    optional = any(not param.required for param in one.tool.params)
    skill = "open enum" if "enum" in kinds else "open optional" if optional else "open call"
    said = user(one.request(rng, split, arguments))
    return Conversation(skill, (said, calls(Call(one.tool.name, arguments))), persona(rng, split), offered(rng, split, one))


def _bare(rng: Random, split: Split, one: Deed) -> Conversation:
    """A verb and a value, where no other tool on offer has that verb: `Play Yesterday`."""
    key = _key(rng, split, one.thing)
    one = replace(one, tool=replace(one.tool, params=(key, *(param for param in one.tool.params if not param.required and param.name != key.name))))
    value = _value(rng, split, key)
    said = rng.choice((f"{one.verb} {value}", f"{one.verb} {value}.", f"please {one.verb} {value}", f"can you {one.verb} {value}?"))
    tools = [tool for tool in offered(rng, split, one) if tool == one.tool or one.verb not in f"{spoken(tool.name)} {tool.description.lower()}"]
    messages = (user(said[0].upper() + said[1:]), calls(Call(one.tool.name, {key.name: value})))
    return Conversation("open call", messages, persona(rng, split), tuple(tools))


def answer(rng: Random, split: Split) -> Conversation:
    """The answer to a result."""
    (one,) = _fresh(rng, split, 1)
    arguments = one.arguments(rng, split)
    got, said = _outcome(rng, split, one)
    messages = (user(one.request(rng, split, arguments)), calls(Call(one.tool.name, arguments)), result(got), says(said))
    return Conversation("open answer", messages, persona(rng, split), offered(rng, split, one, most=4))


def no_tool(rng: Random, split: Split) -> Conversation:
    """None of the tools on offer fits, or there is none: the model says so."""
    (one,) = _fresh(rng, split, 1)
    kind = rng.random()
    if kind < 0.55 or split == "eval":
        said = one.request(rng, split, one.arguments(rng, split))
        tools = tuple(
            tool for tool in offered(rng, split, *([deed(rng, split, verb_=one.verb)] if one.verb and rng.random() < 0.3 else []))
            if one.thing not in f"{spoken(tool.name)} {tool.description}"
        )  # fmt: skip
        if rng.random() < 0.4:
            # The right thing, but nothing on offer does that with it.
            other = deed(rng, split, thing=one.thing, tells=False)
            if other.verb != one.verb:
                tools = tuple(sorted((*tools[:5], other.tool), key=lambda _: rng.random()))
    elif kind < 0.8:
        made = world.act(rng, split)
        said = made.request
        tools = tuple(tool for tool in (*world.offer(rng), *offered(rng, split)) if tool.name != made.tool.name)[: rng.randrange(6)]
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
        key = _key(rng, split, entity)
        one = replace(made := deed(rng, split, tells=True), tool=replace(made.tool, params=(key,)), entity=entity)
        values = list(dict.fromkeys(_value(rng, split, key) for _ in range(count)))
        named = f"{one.called(rng, key)} " if rng.random() < 0.4 else ""
        listed = _listed([f"{named}{value}" for value in values])
        said = rng.choice((f"What is the {one.thing} of {listed}?", f"Get the {one.thing} of {listed}.", f"Show me the {one.thing} for {listed}.", f"Check the {one.thing} of {listed}."))
        made_calls = [Call(one.tool.name, {key.name: value}) for value in values]
        return Conversation("open parallel", (user(said), calls(*made_calls)), persona(rng, split), offered(rng, split, one, most=4))
    deeds = _fresh(rng, split, count)
    pairs = [(one, one.arguments(rng, split)) for one in deeds]
    requests = [one.request(rng, split, arguments) for one, arguments in pairs]
    said = " ".join(request if request.endswith((".", "?")) else f"{request}." for request in requests)
    if rng.random() < 0.25:
        heads = [request.rstrip(".?").removesuffix(" please") for request in requests]
        said = _listed([heads[0], *(head[0].lower() + head[1:] for head in heads[1:])]) + "."
    messages = [user(said), calls(*(Call(one.tool.name, arguments) for one, arguments in pairs))]
    if split == "train" and rng.random() < 0.3:
        outcomes = [_outcome(rng, split, one) for one in deeds]
        messages += [*(result(got) for got, _ in outcomes), says(" ".join(words for _, words in outcomes))]
    return Conversation("open parallel", tuple(messages), persona(rng, split), offered(rng, split, *deeds, most=5))


def turns(rng: Random, split: Split) -> Conversation:
    """Several exchanges; the last one is a call, of another tool or of the same one with something changed."""
    deeds = _fresh(rng, split, 2, tells=None)
    tools = offered(rng, split, *deeds, most=4)
    messages: list[Message] = []
    last: tuple[Deed, dict[str, Any]] | None = None
    count = rng.choice((2, 2, 2, 2, 3, 3, 3, 4, 6)) if split == "train" else rng.choice((2, 2, 3))
    for turn in range(count):
        key = None
        if last is not None and not last[0].verb:
            key = next((param for param in last[0].tool.params[:1] if param.kind in {"string", "integer"} and param.required), None)
        if last is not None and key is not None and rng.random() < 0.6:
            one, before = last
            value = _value(rng, split, key)
            arguments = {**before, key.name: value}
            said = rng.choice((f"And {value}?", f"What about {value}?", f"And for {value}?", f"The same for {value}.", f"Now {value}."))
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
        (one,) = _fresh(rng, split, 1)
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
        tool = _join(rng, [made_up(rng, split), noun(rng, split)])
        names = _listed([each.name for each in tools])
        why = rng.choice((f"there is no tool {tool}; the tools are {names}", f"unknown tool {tool}"))
    elif kind < 0.35:
        del wrong[name]
        why = rng.choice((f"{name} is required", f"missing argument {name}", f"at /{name}: Field required"))
    elif param.kind == "string":
        right[name] = text_value(rng, split)
        why = rng.choice((f"unknown {spoken(name)} {value}. Did you mean {right[name]}?", f"{value} not found, did you mean {right[name]}?", f"no {name} {value}; use {right[name]}"))
    elif param.kind in {"integer", "number"} and kind < 0.6:
        right[name] = _digits(rng)
        low = rng.random() < 0.5
        why = rng.choice((f"{name} must be at {'least' if low else 'most'} {right[name]}", f"{name} is too {'small' if low else 'large'}, the {'minimum' if low else 'maximum'} is {right[name]}"))
    elif param.kind == "enum":
        wrong[name] = rng.choice((noun, adjective))(rng, split)
        why = rng.choice((f"{name} must be one of {', '.join(param.choices)}", f"at /{name}: Input should be {_listed(param.choices)}", f"{wrong[name]} is not a {spoken(name)}"))
    else:
        wrong[name] = str(value) if not isinstance(value, list) else _listed(value)
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
    deeds = _fresh(rng, split, rng.choice((2, 2, 3)))
    requests = [one.request(rng, split, one.arguments(rng, split)) for one in deeds]
    said = " ".join(request if request.endswith((".", "?")) else f"{request}." for request in requests)
    steps = {"steps": [one.tool.name for one in deeds]}
    system = "Plan the tools to use. Answer in JSON."
    return Conversation("open plan", (user(said), answers(steps)), system, offered(rng, split, *deeds))


