"""Mistakes in starting runs that a type checker finds: exactly the marked lines."""

from graphrt import Final, Machine, Runtime, State, dag, node


@node
async def inc(x: int) -> int:
    return x + 1


@dag
def twice(x: int) -> int:
    return inc(inc(x))


class Begin(State):
    n: int


class End(Final):
    n: int


machine = Machine("machine", start=Begin, end=End)


async def main(rt: Runtime) -> None:
    await rt.start(twice)  # error
    await rt.start(twice, 1, 2)  # error
    await rt.start(twice, "one")  # error
    await rt.start(twice, y=1)  # error
    await rt.start_as("id", twice)  # error
    await rt.run(machine, m=1)  # error
    await rt.run(machine)  # error
    rt.run_sync(twice, x=None)  # error
    text: str = await rt.run(twice, 1)  # error
    await rt.start(len, [1])  # error
    print(text)


node(retry="3")  # error
node(effect="maybe")  # error
