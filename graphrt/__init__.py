"""graphrt: a runtime for agents that survive production.

Layout. `node`, `dag` and `machine` define graphs; `check` finds their mistakes; `state` is the pure heart that folds facts and
decides; `scheduler` acts; `runtime` is where runs are started and resumed. Ready-made nodes are in `graphrt.nodes`, models in
`graphrt.backends`, stores in `graphrt.checkpoints`. This module only re-exports the core, and stays light.
"""

from graphrt.context import Context as Context
from graphrt.context import context as context
from graphrt.dag import Dag as Dag
from graphrt.dag import dag as dag
from graphrt.dag import each as each
from graphrt.dag import first as first
from graphrt.dag import quorum as quorum
from graphrt.dag import switch as switch
from graphrt.dag import when as when
from graphrt.machine import Final as Final
from graphrt.machine import Machine as Machine
from graphrt.machine import State as State
from graphrt.node import Node as Node
from graphrt.node import node as node
from graphrt.policy import Retry as Retry
from graphrt.policy import Timeout as Timeout
from graphrt.ports import upcaster as upcaster
from graphrt.runtime import Run as Run
from graphrt.runtime import Runtime as Runtime

__all__ = [
    "Context",
    "Dag",
    "Final",
    "Machine",
    "Node",
    "Retry",
    "Run",
    "Runtime",
    "State",
    "Timeout",
    "context",
    "dag",
    "each",
    "first",
    "node",
    "quorum",
    "switch",
    "upcaster",
    "when",
]
