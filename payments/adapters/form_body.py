"""Forms in notices, read from raw bytes (payments.md 4, 5.3): Django would refuse or garble whatever is not UTF-8.

Trail bytes of CP949 are never `&`, `=`, `+` or `%`, so the bytes can be split before anything is decoded.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import unquote_to_bytes
from zoneinfo import ZoneInfo

from payments.adapters.base import Answer, Rejected

MEDIA_TYPE: Final = "application/x-www-form-urlencoded"
MOST_FIELDS: Final = 200
MOST_WON: Final = 999_999_999_999
_SEOUL = ZoneInfo("Asia/Seoul")
_DIGITS = re.compile(r"[0-9]{1,13}", re.ASCII)
_STAMP = re.compile(r"20[0-9]{12}", re.ASCII)


def malformed(reason: str) -> Rejected:
    """The refusal of a notice that cannot be read; `reason` is a short code."""
    return Rejected(Answer.MALFORMED, reason)


def read_form(body: bytes, *, charset: str) -> dict[str, str]:
    """양식 읽기: every field by its name, as text without NUL.

    Values are decoded with the account's charset; where that fails with the other of cp949 and utf-8; where that
    fails too, what cannot be read becomes U+FFFD. Raises Rejected: empty_body, too_many_fields, duplicate_key.
    """
    pieces = [piece for piece in body.split(b"&") if piece]
    if not pieces:
        raise malformed("empty_body")
    if len(pieces) > MOST_FIELDS:
        raise malformed("too_many_fields")
    charsets = ("utf-8", "cp949") if charset.lower().replace("_", "-") in {"utf-8", "utf8"} else ("cp949", "utf-8")
    fields: dict[str, str] = {}
    for piece in pieces:
        name, _, value = piece.partition(b"=")
        key = _text(name, charsets)
        if key in fields:
            raise malformed("duplicate_key")
        fields[key] = _text(value, charsets)
    return fields


def _text(raw: bytes, charsets: tuple[str, str]) -> str:
    plain = unquote_to_bytes(raw.replace(b"+", b" "))
    for charset in charsets:
        try:
            return plain.decode(charset).replace("\x00", "")
        except UnicodeDecodeError:
            continue
    return plain.decode(charsets[0], "replace").replace("\x00", "")


def word(fields: Mapping[str, str], name: str, *, most: int) -> str:
    """A field that must be there: 1 to `most` printable characters. Raises Rejected bad_field."""
    value = fields.get(name, "")
    if not 1 <= len(value) <= most or not value.isprintable():
        raise malformed("bad_field")
    return value


def optional_word(fields: Mapping[str, str], name: str, *, most: int) -> str:
    """Like `word`, but it may be missing or empty."""
    return word(fields, name, most=most) if fields.get(name) else ""


def won(fields: Mapping[str, str], name: str) -> int:
    """금액: 1 to 13 ASCII digits, leading zeros allowed, 1 to 999,999,999,999 won. Raises Rejected bad_amount."""
    amount = won_or_zero(fields, name)
    if amount == 0:
        raise malformed("bad_amount")
    return amount


def won_or_zero(fields: Mapping[str, str], name: str) -> int:
    """Like `won`, but 0 is an amount too."""
    text = fields.get(name, "")
    if not _DIGITS.fullmatch(text) or int(text) > MOST_WON:
        raise malformed("bad_amount")
    return int(text)


def korean_time(text: str) -> datetime | None:
    """Korean time from 14 digits, or from 12 with a year of two digits; None for anything else or another century."""
    stamp = text if len(text) == 14 else f"20{text}"
    if not _STAMP.fullmatch(stamp):
        return None
    try:
        return datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=_SEOUL)
    except ValueError:
        return None


def person(text: str) -> str:
    """A name on one line of at most 60 printable characters, for the inbox."""
    return "".join(char for char in " ".join(text.split()) if char.isprintable())[:60]
