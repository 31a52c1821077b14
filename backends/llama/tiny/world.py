"""The closed world of twelve tools, with the phrases that demos, notebooks and tests speak.

Each tool has its wordings, the results it can give and the sentence that is said of one. The first model that came with
the package knew this world and no other; what it could do, its successors must do, on the same phrases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from graphrt.backends.llama.tiny.conversation import (
    Call,
    Conversation,
    Message,
    Param,
    Tool,
    answers,
    calls,
    result,
    says,
    user,
)
from graphrt.backends.llama.tiny.words import CITIES, DAYS, FIRST, LANGUAGES, UNITS, Random, Split, made_up, proper

HELPFUL = "You are a helpful assistant."
NO_TOOL = "I have no tool for that."


@dataclass(frozen=True, slots=True)
class Act:
    """One request in the closed world: what is said, the call that it means, a result of it, and the answer then."""

    request: str
    tool: Tool
    arguments: dict[str, Any]
    result: dict[str, Any]
    answer: str

    @property
    def call(self) -> Call:
        """The call that the request means."""
        return Call(self.tool.name, self.arguments)


def _tool(name: str, description: str, **kinds: Any) -> Tool:
    return Tool(name, tuple(Param(param, kind) for param, kind in kinds.items()), description)


GET_WEATHER = _tool("get_weather", "Get the weather in a city.", city="string")
ADD = _tool("add", "Add two numbers.", a="integer", b="integer")
MULTIPLY = _tool("multiply", "Multiply two numbers.", a="integer", b="integer")
CONVERT = _tool(
    "convert_units", "Convert a value to another unit.", value="integer", from_unit="string", to_unit="string"
)
GET_TIME = _tool("get_time", "Get the local time in a city.", city="string")
SEARCH = _tool("search_docs", "Search the documentation.", query="string")
EMAIL = _tool("send_email", "Send an email.", to="string", subject="string")
LOOKUP = _tool("lookup_order", "Look up the status of an order.", order_id="integer")
TIMER = _tool("set_timer", "Set a timer.", minutes="integer")
TRANSLATE = _tool("translate", "Translate a text.", text="string", language="string")
POPULATION = _tool("get_population", "Get the population of a city.", city="string")
EVENT = _tool("create_event", "Create an event in the calendar.", title="string", day="string")

SKIES = ("sunny", "cloudy", "rainy", "snowy", "windy", "foggy")
STATUSES = (
    "shipped",
    "pending",
    "cancelled",
    "delivered",
    "refunded",
    "delayed",
    "lost",
    "returned",
    "packed",
    "unknown",
)
TOPICS = (
    "the refund policy", "error codes", "pricing plans", "api limits", "webhooks", "data export", "user roles",
    "team billing", "the mobile app", "password reset", "late delivery", "two factor login",
)  # fmt: skip


def _proper(rng: Random, split: Split, known: dict[Split, tuple[str, ...]]) -> str:
    """A name. What is scored is made of the first model's syllables, so that both can be."""
    if split == "eval":
        return made_up(rng, split, plain=True).capitalize()
    return proper(rng, split, known, plain=rng.random() < 0.7)


def _city(rng: Random, split: Split) -> str:
    return _proper(rng, split, CITIES)


def _name(rng: Random, split: Split) -> str:
    return _proper(rng, split, FIRST)


def _phrase(rng: Random, split: Split, known: tuple[str, ...], *more: str) -> str:
    """A wording: one that the first model knew, or in training one of `more`."""
    return rng.choice(known if split == "eval" else (*known, *more))


def _topic(rng: Random, split: Split) -> str:
    if rng.random() < 0.4:
        return rng.choice(TOPICS)
    return " ".join(made_up(rng, split, plain=True) for _ in range(rng.choice((1, 2, 2)) if split == "train" else 2))


def _number(rng: Random) -> int:
    return rng.randrange(10 ** rng.choice((1, 2, 2, 3)))


def _weather(rng: Random, split: Split) -> Act:
    city, sky, temp = _city(rng, split), rng.choice(SKIES), rng.randrange(-20, 41)
    said = _phrase(
        rng,
        split,
        (
            f"What is the weather in {city}?", f"How is the weather in {city} today?", f"Is it raining in {city}?",
            f"Do I need an umbrella in {city}?", f"Tell me the weather for {city}.", f"weather {city}",
        ),
        f"What is the weather like in {city}?",
        f"Weather in {city}?",
    )  # fmt: skip
    return Act(said, GET_WEATHER, {"city": city}, {"sky": sky, "temp_c": temp}, f"It is {sky} in {city}, {temp} C.")


