"""입금자 이름: how names of transfers are made comparable, and what else stands in a bank row (payments.md 5.10)."""

import re
import unicodedata

CUT_BYTES = 13
"""A name this long in CP949 was perhaps cut by the bank: its field holds 14 bytes, 7 syllables."""
_PLAIN = re.compile("[가-힣]*")
NOT_PLAIN = "({name} !~ '^[가-힣]*$' OR {name} LIKE '%%회사%%')"
"""In SQL, of a column: a name that is not its own key; the opposite of the short cut in `name_key`."""
_COMPANY = re.compile(r"\((?:주|유|사|재)\)|주식회사|유한회사")
_MARKS = re.compile(r"[\W_]+")
_TAIL = re.compile(r"(?<=\D)\d+$")
_HYPHEN, _SPACE = re.compile(r"(?<=\d)[-.](?=\d)"), re.compile(r"(?<=\d)\s(?=\d)")
_RUN = re.compile(r"\d{4,}", re.ASCII)
_ORDER_NUMBER = re.compile(r"(?<!\d)(20\d{6})[-.\s]?(\d{7})(?!\d)", re.ASCII)


def name_key(text: str) -> str:
    """입금자 비교값: one spelling for "(주) 홍 길동 5678", "㈜홍길동" and "홍길동"; the same when applied again.

    NFKC, lower case, without spaces, marks, the words for a company, and digits at the end.
    """
    if _PLAIN.fullmatch(text) and "회사" not in text:
        return text
    found = text
    while (shorter := _once(found)) != found:
        found = shorter
    return found


def _once(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).casefold()
    return _TAIL.sub("", _MARKS.sub("", _COMPANY.sub("", plain)))


def was_cut(key: str) -> bool:
    """은행이 자른 이름: whether the bank may have left out the end."""
    return len(key.encode("cp949", "replace")) >= CUT_BYTES


def digit_runs(*texts: str) -> tuple[str, ...]:
    """숫자 토막: runs of four and more digits; a hyphen between digits does not end a run (order numbers, phones).

    What a space parts counts together and apart. A whole order number is one run and no part of it another: orders of
    other days end alike.
    """
    found = list(order_numbers(*texts))
    for text in texts:
        plain = _HYPHEN.sub("", _ORDER_NUMBER.sub("/", unicodedata.normalize("NFKC", text)))
        found += _RUN.findall(_SPACE.sub("", plain)) + _RUN.findall(plain)
    return tuple(dict.fromkeys(found))


def order_numbers(*texts: str) -> tuple[str, ...]:
    """주문번호, as digits, that stand in full in a bank row."""
    plain = (unicodedata.normalize("NFKC", text) for text in texts)
    return tuple(day + number for text in plain for day, number in _ORDER_NUMBER.findall(text))
