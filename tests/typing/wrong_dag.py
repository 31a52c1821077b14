"""Mistakes in a dag that a type checker finds: exactly the marked lines."""

from graphrt import dag, each, node, switch, when


@node
def plan(topic: str) -> list[str]:
    return [topic]


@node
async def count(text: str, by: int = 1) -> int:
    return len(text) * by


@node
async def both(a: int, b: str) -> str:
    return b * a


@dag
def edges(topic: str) -> str:
    plan(count(topic))  # error
    both(count(topic), count(topic))  # error
    both(count(topic))  # error
    both(count(topic), topic, topic)  # error
    both(a=count(topic), c=topic)  # error
    print(plan(topic).missing)  # error
    return both(count(topic), topic)


@dag
def lists(topic: str) -> list[int]:
    each(both, plan(topic), topic)  # error
    each(count, topic, by=2)
    each(count, count(topic))  # error
    each(count, plan(topic), by="2")  # error
    when(count(topic), topic, topic)  # error
    return each(count, plan(topic), 2)


@dag
def returns(topic: str) -> str:
    return count(topic)  # error


@dag
def chosen(topic: str) -> int:
    return switch(topic, {"a": count(topic)}, default=topic)  # error