def _add(rng: Random, split: Split) -> Act:
    a, b = _number(rng), _number(rng)
    known = (f"What is {a} plus {b}?", f"How much is {a} + {b}?", f"Add {a} and {b}.", f"Sum of {a} and {b}?")
    said = _phrase(rng, split, known, f"{a} + {b}", f"What is {a} + {b}?")
    return Act(said, ADD, {"a": a, "b": b}, {"result": a + b}, f"{a} + {b} = {a + b}.")


def _multiply(rng: Random, split: Split) -> Act:
    a, b = _number(rng), _number(rng)
    known = (f"What is {a} times {b}?", f"Multiply {a} by {b}.", f"Product of {a} and {b}?", f"{a} * {b}")
    said = _phrase(rng, split, known, f"How much is {a} * {b}?", f"What is {a} * {b}?")
    return Act(said, MULTIPLY, {"a": a, "b": b}, {"result": a * b}, f"{a} * {b} = {a * b}.")


def _convert(rng: Random, _: Split) -> Act:
    (one, other), value, got = rng.sample(UNITS, 2), _number(rng), _number(rng)
    said = rng.choice((
        f"Convert {value} {one} to {other}.", f"How many {other} are {value} {one}?", f"{value} {one} in {other}?",
    ))  # fmt: skip
    arguments = {"value": value, "from_unit": one, "to_unit": other}
    return Act(said, CONVERT, arguments, {"result": got}, f"{value} {one} is {got} {other}.")


def _time(rng: Random, split: Split) -> Act:
    city, now = _city(rng, split), f"{rng.randrange(24):02}:{rng.randrange(60):02}"
    known = (f"What time is it in {city}?", f"Local time in {city}?", f"Tell me the time in {city}.")
    said = _phrase(rng, split, known, f"What is the time in {city}?")
    return Act(said, GET_TIME, {"city": city}, {"time": now}, f"It is {now} in {city}.")


def _search(rng: Random, split: Split) -> Act:
    topic = _topic(rng, split)
    page: Any = rng.randrange(1, 400) if split == "train" and rng.random() < 0.4 else made_up(rng, split, plain=True)
    said = rng.choice((
        f"Search the docs for {topic}.", f"Find documentation about {topic}.", f"Look up {topic} in the docs.",
        f"Where can I read about {topic}?",
    ))  # fmt: skip
    return Act(said, SEARCH, {"query": topic}, {"page": page}, f"See page {page} about {topic}.")


def _email(rng: Random, split: Split) -> Act:
    to, subject = _name(rng, split), _topic(rng, split)
    said = rng.choice((
        f"Send an email to {to} about {subject}.", f"Email {to} about {subject}.", f"Write to {to} about {subject}.",
    ))  # fmt: skip
    return Act(said, EMAIL, {"to": to, "subject": subject}, {"status": "sent"}, f"I sent the email to {to}.")


def _order(rng: Random, split: Split) -> Act:
    number = rng.randrange(10000, 100000)
    status = (
        made_up(rng, split)
        if split == "train" and rng.random() < 0.2
        else _phrase(rng, split, STATUSES[:4], *STATUSES[4:])
    )
    known = (
        f"Where is my order {number}?", f"Status of order {number}?", f"Look up order {number}.",
        f"Check order {number} please.",
    )  # fmt: skip
    said = _phrase(rng, split, known, f"What is the status of order {number}?")
    return Act(said, LOOKUP, {"order_id": number}, {"status": status}, f"Order {number} is {status}.")


def _timer(rng: Random, _: Split) -> Act:
    minutes = rng.randrange(1, 100)
    said = rng.choice((
        f"Set a timer for {minutes} minutes.", f"Start a {minutes} minute timer.", f"Remind me in {minutes} minutes.",
    ))  # fmt: skip
    return Act(said, TIMER, {"minutes": minutes}, {"ok": True}, f"Timer set for {minutes} minutes.")


def _translate(rng: Random, split: Split) -> Act:
    word, other, language = (
        made_up(rng, split, plain=True),
        made_up(rng, split, plain=True),
        _phrase(rng, split, LANGUAGES[:6], *LANGUAGES[6:]),
    )
    said = rng.choice((
        f"Translate {word} to {language}.", f"How do you say {word} in {language}?", f"What is {word} in {language}?",
    ))  # fmt: skip
    arguments = {"text": word, "language": language}
    return Act(said, TRANSLATE, arguments, {"translation": other}, f"In {language}, {word} is {other}.")


def _population(rng: Random, split: Split) -> Act:
    city, people = _city(rng, split), rng.randrange(1, 9999) * 1000
    said = rng.choice((
        f"What is the population of {city}?", f"How many people live in {city}?", f"Population of {city}?",
    ))  # fmt: skip
    return Act(said, POPULATION, {"city": city}, {"population": people}, f"{city} has {people} people.")


