"""Where tokens come from: one seam, `Backend.stream`, and what stands behind it.

    base  messages  events  errors     the seam: what is asked, what is answered, what goes wrong
    embedding                          two small ones beside it: texts as vectors, documents by rank
    codec                              the events of an answer as JSON
    dialects                           the wire formats, each a pure pair
    schemas  capabilities              what each provider takes of JSON Schema; what each model can do
    wire                               the network, framing, refusals
    remote                             a dialect behind an address: a model over HTTP
    llama  scripted  recorded          a model in this process, a script, a recording
    policies                           backends over backends: fallback, hedge, limited, cached …
    probing                            what an endpoint really does, against what is written down of it
    uri                                from a name to a backend

Importing this package imports no HTTP client and no native library; the backend that is opened does.
"""

from graphrt.backends.base import Backend as Backend
from graphrt.backends.base import Capabilities as Capabilities
from graphrt.backends.embedding import Embedder as Embedder
from graphrt.backends.embedding import Embeddings as Embeddings
from graphrt.backends.embedding import Ranking as Ranking
from graphrt.backends.embedding import Reranker as Reranker
from graphrt.backends.errors import BackendError as BackendError
from graphrt.backends.errors import BindingError as BindingError
from graphrt.backends.events import Answer as Answer
from graphrt.backends.events import StreamEvent as StreamEvent
from graphrt.backends.events import complete as complete
from graphrt.backends.events import fold as fold
from graphrt.backends.messages import Message as Message
from graphrt.backends.messages import Request as Request
from graphrt.backends.messages import Settings as Settings
from graphrt.backends.scripted import Scripted as Scripted
from graphrt.backends.uri import open_backend as open_backend

__all__ = [
    "Answer",
    "Backend",
    "BackendError",
    "BindingError",
    "Capabilities",
    "Embedder",
    "Embeddings",
    "Message",
    "Ranking",
    "Request",
    "Reranker",
    "Scripted",
    "Settings",
    "StreamEvent",
    "complete",
    "fold",
    "open_backend",
]
