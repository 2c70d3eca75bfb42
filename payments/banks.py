"""은행 이름 of a code as a PG counts banks; the table itself stands with the adapters (payments.md 5.8)."""

from payments.adapters.banks import BANKS, CHOICES, bank_name, code_at

__all__ = ["BANK_NAMES", "bank_at", "banks_at"]

BANK_NAMES = tuple(name for _, name in CHOICES)
"""은행 이름 of every bank we know."""


def bank_at(provider: str, code: str) -> str:
    """은행 이름 of a PG's own code; the code itself for a bank that is not in the table."""
    for ours, name in CHOICES:
        if code_at(provider, ours) == code:
            return name
    return bank_name(code.zfill(3)) if code.isdigit() and code.zfill(3) in BANKS else code


def banks_at(provider: str) -> list[tuple[str, str]]:
    """은행 고르기: (the PG's own code, Korean name) of every bank."""
    return [(code_at(provider, ours), name) for ours, name in CHOICES]