def _event(rng: Random, split: Split) -> Act:
    title, day = _topic(rng, split), rng.choice(DAYS)
    said = rng.choice((
        f"Schedule a meeting about {title} on {day}.", f"Create an event about {title} on {day}.",
        f"Put {title} on my calendar for {day}.",
    ))  # fmt: skip
    return Act(said, EVENT, {"title": title, "day": day}, {"ok": True}, f"I added {title} on {day}.")


MAKERS: tuple[Callable[[Random, Split], Act], ...] = (
    _weather, _add, _multiply, _convert, _time, _search, _email, _order, _timer, _translate, _population, _event,
)  # fmt: skip
TOOLS = (GET_WEATHER, ADD, MULTIPLY, CONVERT, GET_TIME, SEARCH, EMAIL, LOOKUP, TIMER, TRANSLATE, POPULATION, EVENT)


def act(rng: Random, split: Split) -> Act:
    """One request, of any of the twelve tools."""
    return rng.choice(MAKERS)(rng, split)


def offer(rng: Random, *needed: Tool, most: int = 4) -> tuple[Tool, ...]:
    """The tools needed and others beside them, in any order; half of the offers describe none of them."""
    chosen = list(dict.fromkeys(needed))
    others = [tool for tool in TOOLS if tool not in chosen]
    chosen += rng.sample(others, rng.randrange(max(1, most + 1 - len(chosen))))
    rng.shuffle(chosen)
    bare = rng.random() < 0.5
    return tuple(Tool(tool.name, tool.params) if bare else tool for tool in chosen)


def helpful(rng: Random) -> str:
    """What the system says where there is nothing to say."""
    return rng.choice(("", "", HELPFUL))


def exchange(made: Act) -> list[Message]:
    """A request, its call, the result and the answer."""
    return [user(made.request), calls(made.call), result(made.result), says(made.answer)]


def call(rng: Random, split: Split) -> Conversation:
    """A request becomes a call."""
    made = act(rng, split)
    tools = offer(rng, made.tool)
    if split == "train" and rng.random() < 0.15:
        unit = Param(rng.choice(("unit", "format", "style", "level")), "enum", ("short", "long"), required=False)
        tools = tuple(replace(tool, params=(*tool.params, unit)) for tool in tools)
    return Conversation("call", (user(made.request), calls(made.call)), helpful(rng), tools)


def answer(rng: Random, split: Split) -> Conversation:
    """A result becomes an answer."""
    made = act(rng, split)
    return Conversation("answer", tuple(exchange(made)), helpful(rng), offer(rng, made.tool))


def _several(rng: Random, split: Split, count: int) -> tuple[str, list[Act]]:
    """Requests made at once: of several tools, or of one tool for several places."""
    if rng.random() < (0.4 if split == "train" else 0.1):
        make = rng.choice((_weather, _time, _population)) if split == "train" else _weather
        made = [make(rng, split) for _ in range(count)]
        cities = [one.arguments["city"] for one in made]
        listed = _phrase(
            rng,
            split,
            (" and ".join(f"in {city}" for city in cities),),
            ", ".join(cities[:-1]) + f" and {cities[-1]}",
        )
        spoken = listed if listed.startswith("in ") else f"in {listed}"
        said = {
            "get_weather": (f"What is the weather {spoken}?", f"How is the weather {spoken}?"),
            "get_time": (f"What time is it {spoken}?", f"Tell me the time {spoken}."),
            "get_population": (f"How many people live {spoken}?",),
        }[made[0].tool.name]
        return _phrase(rng, split, said[:1], *said[1:]), made
    made = [make(rng, split) for make in rng.sample(MAKERS, count)]
    return " ".join(one.request for one in made), made


def parallel(rng: Random, split: Split) -> Conversation:
    """Several calls in one turn, and sometimes the answer to all of their results."""
    said, made = _several(rng, split, rng.choice((2, 2, 3)) if split == "train" else 2)
    messages = [user(said), calls(*(one.call for one in made))]
    if rng.random() < 0.4 and split == "train":
        messages += [*(result(one.result) for one in made), says(" ".join(one.answer for one in made))]
    return Conversation("parallel", tuple(messages), helpful(rng), offer(rng, *(one.tool for one in made)))


def plan(rng: Random, split: Split) -> Conversation:
    """The tools that a message asks for, in its order."""
    made = [make(rng, split) for make in rng.sample(MAKERS, rng.choice((2, 2, 3)))]
    steps = {"steps": [one.tool.name for one in made]}
    said = " ".join(one.request for one in made)
    return Conversation("plan", (user(said), answers(steps)), "Plan the tools to use. Answer in JSON.")


# Routing.

