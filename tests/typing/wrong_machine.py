"""Mistakes in a machine that a type checker finds: exactly the marked lines."""

from graphrt import Final, Machine, State, node


class Open(State):
    n: int


class Shut(State):
    n: int


class Gone(Final):
    n: int


class Plain:
    pass


door = Machine("door", start=Open, end=Gone)


@door.on
async def push(state: Open) -> Shut:
    return Gone(n=state.n)  # error


@door.on  # error
async def count(state: Shut) -> int:
    return state.n


@door.on  # error
def sync(state: Shut) -> str:
    return str(state.n)


@door.on  # error
@node
async def plain(state: int) -> Shut:
    return Shut(n=state)


Machine("wrong", start=Plain, end=Gone)  # error
Machine("wrong", start=Open, end=Plain)  # error
