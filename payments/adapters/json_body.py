"""JSON as a PG may send it: one object, strictly read; whatever else it is, it is refused (payments.md 5.3, 4)."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

from payments.adapters.base import Answer, Rejected

MOST_DEPTH: Final = 32
MOST_AMOUNT: Final = 999_999_999_999
_MOST_DIGITS: Final = 15
# A string that never ends is one too: looked at again from its every quote it would take quadratic time.
_BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_AMOUNT: Final = re.compile(r"[0-9]{1,13}")
_LONGEST_DECIMAL: Final = 40
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


class BadJson(Exception):
    """읽을 수 없는 JSON; the text is a short code."""


def parse_notice(body: bytes) -> dict[str, Any]:
    """The object of a notice. Raises Rejected MALFORMED with the short code as its reason."""
    try:
        return parse(body)
    except BadJson as problem:
        raise Rejected(Answer.MALFORMED, str(problem)) from None


def parse(body: bytes) -> dict[str, Any]:
    """One JSON object, numbers as int or Decimal, text without NUL and lone surrogates. Raises BadJson.

    UTF-8 without a byte order mark, no duplicate keys at any depth, depth of 32 at most, no NaN or Infinity, integers
    of 15 digits at most.
    """
    if body.startswith(b"\xef\xbb\xbf"):
        raise BadJson("bom")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise BadJson("not_utf8") from None
    if _depth(body) > MOST_DEPTH:
        raise BadJson("too_deep")
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_decimal,
            parse_constant=_constant,
        )
    except ValueError:
        raise BadJson("not_json") from None
    if not isinstance(value, dict):
        raise BadJson("not_an_object")
    return {key: _cleaned(item) for key, item in value.items()}


def storable(value: Any) -> Any:
    """A parsed value with decimals as text, so that it can be kept as JSON."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {key: storable(item) for key, item in value.items()}
    return [storable(item) for item in value] if isinstance(value, list) else value


def amount_of_notice(value: Any) -> int:
    """Won of a notice: an integer, or 1 to 13 ASCII digits as text, from 1 to 999,999,999,999. Raises Rejected."""
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MOST_AMOUNT:
        raise Rejected(Answer.MALFORMED, "bad_amount")
    return value


def amount_of_answer(value: Any) -> int:
    """Won of a re-query, 0 included; a decimal counts when its fraction is zero. Raises BadJson."""
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        value = int(value)
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_AMOUNT:
        raise BadJson("bad_amount")
    return value


def text_of(values: Mapping[str, Any], name: str, *, most: int = 200) -> str:
    """Text of a field, cut; empty for an absent one or one of another kind. Never raises."""
    value = values.get(name)
    return value[:most] if isinstance(value, str) else ""


def object_of(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object in a field; an empty one for anything else. Never raises."""
    value = values.get(name)
    return value if isinstance(value, dict) else {}


def objects_of(values: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects of a list in a field; an empty list for anything else. Never raises."""
    value = values.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _depth(body: bytes) -> int:
    """How deep the brackets nest, before the parser recurses into them; strings do not count."""
    deepest = depth = 0
    for found in _BRACKETS.finditer(body):
        sign = found.group()
        if sign in (b"[", b"{"):
            depth += 1
            deepest = max(deepest, depth)
        elif sign in (b"]", b"}"):
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = {_clean_text(key): value for key, value in pairs}
    if len(found) != len(pairs):
        raise BadJson("duplicate_key")
    return found


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > _MOST_DIGITS:
        raise BadJson("number_too_long")
    return int(digits)


def _decimal(digits: str) -> Decimal:
    if len(digits) > _LONGEST_DECIMAL:
        raise BadJson("number_too_long")
    try:
        value = Decimal(digits)
    except InvalidOperation:
        raise BadJson("bad_number") from None
    if abs(value.adjusted()) > _MOST_DIGITS:
        raise BadJson("number_too_long")
    return value


def _constant(name: str) -> NoReturn:
    raise BadJson("not_a_number")


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, dict):
        return {key: _cleaned(item) for key, item in value.items()}
    return [_cleaned(item) for item in value] if isinstance(value, list) else value


def _clean_text(text: str) -> str:
    """Without what PostgreSQL cannot store; the raw bytes keep it."""
    return _UNSTORABLE.sub("", text)
