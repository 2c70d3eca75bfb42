"""Sealed keys of the contracts and accounts by which couriers know us."""

from typing import Any, ClassVar

from core.sealing import seal, unseal


class SealedKeys:
    """키: each sealed under its name in `sealed_options`, for `sealed_for` alone: another table's cannot be put in."""

    sealed_for: ClassVar[str]
    sealed_options: Any

    def options(self) -> dict[str, str]:
        """키 in the clear. Raises core.sealing.Unreadable."""
        return {name: unseal(text, purpose=self.sealed_for) for name, text in self.sealed_options.items()}

    def set_options(self, options: dict[str, str]) -> None:
        """키 저장: those that are given, sealed; an empty one stays as it is. The caller saves the row."""
        fresh = {name: seal(text, purpose=self.sealed_for) for name, text in options.items() if text}
        self.sealed_options = self.sealed_options | fresh
