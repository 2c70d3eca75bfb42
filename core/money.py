"""금액: integer won, shown and divided without losing one (domain.md 3.5, ux.md 4.3)."""

from collections.abc import Sequence


def won(amount: int) -> str:
    """원화 표기: `12,300원`, `-12,300원`, `0원`."""
    return f"{amount:,}원"


def split(total: int, weights: Sequence[int]) -> list[int]:
    """금액 배분: shares of `total` won by weight that add up to it exactly.

    Every share is cut to whole won towards zero, and what is left goes to the largest weight, the first of them when
    several are equal. When all weights are 0 the first takes everything. A negative total mirrors the positive one.
    Raises ValueError for a negative weight, or for money and nobody to give it to. Source: domain.md 3.5.
    """
    if any(weight < 0 for weight in weights):
        raise ValueError("a weight is negative")
    if not weights:
        if total:
            raise ValueError("there is no weight to give the money to")
        return []
    if total < 0:
        return [-share for share in split(-total, weights)]
    whole = sum(weights)
    shares = [total * weight // whole if whole else 0 for weight in weights]
    largest = max(range(len(weights)), key=weights.__getitem__)
    shares[largest] += total - sum(shares)
    return shares
