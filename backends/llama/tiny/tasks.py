"""Answers in JSON to a form that the prompt gives: any fields, any labels, any statement.

The same skills as in `world`, without its closed lists: the field names, the labels and their meaning stand in the
prompt and are drawn anew each time.
"""

from __future__ import annotations

import json
from typing import Any

from graphrt.backends.llama.tiny.conversation import Conversation, answers, says, user
from graphrt.backends.llama.tiny.values import text_value
from graphrt.backends.llama.tiny.words import CITIES, FIRST, Random, Split, adjective, made_up, noun, proper, verb
from graphrt.backends.llama.tiny.world import CHECK, STATUSES


def _and(items: list[str], last: str = "and") -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + f" {last} {items[-1]}"


def _field(rng: Random, split: Split) -> str:
    name = noun(rng, split)
    if rng.random() < 0.25:
        name = f"{rng.choice((adjective, noun))(rng, split)}_{name}"
    return name


def _plain_value(rng: Random, split: Split) -> Any:
    kind = rng.random()
    if kind < 0.4:
        return rng.randrange(10 ** rng.randrange(1, 6))
    return text_value(rng, split) if kind < 0.75 else rng.choice((noun, adjective))(rng, split)


def extract(rng: Random, split: Split) -> Conversation:
    """Fields that the prompt names, out of a text that says them in any order; one that it does not say is null."""
    fields = list(dict.fromkeys(_field(rng, split) for _ in range(rng.choice((1, 2, 2, 3, 3, 4)))))
    if split == "train" and rng.random() < 0.2:
        fields = list(
            dict.fromkeys(
                rng.choice(("name", "age", "city", "email", "date", "price", "title", "company", "country", "phone"))
                for _ in range(3)
            )
        )
    known: dict[str, Any] = {field: _plain_value(rng, split) for field in fields}
    if len(fields) > 1 and rng.random() < 0.15:
        known[rng.choice(fields)] = None
    told = [(field.replace("_", " "), value) for field, value in known.items() if value is not None]
    if rng.random() < 0.5:
        told.append((noun(rng, split), _plain_value(rng, split)))
    rng.shuffle(told)
    form = rng.randrange(5)
    if form == 0:
        text = " ".join(f"The {field} is {value}." for field, value in told)
    elif form == 1:
        text = "The " + _and([f"{field} is {value}" for field, value in told]) + "."
    elif form == 2:
        text = rng.choice((", ", "; ", "\n")).join(f"{field}: {value}" for field, value in told)
    elif form == 3:
        subject = proper(rng, split, FIRST)
        text = f"{subject} has " + _and([f"{field} {value}" for field, value in told]) + "."
    else:
        text = f"{noun(rng, split).capitalize()} with " + _and([f"{field} {value}" for field, value in told]) + "."
    said = user(text)
    if rng.random() < 0.5:
        return Conversation("open extract", (said, answers(known)), f"Extract {_and(fields)}. Answer in JSON.")
    kinds = {field: {"type": "integer" if isinstance(value, int) else "string"} for field, value in known.items()}
    schema = json.dumps({"type": "object", "properties": kinds, "required": fields})
    typed = _and([f"{field} ({kind['type']})" for field, kind in kinds.items()])
    asks = rng.choice((
        "Extract the data. Answer in JSON.",
        f"Extract {typed}. Answer in JSON.",
        f"Answer in JSON. Schema: {schema}",
        "",
    ))  # fmt: skip
    if asks.startswith("Extract the data") or not asks:
        words = (
            f"Answer with a JSON object only, and nothing before or after it. It satisfies this JSON Schema:\n{schema}"
        )
        said = user(f"{text}\n\n{words}")
    return Conversation("open extract", (said, answers(known)), asks)


