"""한 줄 글자: what people and programs type into a field of one line, as it is stored."""

import re
import unicodedata

REPLACED = "\ufffd"
"""What a decoder puts where bytes were no text: the letters that stood there are lost."""
BROKEN = "글자가 깨져 있습니다(\ufffd). 깨진 글자를 지우고 다시 입력하세요."

ID_DIGITS = 18
"""So many always fit a bigint; far longer ones Python itself refuses to read."""

_BREAKS = re.compile(r"[^\S ]+")
_PICTURES = frozenset({"So", "Sk", "Me", "Co", "Cn", "Cs"})
_SELECTORS = range(0xFE00, 0xFE10)


def one_line(text: str) -> str:
    """글자 정리: NFC, trimmed, without control, zero-width and bidirectional characters; line ends become a blank."""
    plain = unicodedata.normalize("NFC", text)
    if not plain.isprintable():
        plain = "".join(letter for letter in _BREAKS.sub(" ", plain) if letter.isprintable())
    return plain.strip()


def without_pictures(text: str) -> str:
    """그림 글자 빼기: NFC without control characters, emoji and their pieces; old signs of Korean text (㈜, ★) stay."""
    return "".join(letter for letter in unicodedata.normalize("NFC", text) if _is_letter(letter))


def _is_letter(letter: str) -> bool:
    if not letter.isprintable() and not letter.isspace():
        return False
    is_picture = unicodedata.category(letter) in _PICTURES and not letter.encode("cp949", "ignore")
    return not is_picture and ord(letter) not in _SELECTORS


def whole_number(text: str, *, digits: int = ID_DIGITS) -> int | None:
    """정수: what an address or a hidden input holds as 1 to `digits` plain digits; None for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits else None
