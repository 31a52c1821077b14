"""Backends over backends: who answers, when, and what is known of each of them (M8).

    fallback  balance  hedge     choose between backends; every choice is a `Chose` with its reason
    switching                    which errors lead to another backend, and the loop that goes there
    health                       what is known of a backend, as a record

Each takes backends and is one. None of them asks the same backend twice: the one retry loop is the node's.
"""

from graphrt.backends.policies.balance import Balance as Balance
from graphrt.backends.policies.balance import balance as balance
from graphrt.backends.policies.fallback import Fallback as Fallback
from graphrt.backends.policies.fallback import fallback as fallback
from graphrt.backends.policies.health import Health as Health
from graphrt.backends.policies.hedge import Hedge as Hedge
from graphrt.backends.policies.hedge import hedge as hedge
from graphrt.backends.policies.switching import SWITCHING as SWITCHING

__all__ = ["SWITCHING", "Balance", "Fallback", "Health", "Hedge", "balance", "fallback", "hedge"]
