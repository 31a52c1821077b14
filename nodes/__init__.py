"""Ready-made nodes: today a model's, later tools, people, timers and signals.

- `llm`: a node whose work is one question to a model, with a typed answer
- `generated`: what the body of an `@llm` function returns, so that type checkers accept it
- `ask`: one question to a model from inside any node
"""

from graphrt.nodes.llm import ask as ask
from graphrt.nodes.llm import generated as generated
from graphrt.nodes.llm import llm as llm

__all__ = ["ask", "generated", "llm"]
