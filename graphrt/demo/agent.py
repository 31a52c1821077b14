"""An agent that answers an inbox: route each letter, look its order up, draft the answer, check it, report.

The model is small and makes mistakes; so does its check. What holds is the graph around it: a tool call is validated
before it runs; a draft goes out only if the model approves it and the record agrees; it is written at most three times,
and then the record itself is quoted.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from graphrt import Final, Machine, State, context, dag, each, node
from graphrt.backends.messages import Settings, ToolCall, ToolSpec, assistant, tool_result, user
from graphrt.nodes import ask, generated, llm

EXACT = Settings(temperature=0)
TRIES = 3


class Letter(BaseModel):
    """One file of the inbox."""

    sender: str
    request: str
    question: str


class Route(BaseModel):
    """Who should read a letter."""

    route: Literal["billing", "technical", "sales", "other"]


class Verdict(BaseModel):
    """Whether an answer says what the record says."""

    approve: bool


class Line(BaseModel):
    """One letter of the report."""

    sender: str
    route: str
    answer: str
    drafts: int


@node(effect="read")
def read_inbox(folder: str) -> list[Letter]:
    """Read every letter of a folder."""
    letters = []
    for path in sorted(Path(folder).glob("*.txt")):
        head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
        request, question = body.splitlines()[:2]
        letters.append(Letter(sender=head.removeprefix("From: "), request=request, question=question))
    return letters


@llm(
    "{{ request }}",
    system="Route the request to billing, technical, sales or other. Answer in JSON.",
    model="small",
    settings=EXACT,
)
def route(request: str) -> Route:
    """Ask the model who should read it."""
    return generated()


# The machine that answers one question about an order.


class Asked(State):
    """A customer asked about an order; `orders` is the table's file."""

    question: str
    orders: str


class Called(State):
    """The model wants the tool called, with these arguments."""

    question: str
    orders: str
    order_id: int


class Found(State):
    """The table answered; `drafts` were written and not approved."""

    question: str
    order_id: int
    status: str
    drafts: list[str] = Field(default_factory=list)


class Drafted(State):
    """A draft waits to be checked."""

    question: str
    order_id: int
    status: str
    drafts: list[str]


class Answered(Final):
    """The answer that goes out."""

    text: str
    drafts: int


class Order(BaseModel):
    """What the tool takes."""

    order_id: int = Field(ge=1)


LOOKUP_ORDER = ToolSpec(
    name="lookup_order", description="Look up the status of an order.", parameters=Order.model_json_schema()
)

answer = Machine("answer", start=Asked, end=Answered, max_transitions=20)


@answer.on
async def choose_call(state: Asked) -> Called:
    """Let the model call the tool; what it calls it with is validated."""
    said = await ask("small", state.question, tools=[LOOKUP_ORDER], settings=EXACT)
    call = next(call for call in said.tool_calls if call.name == LOOKUP_ORDER.name and call.complete)
    order = Order.model_validate_json(call.arguments)
    return Called(question=state.question, orders=state.orders, order_id=order.order_id)


@answer.on
def lookup_order(state: Called) -> Found:
    """Look the order up in the table, and leave a row that says so: a trace outside the store."""
    with sqlite3.connect(state.orders, timeout=30) as table:
        table.execute("INSERT INTO lookups (step, order_id) VALUES (?, ?)", (context().step, state.order_id))
        found = table.execute("SELECT status FROM orders WHERE order_id = ?", (state.order_id,)).fetchone()
    table.close()
    return Found(question=state.question, order_id=state.order_id, status=found[0] if found else "unknown")


@answer.on
async def draft(state: Found) -> Drafted | Answered:
    """Let the model write the answer; after too many that were not approved, quote the record."""
    if len(state.drafts) == TRIES:
        return Answered(text=f"Order {state.order_id}: {state.status}.", drafts=TRIES)
    call = ToolCall(call_id="1", name=LOOKUP_ORDER.name, arguments=f'{{"order_id": {state.order_id}}}')
    history = [
        user(state.question),
        assistant("").model_copy(update={"parts": (call,)}),
        tool_result(call, f'{{"status": "{state.status}"}}'),
    ]
    warmth = Settings(temperature=0.6 * len(state.drafts), seed=state.order_id, max_tokens=40)
    said = await ask("small", history, tools=[LOOKUP_ORDER], settings=warmth)
    return Drafted(
        question=state.question, order_id=state.order_id, status=state.status, drafts=[*state.drafts, said.text.strip()]
    )


@llm(
    "Fact: Order {{ order_id }} is {{ status }}. Answer: {{ answer }}",
    system="Check that the answer matches the fact. Answer in JSON.",
    model="small",
    settings=EXACT,
)
def matches(order_id: int, status: str, answer: str) -> Verdict:
    """Ask the model whether a draft says what the record says."""
    return generated()


@node
def decide(state: Drafted, verdict: Verdict) -> Found | Answered:
    """Send a draft that the model approved and that names the order and its status; else go back for another one."""
    draft = state.drafts[-1]
    if verdict.approve and str(state.order_id) in draft and state.status in draft:
        return Answered(text=draft, drafts=len(state.drafts))
    return Found(question=state.question, order_id=state.order_id, status=state.status, drafts=state.drafts)


@node
def last(drafts: list[str]) -> str:
    """Take the newest draft."""
    return drafts[-1]


@answer.on
@dag
def check(state: Drafted) -> Found | Answered:
    """Check a draft: a dag as a machine's handler."""
    return decide(state, matches(state.order_id, state.status, last(state.drafts)))


@node
def line(letter: Letter, route: Route, answered: Answered) -> Line:
    """Put one letter's line of the report together."""
    return Line(sender=letter.sender, route=route.route, answer=answered.text, drafts=answered.drafts)


@dag
def handle(letter: Letter, orders: str) -> Line:
    """Route a letter and answer it, side by side."""
    return line(letter, route(letter.request), answer(question=letter.question, orders=orders))


@node
def report(lines: list[Line]) -> str:
    """Write the report."""
    rows = "".join(f"| {each.sender} | {each.route} | {each.answer} | {each.drafts} |\n" for each in lines)
    return "| from | to | answer | drafts |\n|---|---|---|---|\n" + rows


@dag
def inbox(folder: str, orders: str) -> str:
    """Answer every letter of a folder, and report."""
    return report(each(handle, read_inbox(folder), orders=orders))
