"""What may stand in a cell: the characters that XML and people's tables can carry, and nothing else."""

import re
import unicodedata

MAX_CELL = 32_767
"""Excel's limit of UTF-16 units in one cell."""

EXPONENT = re.compile(r"[+-]?\d(?:[.,]\d+)?[eE]\+\d{1,3}")
"""How Excel writes a long number into text: 6.25E+11. Product codes such as 1E10 have no plus sign."""

ERROR_VALUES = frozenset({"#N/A", "#VALUE!", "#REF!", "#DIV/0!", "#NUM!", "#NAME?", "#NULL!"})
"""What Excel shows instead of a value; the same words stand as text where a sheet was saved as CSV or pasted."""

# Everything XML 1.0 forbids. Tab and line feed stay; a carriage return is folded into a line feed before this.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
# Bidirectional overrides turn "fdp.exe" into "exe.pdf" on screen.
_NAME_JUNK = re.compile('[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff"*:<>?|]')


def clean_text(text: str) -> str:
    """셀 글자: the same text without control characters, NUL and lone surrogates; line ends become line feeds."""
    if text.isprintable():
        return text
    return _FORBIDDEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def clip_text(text: str) -> str:
    """셀 길이: the text cut to what one Excel cell holds (32,767 UTF-16 units), ending in … when it was cut."""
    if len(text) * 2 <= MAX_CELL:
        return text
    units = text.encode("utf-16-le", "replace")
    if len(units) <= MAX_CELL * 2:
        return text
    return units[: (MAX_CELL - 1) * 2].decode("utf-16-le", "ignore") + "…"


def clean_name(name: str, *, fallback: str = "파일") -> str:
    """파일 이름: the last part of an uploaded name, fit to be shown and stored, at most 120 characters.

    Folders, control and bidirectional characters and the characters Windows forbids are dropped. The result is never
    used as a path on our disks (reliability.md T14).
    """
    base = _NAME_JUNK.sub("", unicodedata.normalize("NFC", name.replace("\\", "/")).rsplit("/", 1)[-1])
    base = base.strip(" .")
    if len(base) > 120:
        stem, dot, suffix = base.rpartition(".")
        base = stem[: 119 - len(suffix)] + dot + suffix if dot and len(suffix) <= 8 else base[:120]
    return base or fallback
