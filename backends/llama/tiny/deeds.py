"""Tools that nobody has seen before, made up one by one, and the requests that mean them.

A model that has met a million tools, each for once, can only do one thing: read what is on offer and copy. So names,
parameters, descriptions and values are all drawn anew, and a request points to its tool by the words of the tool's name
or of its description. What is scored (`eval`) uses words that training never has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphrt.backends.llama.tiny import world
from graphrt.backends.llama.tiny.conversation import Kind, Param, Tool
from graphrt.backends.llama.tiny.values import LOOKS, digits, text_value
from graphrt.backends.llama.tiny.words import Random, Split, a, adjective, made_up, noun, third, verb


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


def spoken(name: str) -> str:
    """The words of a name: `order_id` and `orderId` are `order id`."""
    return "".join(f" {c.lower()}" if c.isupper() else " " if c in "_-" else c for c in name).strip()


def joined(rng: Random, words: Sequence[str]) -> str:
    """A name out of words, mostly `like_this`."""
    parts = " ".join(words).split()
    style = rng.random()
    if style < 0.8:
        return "_".join(parts)
    if style < 0.95:
        return parts[0] + "".join(part.capitalize() for part in parts[1:])
    return "-".join(parts)


def choices(rng: Random, split: Split) -> tuple[str, ...]:
    """Two to five words for an enum."""
    draw = rng.choice((adjective, noun))
    found = list(dict.fromkeys(draw(rng, split) for _ in range(rng.randrange(2, 6))))
    return tuple(found) if len(found) > 1 else (*found, made_up(rng, split))


def value_of(rng: Random, split: Split, param: Param) -> Any:
    """A value for a parameter."""
    if split == "train" and param.name in NATURAL and param.kind == NATURAL[param.name].kind and rng.random() < 0.9:
        return LOOKS[NATURAL[param.name].looks](rng, split)
    if param.kind == "string":
        return text_value(rng, split)
    if param.kind == "integer":
        return digits(rng)
    if param.kind == "number":
        return float(f"{digits(rng, 3)}.{rng.randrange(1, 10)}")
    if param.kind == "boolean":
        return rng.random() < 0.5
    if param.kind == "enum":
        return rng.choice(param.choices)
    return [made_up(rng, split) for _ in range(rng.randrange(1, 4))]


def parameter(rng: Random, split: Split, *, required: bool = True) -> Param:
    """A parameter: an English one that is said as English says it, or one of any name and kind."""
    if split == "train" and rng.random() < 0.35:
        name = rng.choice(tuple(NATURAL))
        return Param(name, NATURAL[name].kind, required=required)
    words = [noun(rng, split)]
    if rng.random() < 0.3:
        words.insert(0, rng.choice((adjective, noun))(rng, split))
    kind = rng.choice(
        ("string", "string", "string", "integer", "integer", "number", "boolean", "enum", "enum", "array")
    )
    if kind == "integer" and rng.random() < 0.5:
        words.append(rng.choice(("id", "number", "count")))
    allowed = choices(rng, split) if kind == "enum" else ()
    return Param(joined(rng, words), kind, allowed, required)  # type: ignore[arg-type]


def listed(items: Sequence[str]) -> str:
    """Write `a, b and c`."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + f" and {items[-1]}"