ROUTE = "Route the request to billing, technical, sales or other. Answer in JSON."
ROUTES = {
    "billing": (
        "I was charged twice", "the invoice is wrong", "refund my payment", "cancel my subscription",
        "my card was charged twice", "my card was charged two times", "I need a refund", "my payment failed",
        "I did not get my invoice", "the bill is too high", "change my credit card", "you charged me too much",
        "I want my money back", "send me the invoice", "my refund has not arrived",
    ),
    "technical": (
        "the app crashes", "the page does not load", "I get an error on login", "the api returns 500",
        "my sync is broken", "the login does not work", "my screen is black", "the app crashes on start",
        "the app is slow", "the app does not start", "I cannot log in", "the website is down", "the export fails",
        "I get an error", "the button does not work", "the upload is stuck", "the server does not answer",
        "my data is gone",
    ),
    "sales": (
        "I want a demo", "can we get a discount", "I want to buy ten seats", "do you offer team pricing",
        "what does it cost", "I want to upgrade", "how much is the team plan", "can I get a quote",
        "we need more seats", "is there a free trial", "I want to buy a licence", "what are your prices",
        "can I talk to sales", "do you have a student discount",
    ),
    "other": (
        "tell me a joke", "happy birthday", "who founded the company", "what is your favorite color",
        "are you hiring", "tell me a story", "how are you", "what is the meaning of life", "where is your office",
        "do you like music", "what a nice day", "who won the game", "sing me a song", "I like cats",
    ),
}  # fmt: skip
_GREETED = (
    "{}",
    "{}.",
    "Hi, {}",
    "Hello, {}",
    "Please help: {}",
    "{}, my name is {name}",
    "Hi, {}.",
    "{}!",
    "{}?",
    "Hi, {}, please help",
)
_SEEN_ROUTES = {"billing": 4, "technical": 5, "sales": 4, "other": 5}


def route(rng: Random, split: Split) -> Conversation:
    """One of the four departments. Scored on the phrases that the first model knew, with new names."""
    where = rng.choice(tuple(ROUTES))
    phrases = ROUTES[where] if split == "train" else ROUTES[where][: _SEEN_ROUTES[where]]
    said = rng.choice(phrases)
    known = split == "eval"
    form = rng.choice((*_GREETED[:3], *_GREETED[4:6]) if known else _GREETED)
    words = form.format(said, name=_name(rng, split))
    if not known and rng.random() < 0.2:
        words = words[0].upper() + words[1:]
    return Conversation("route", (user(words), answers({"route": where})), ROUTE)


# Extraction.

EXTRACT = "Extract name, age and city. Answer in JSON."


def extract(rng: Random, split: Split) -> Conversation:
    """A name, an age and a city out of a sentence."""
    name, age, city = _name(rng, split), rng.randrange(10, 80), _city(rng, split)
    said = rng.choice((
        f"{name} is {age} years old and lives in {city}.", f"My name is {name}, I am {age}, from {city}.",
        f"{name} ({age}) moved to {city}.",
    ))  # fmt: skip
    return Conversation("extract", (user(said), answers({"name": name, "age": age, "city": city})), EXTRACT)


# Checking.

CHECK = "Check that the answer matches the fact. Answer in JSON."


def check(rng: Random, split: Split) -> Conversation:
    """Whether an answer is the fact: the same made-up word, or one that differs in a syllable or altogether."""
    fact = made_up(rng, split, plain=True)
    said = fact
    approve = rng.random() < 0.5
    while not approve and said == fact:
        said = made_up(rng, split, plain=True)
        if rng.random() < 0.4:
            said = fact[: rng.randrange(2, len(fact))] + said[-3:]
    return Conversation("check", (user(f"Fact: {fact}. Answer: {said}."), answers({"approve": approve})), CHECK)


# Short chat.

CHAT = {
    "Hello": "Hello! How can I help you?", "Hi": "Hello! How can I help you?", "Hi there": "Hello! How can I help you?",
    "Hey": "Hello! How can I help you?", "Good morning": "Good morning! How can I help you?",
    "Good evening": "Good evening! How can I help you?",
    "Thanks": "You are welcome.", "Thank you": "You are welcome.", "Thanks a lot": "You are welcome.",
    "Who are you?": "I am a tiny demo model.", "What are you?": "I am a tiny demo model.",
    "Bye": "Goodbye!", "Goodbye": "Goodbye!",
}  # fmt: skip
CHAT_FIRST = ("Hello", "Hi there", "Thanks", "Thank you", "Who are you?", "Good morning", "Bye")


def chat(rng: Random, split: Split) -> Conversation:
    """A greeting and the like, with tools on offer or none."""
    said = rng.choice(CHAT_FIRST if split == "eval" else tuple(CHAT))
    reply = CHAT[said]
    if split == "train" and rng.random() < 0.3:
        said = (
            rng.choice((said.rstrip("?") + "!", said + ".", said.lower())) if not said.endswith("?") else said.lower()
        )
    tools = offer(rng) if rng.random() < 0.5 else ()
    return Conversation("chat", (user(said), says(reply)), helpful(rng), tools)
