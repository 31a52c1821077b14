"""What type checkers infer from the public API: checked by mypy --strict and by pyright, never run."""

from typing import assert_type

from pydantic import BaseModel

from graphrt import (
    Dag,
    Final,
    Machine,
    Node,
    Retry,
    Run,
    Runtime,
    State,
    Timeout,
    context,
    dag,
    each,
    first,
    node,
    quorum,
    switch,
    when,
)


class Finding(BaseModel):
    claim: str


@node
def plan(topic: str) -> list[str]:
    return [topic]


@node(retry=3, timeout=20, effect="read", limit="search")
async def search(question: str, depth: int = 1) -> Finding:
    context().emit("searched", question)
    return Finding(claim=question * depth)


@node(retry=Retry(2), timeout=Timeout(idle=3))
async def write(findings: list[Finding], tone: str = "dry") -> str:
    return f"{tone} {findings}"


@node
async def good(text: str) -> bool:
    return bool(text)


@dag
def research(topic: str, tone: str) -> str:
    questions = plan(topic)
    assert_type(questions, list[str])
    assert_type(search(topic), Finding)
    findings = each(search, questions)
    assert_type(findings, list[Finding])
    assert_type(each(search, questions, 2), list[Finding])
    assert_type(each(search, questions, depth=2), list[Finding])
    text = write(findings, tone=tone)
    assert_type(when(good(text), text, 1), str | int)
    assert_type(when(good(text), text), str | None)
    assert_type(switch(text, {"a": 1, "b": 2}), int)
    assert_type(switch(text, {"a": 1}, default="x"), int | str)
    assert_type(first(text, tone), str)
    assert_type(quorum(2, text, tone, topic), list[str])
    return text


@dag(name="again", on_failure="finish", max_depth=5)
def nested(topic: str) -> str:
    return research(topic, "warm")


assert_type(nested("x"), str)


class Drafting(State):
    brief: str
    notes: list[str] = []  # noqa: RUF012 - pydantic copies it


class Reviewing(State):
    draft: str


class Approved(Final):
    text: str


class Rejected(Final):
    why: str


editor = Machine("editor", start=Drafting, end=Approved)
court = Machine("court", start=Drafting, end=(Approved, Rejected))


@editor.on
async def draft(state: Drafting) -> Reviewing:
    return Reviewing(draft=state.brief)


@editor.on
def review(state: Reviewing) -> Drafting | Approved:
    return Approved(text=state.draft) if state.draft else Drafting(brief="")


@court.on
@node(retry=2)
async def judge(state: Drafting) -> Approved | Rejected:
    return Rejected(why=state.brief)


@dag
def revise(state: Reviewing) -> Drafting:
    return redo(state)


@node
def redo(state: Reviewing) -> Drafting:
    return Drafting(brief=state.draft)


class Late(Final):
    pass


three = Machine("three", start=Reviewing, end=(Approved, Rejected, Late))
looping = Machine("looping", start=Drafting, end=Approved)
looping.on(revise)


async def main(rt: Runtime) -> None:
    run = await rt.start(research, "tides", tone="dry")
    assert_type(run, Run[str])
    assert_type(await run.result(), str)
    assert_type(await rt.run(plan, "tides"), list[str])
    assert_type(await rt.start_as("id", nested, topic="tides"), Run[str])
    assert_type(rt.run_sync(search, "why"), Finding)
    assert_type(await rt.run(editor, brief="b"), Approved)
    assert_type(await rt.run(editor, brief="b", notes=["n"]), Approved)
    assert_type(await rt.run(court, brief="b"), Approved | Rejected)
    assert_type(await rt.run(three, draft="d"), Approved | Rejected | Late)
    assert_type(await rt.resume("id", research), Run[str])
    again: Node[[str, str], str] = research.named("other")
    drawn: Dag[[str, str], str] = research
    assert_type(await rt.run(again, "a", "b"), str)
    assert_type(drawn.fingerprint, str)
    async for entry in run.events(after=3):
        assert_type(entry.seq, int)
