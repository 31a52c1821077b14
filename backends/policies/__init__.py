"""Backends over backends: who answers, when, and what is known of each of them (M8).

    fallback  balance  hedge     choose between backends; every choice is a `Chose` with its reason
    limited  breaker  budget     hold back: until it is one's turn, while it is broken, once it has cost enough
    cached  recorded             answer without asking: what was asked before, what was recorded for a test
    switching                    which errors lead to another backend, and the loop that goes there
    health                       what is known of a backend, as a record
    over  estimate  exchange     one backend behind a policy, tokens before anybody counts them, an exchange as data

Each takes backends and is one. None of them asks the same backend twice: the one retry loop is the node's. The outer
one is asked first: `cached(limited(breaker(backend)))` does not wait for what it has, and `fallback(breaker(a), b)`
goes to `b` at once while `a` rests.
"""

from graphrt.backends.policies.balance import Balance as Balance
from graphrt.backends.policies.balance import balance as balance
from graphrt.backends.policies.breaker import Breaker as Breaker
from graphrt.backends.policies.breaker import Circuit as Circuit
from graphrt.backends.policies.breaker import breaker as breaker
from graphrt.backends.policies.budget import Budgeted as Budgeted
from graphrt.backends.policies.budget import Ledger as Ledger
from graphrt.backends.policies.budget import Spent as Spent
from graphrt.backends.policies.budget import budget as budget
from graphrt.backends.policies.cached import Cached as Cached
from graphrt.backends.policies.cached import CacheStatistics as CacheStatistics
from graphrt.backends.policies.cached import DirectoryStore as DirectoryStore
from graphrt.backends.policies.cached import MemoryStore as MemoryStore
from graphrt.backends.policies.cached import cached as cached
from graphrt.backends.policies.fallback import Fallback as Fallback
from graphrt.backends.policies.fallback import fallback as fallback
from graphrt.backends.policies.health import Health as Health
from graphrt.backends.policies.hedge import Hedge as Hedge
from graphrt.backends.policies.hedge import hedge as hedge
from graphrt.backends.policies.limited import Limited as Limited
from graphrt.backends.policies.limited import Limiter as Limiter
from graphrt.backends.policies.limited import LimiterStatistics as LimiterStatistics
from graphrt.backends.policies.limited import limited as limited
from graphrt.backends.policies.recorded import Cassette as Cassette
from graphrt.backends.policies.recorded import CassetteStatistics as CassetteStatistics
from graphrt.backends.policies.recorded import recorded as recorded
from graphrt.backends.policies.switching import SWITCHING as SWITCHING

__all__ = [
    "SWITCHING",
    "Balance",
    "Breaker",
    "Budgeted",
    "CacheStatistics",
    "Cached",
    "Cassette",
    "CassetteStatistics",
    "Circuit",
    "DirectoryStore",
    "Fallback",
    "Health",
    "Hedge",
    "Ledger",
    "Limited",
    "Limiter",
    "LimiterStatistics",
    "MemoryStore",
    "Spent",
    "balance",
    "breaker",
    "budget",
    "cached",
    "fallback",
    "hedge",
    "limited",
    "recorded",
]
