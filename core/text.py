"""한 줄 글자: what people and programs type into a field of one line, as it is stored."""

import re
import unicodedata

REPLACED = "\ufffd"
"""What a decoder puts where bytes were no text: the letters that stood there are lost."""
BROKEN = "글자가 깨져 있습니다(\ufffd). 깨진 글자를 지우고 다시 입력하세요."

ID_DIGITS = 18
"""So many always fit a bigint; far longer ones Python itself refuses to read."""

_BREAKS = re.compile(r"[^\S ]+")


def one_line(text: str) -> str:
    """글자 정리: NFC, trimmed, without control, zero-width and bidirectional characters; line ends become a blank."""
    plain = unicodedata.normalize("NFC", text)
    if not plain.isprintable():
        plain = "".join(letter for letter in _BREAKS.sub(" ", plain) if letter.isprintable())
    return plain.strip()


def whole_number(text: str, *, digits: int = ID_DIGITS) -> int | None:
    """정수: what an address or a hidden input holds as 1 to `digits` plain digits; None for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits else None
