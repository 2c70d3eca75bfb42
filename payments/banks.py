"""은행 이름 of a code as a PG counts banks; the table itself stands with the adapters (payments.md 5.8)."""

from payments.adapters.banks import BANKS, CHOICES, bank_name, code_at

__all__ = ["BANK_NAMES", "bank_name", "bank_at", "banks_at", "clearing_code"]

BANK_NAMES = tuple(name for _, name in CHOICES)
"""은행 이름 of every bank we know."""


def clearing_code(provider: str, code: str) -> str:
    """금융결제원 은행 코드 (3 digits) of a PG's own code; the code itself for a bank that is not in the table."""
    ours = next((one for one in BANKS if code_at(provider, one) == code), code)
    return ours.zfill(3) if ours.isdigit() and ours.zfill(3) in BANKS else ours


def bank_at(provider: str, code: str) -> str:
    """은행 이름 of a PG's own code; the code itself for a bank that is not in the table."""
    return bank_name(clearing_code(provider, code))


def banks_at(provider: str) -> list[tuple[str, str]]:
    """은행 고르기: (the PG's own code, Korean name) of every bank."""
    return [(code_at(provider, ours), name) for ours, name in CHOICES]
