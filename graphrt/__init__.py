"""graphrt: a runtime for agents that survive production.

Layout. `node`, `dag` and `machine` define graphs; `check` finds their mistakes; `state` folds facts and `decide` says
what follows, both pure; `scheduler` acts; `runtime` is where runs are started and resumed. Ready-made nodes are in
`graphrt.nodes`, models in `graphrt.backends`, stores in `graphrt.checkpoints`. This module only re-exports the core,
each name when it is first asked for: `import graphrt` and `graphrt --help` cost next to nothing.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphrt.context import Context as Context
    from graphrt.context import context as context
    from graphrt.context import step as step
    from graphrt.dag import Dag as Dag
    from graphrt.dag import dag as dag
    from graphrt.dag import each as each
    from graphrt.dag import first as first
    from graphrt.dag import quorum as quorum
    from graphrt.dag import switch as switch
    from graphrt.dag import when as when
    from graphrt.errors import NotDone as NotDone
    from graphrt.errors import Suspended as Suspended
    from graphrt.machine import Final as Final
    from graphrt.machine import Machine as Machine
    from graphrt.machine import State as State
    from graphrt.migration import migration as migration
    from graphrt.node import Node as Node
    from graphrt.node import node as node
    from graphrt.policy import Retry as Retry
    from graphrt.policy import Timeout as Timeout
    from graphrt.ports import upcaster as upcaster
    from graphrt.run import Run as Run
    from graphrt.runtime import Runtime as Runtime

__all__ = [
    "Context",
    "Dag",
    "Final",
    "Machine",
    "Node",
    "NotDone",
    "Retry",
    "Run",
    "Runtime",
    "State",
    "Suspended",
    "Timeout",
    "context",
    "dag",
    "each",
    "first",
    "migration",
    "node",
    "quorum",
    "step",
    "switch",
    "upcaster",
    "when",
]

_HOMES = {
    "context": ("Context", "context", "step"),
    "dag": ("Dag", "dag", "each", "first", "quorum", "switch", "when"),
    "errors": ("NotDone", "Suspended"),
    "migration": ("migration",),
    "machine": ("Final", "Machine", "State"),
    "node": ("Node", "node"),
    "policy": ("Retry", "Timeout"),
    "ports": ("upcaster",),
    "run": ("Run",),
    "runtime": ("Runtime",),
}


def _exported(name: str, home: str) -> property:
    def get(_: ModuleType) -> Any:
        return getattr(import_module(f"graphrt.{home}"), name)

    def keep(module: ModuleType, value: Any) -> None:
        # Importing graphrt.dag makes Python set `graphrt.dag` to that module: the name stays the function's.
        if not isinstance(value, ModuleType):
            module.__dict__[name] = value

    return property(get, keep)


class _Front(ModuleType):
    """This module's class: its exports are properties, which a submodule of the same name cannot replace."""

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


for _home, _names in _HOMES.items():
    for _name in _names:
        setattr(_Front, _name, _exported(_name, _home))
sys.modules[__name__].__class__ = _Front