def label(rng: Random, split: Split) -> Conversation:
    """One of the labels in the prompt: the request has the label's word, or a word that the prompt says of it."""
    count = rng.randrange(2, 6)
    labels = list(dict.fromkeys(rng.choice((noun, noun, verb, adjective))(rng, split) for _ in range(count)))
    told = rng.random() < 0.5
    about = {one: list(dict.fromkeys((noun(rng, split), noun(rng, split)))) for one in labels}
    other = rng.random() < 0.5 and "other" not in labels
    where = rng.choice(labels)
    word = rng.choice(about[where]) if told else where
    if other:
        labels.append("other")
        if rng.random() < 0.25:
            where, word = "other", noun(rng, split)
            if word in labels or any(word in words for words in about.values()):
                return label(rng, split)
    if told and sum(word in words for words in about.values()) > 1:
        return label(rng, split)
    key = rng.choice(("route", "route", "label", "category", "topic", "queue"))
    named = [f"{one} ({_and(about[one])})" if told and one in about else one for one in labels]
    head = (
        rng.choice(("Route the request to", "Route the message to"))
        if key == "route"
        else f"Choose the {key} of the message:"
    )
    system = f"{head} {_and(named, 'or')}. Answer in JSON."
    said = rng.choice((
        f"I have a question about the {word}", f"my {word} is {adjective(rng, split)}", f"the {word} does not work",
        f"{word} please", f"I want to {word}", f"can you help me with {word}", f"where is the {word}",
        f"I need a new {word}", f"this is about {word}", f"{word} {noun(rng, split)}",
        f"is the {word} {adjective(rng, split)}",
        f"we lost the {word} in {proper(rng, split, CITIES)}", f"{proper(rng, split, FIRST)} needs a {word}",
    ))  # fmt: skip
    said = rng.choice(("{}", "{}.", "Hi, {}", "Please help: {}", "{}, my name is {name}", "{}?", "Hello, {}!")).format(
        said, name=proper(rng, split, FIRST)
    )
    return Conversation("labels", (user(said), answers({key: where})), system)


def _statement(rng: Random, split: Split) -> tuple[str, str]:
    """A sentence up to its last word, and that word."""
    kind = rng.randrange(6)
    if kind == 0:
        return f"Order {rng.randrange(10000, 100000)} is", rng.choice(STATUSES)
    if kind == 1:
        return f"{proper(rng, split, FIRST)} lives in", proper(rng, split, CITIES)
    if kind == 2:
        return f"The {noun(rng, split)} is", adjective(rng, split)
    if kind == 3:
        return f"The {noun(rng, split)} costs", str(rng.randrange(10 ** rng.randrange(1, 6)))
    if kind == 4:
        return f"{proper(rng, split, FIRST)} has a", noun(rng, split)
    return f"The {noun(rng, split)} of {proper(rng, split, CITIES)} is", text_value(rng, split)


def _other(rng: Random, split: Split, sentence: str, last: str) -> str:
    """The sentence with something changed: its last word or number, or one before."""
    if rng.random() < 0.35:
        words = sentence.split()
        at = rng.randrange(len(words))
        if words[at].isdigit():
            digits = list(words[at])
            where = rng.randrange(len(digits))
            digits[where] = rng.choice([digit for digit in "123456789" if digit != digits[where]])
            words[at] = "".join(digits)
            return f"{' '.join(words)} {last}"
        if words[at][0].isupper() and words[at] not in {"The", "Order"}:
            words[at] = proper(rng, split, FIRST)
            return f"{' '.join(words)} {last}"
    if last in STATUSES:
        other = rng.choice([status for status in STATUSES if status != last])
    elif last.isdigit():
        other = str(rng.randrange(10 ** len(last)))
    else:
        other = rng.choice((noun, adjective))(rng, split)
        other = other.capitalize() if last[0].isupper() else other
    return f"{sentence} {other}"


def check(rng: Random, split: Split) -> Conversation:
    """Whether a sentence is what the fact says, or what one of several facts says."""
    sentence, last = _statement(rng, split)
    fact = f"{sentence} {last}"
    approve = rng.random() < 0.5
    said = fact if approve else _other(rng, split, sentence, last)
    if not approve and said == fact:
        return check(rng, split)
    if rng.random() < 0.5:
        dot = rng.choice((".", "."))
        words = f"Fact: {fact}. Answer: {said}{dot}"
        return Conversation("yes or no", (user(words), answers({"approve": approve})), CHECK)
    facts = [fact, *(" ".join(_statement(rng, split)) for _ in range(rng.randrange(1, 3)))]
    rng.shuffle(facts)
    words = "Facts: " + " ".join(f"{one}." for one in facts) + f" Statement: {said}."
    if rng.random() < 0.5:
        system = "Check that the statement is one of the facts. Answer in JSON."
        return Conversation("yes or no", (user(words), answers({"approve": approve})), system)
    system = "Is the statement one of the facts? Answer yes or no."
    return Conversation("yes or no", (user(words), says("yes" if approve else "no")), system)


def mention(rng: Random, split: Split) -> Conversation:
    """Whether a text has a word."""
    words = [rng.choice((noun, adjective, made_up))(rng, split) for _ in range(rng.randrange(3, 9))]
    asked = rng.choice(words) if rng.random() < 0.5 else noun(rng, split)
    said = f"Text: {' '.join(words)}. Word: {asked}."
    system = "Does the text have the word? Answer yes or no."
    return Conversation("yes or no", (user(said), says("yes" if asked in words else "no")), system)
