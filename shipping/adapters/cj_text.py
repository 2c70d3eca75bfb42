"""Values as CJ's fields take them: bytes, phones in three parts, zips of six digits (shipping.md 6.3)."""

from typing import Final

from core.cutting import cut, digits_of
from core.phones import phone_groups
from core.text import without_pictures

ADDRESS_BYTES: Final = 100
GOODS_BYTES: Final = 500
REMARK_BYTES: Final = 1000
NO_ZIP: Final = "000000"
"""An empty one is an error (ORA-01400); parcels are sorted by the refined address, not by the zip."""
_ZIP_DIGITS: Final = 5
_NO_AREA: Final = "000"
"""First part of a number without one (1588-0000)."""
_ANY: Final = 4000


def line(text: str, *, most: int = _ANY) -> str:
    """One line of at most so many bytes, whole characters, without control characters and emoji.

    The bytes are those of UTF-8: which charset CJ's columns have is not known, and no other needs more for Korean.
    """
    return cut(without_pictures(text), most=most, charset="utf-8")


def phone_parts(text: str) -> tuple[str, str, str] | None:
    """Three parts of a Korean phone number (0507 1234 5678, 02 123 4567, 000 1588 0000); None for anything else."""
    groups = phone_groups(text)
    if len(groups) == 2:
        return _NO_AREA, groups[0], groups[1]
    return (groups[0], groups[1], groups[2]) if len(groups) == 3 else None


def zip_code(text: str) -> str:
    """Five digits, or six zeros."""
    digits = digits_of(text)
    return digits if len(digits) == _ZIP_DIGITS else NO_ZIP
