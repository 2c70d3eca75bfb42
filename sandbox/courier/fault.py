"""One fault as it was asked for: what it hits, how often, how badly."""

from dataclasses import dataclass, field


@dataclass
class Fault:
    """One fault: hits requests of a service, carrier, number (shell patterns) by chance, by call number, or always."""

    id: int
    kind: str
    service: str = "*"
    operation: str = "track"
    """As the service names it; "*": every one. Alone, a fault is about tracker.delivery."""
    carrier: str = "*"
    number: str = "*"
    probability: float = 1.0
    nth: list[int] = field(default_factory=list)
    """Only these matching calls, counted from 1; empty means every one."""
    times: int | None = None
    """At most so many hits."""
    seconds: float = 30.0
    retry_after: int | None = None
    is_http_date: bool = False
    status: int = 500
    after_work: bool = False
    """Carry the request out, then spoil the answer; kinds that change a good answer always do."""
    calls: int = 0
    hits: int = 0
