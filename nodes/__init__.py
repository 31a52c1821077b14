"""Ready-made nodes: a model's, a person's, signals and timers; later tools.

- `llm`: a node whose work is one question to a model, with a typed answer; `generated` is its body
- `ask`: one question to a model from inside any node; `ask_json` for a value of a JSON Schema
- `embed`: texts as vectors, and `rerank`: documents by how well they answer a query, from inside any node
- `person`: a node that waits for somebody's answer; `answered` is its body
- `signal`: a node that waits for a message from outside
- `sleep`, `sleep_until`: durable timers
"""

from graphrt.nodes.embedding import embed as embed
from graphrt.nodes.embedding import rerank as rerank
from graphrt.nodes.llm import ask as ask
from graphrt.nodes.llm import ask_json as ask_json
from graphrt.nodes.llm import generated as generated
from graphrt.nodes.llm import llm as llm
from graphrt.nodes.person import answered as answered
from graphrt.nodes.person import person as person
from graphrt.nodes.signal import signal as signal
from graphrt.nodes.timer import sleep as sleep
from graphrt.nodes.timer import sleep_until as sleep_until

__all__ = [
    "answered",
    "ask",
    "ask_json",
    "embed",
    "generated",
    "llm",
    "person",
    "rerank",
    "signal",
    "sleep",
    "sleep_until",
]