def told(rng: Random, split: Split, param: Param, value: Any) -> str:
    """How a request says that `param` is `value`."""
    name = spoken(param.name)
    if param.kind == "boolean":
        yes = (f"with {name}", f"{name} on", f"with {name} on", f"{name}: yes", f"{name} true")
        no = (f"without {name}", f"{name} off", f"with {name} off", f"{name}: no", f"{name} false")
        return rng.choice(yes if value else no)
    shown = listed(value) if isinstance(value, list) else str(value)
    if param.kind == "string" and rng.random() < 0.12:
        shown = f'"{shown}"'
    if split == "train" and param.name in NATURAL and rng.random() < 0.8:
        return rng.choice(NATURAL[param.name].ways).format(shown)
    ways = [
        f"with {name} {shown}",
        f"{name} {shown}",
        f"using {name} {shown}",
        f"{name}: {shown}",
        f"{name} = {shown}",
        f"with the {name} {shown}",
        f"with {name} set to {shown}",
    ]
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
            param.name: value_of(rng, split, param)
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
            base = (
                f"{self.verb} {rng.choice((f'the {thing}', a(thing), f'the {thing}', f'my {thing}', f'this {thing}'))}"
            )
            if key is not None and rng.random() < 0.25:
                given.remove(key)
                base = f"{self.verb} {rng.choice(('', '', 'the ', 'my '))}{thing} {arguments[key.name]}"
        else:
            asking = rng.choice((
                "get", "show me", "find", "tell me", "check", "give me", "look up", "I need", "I want to know",
                "I would like to see", "can you tell me", "could you look up", "do you know",
            ))  # fmt: skip
            base = (
                f"{asking} the {thing}"
                if rng.random() < 0.5
                else f"{rng.choice(('what is', 'what is', 'what are', 'how is'))} the {thing}"
            )
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
        said = [told(rng, split, param, arguments[param.name]) for param in given]
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
    """Make a tool up. `verb_` and `thing` are words that it has to have; `tells` is whether it only tells something."""
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
    optional = [parameter(rng, split, required=False) for _ in range(rng.choice((0, 0, 0, 1, 1, 2)))]
    if tells:
        entity = noun(rng, split) if rng.random() < 0.6 else ""
        params = [] if rng.random() < 0.12 else [key_of(rng, split, entity)]
        head = rng.choice(("get", "get", "find", "lookup", "check", "fetch", "read", "show", ""))
        name = joined(
            rng, [head, thing] if head or rng.random() < 0.5 else [thing, rng.choice(("lookup", "info", "finder"))]
        )
        of = f" of {a(entity)}" if entity else ""
        about = rng.choice(
            (
                f"Get the {thing}{of}.",
                f"Returns the {thing}{of}.",
                f"Look up the {thing}{of}.",
                f"The {thing}{of}.",
                f"Tells the {thing}{of}.",
            )
        )
        doing = ""
    else:
        entity, doing = "", verb_ or verb(rng, split)
        params = [parameter(rng, split) for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3)))]
        name = joined(rng, [doing, thing] if rng.random() < 0.9 else [thing, doing])
        one = a(thing)
        about = rng.choice(
            (
                f"{doing.capitalize()} {one}.",
                f"{third(doing).capitalize()} the {thing}.",
                f"{third(doing).capitalize()} {one}.",
                f"Use this to {doing} {one}.",
            )
        )
    described = rng.random()
    if described < 0.15:
        name = joined(rng, [made_up(rng, split)] + ([made_up(rng, split)] if rng.random() < 0.3 else []))
    elif described < 0.2:
        name = joined(rng, [doing or thing])
    elif described < 0.5:
        about = ""
    unique = {param.name: param for param in [*params, *optional]}
    return Deed(Tool(name, tuple(unique.values()), about), doing, thing, entity)


def key_of(rng: Random, split: Split, entity: str) -> Param:
    """What a tool that tells something is asked with."""
    if entity and rng.random() < 0.6:
        name, kind = rng.choice(
            (
                (entity, "string"),
                (f"{entity} name", "string"),
                (f"{entity} id", "integer"),
                (f"{entity} number", "integer"),
            )
        )
        return Param(joined(rng, [name]), kind)  # type: ignore[arg-type]
    if split == "train" and rng.random() < 0.6:
        name = rng.choice(_KEYS)
        return Param(name, "integer" if name == "id" and rng.random() < 0.5 else "string")
    return Param(joined(rng, [noun(rng, split)]), rng.choice(("string", "string", "integer")))


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


def several(rng: Random, split: Split, count: int, *, tells: bool | None = None) -> list[Deed]:
    """Tools of different names, verbs and things."""
    made: list[Deed] = []
    while len(made) < count:
        one = deed(rng, split, tells=tells)
        if all(one.tool.name != other.tool.name and one.thing != other.thing for other in made):
            made.append(one)
    return made
