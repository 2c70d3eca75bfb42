"""CJ의 오늘 토큰: one store for each address and customer, for whoever speaks with CJ in this process.

Numbers and tracking share it: CJ blocks a contract that asks for a token too often (shipping.md 1.3).
"""

from shipping.adapters.cj_wire import MemoryTokenStore

_stores: dict[tuple[str, str], MemoryTokenStore] = {}


def tokens_of(address: str, customer: str) -> MemoryTokenStore:
    """토큰 보관, kept for the life of the process."""
    return _stores.setdefault((address.rstrip("/"), customer), MemoryTokenStore())
