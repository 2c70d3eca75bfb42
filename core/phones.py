"""전화번호: Korean numbers stored as digits, shown with hyphens (shipping.md 6.3, domain.md 5 row 3)."""

import re
import unicodedata

AREA_CODES = (
    "031", "032", "033", "041", "042", "043", "044", "051", "052", "053", "054", "055", "061", "062", "063", "064",
)  # fmt: skip
MOBILE = re.compile(r"01[016789]\d{7,8}")
SAFE = re.compile(r"050[2-8]\d{7,8}")
SEOUL = re.compile(r"02\d{7,8}")
AREA = re.compile(rf"(?:{'|'.join(AREA_CODES)})\d{{7,8}}")
SERVICE = re.compile(r"0[78]0\d{7,8}")
REPRESENTATIVE = re.compile(r"1[5-8]\d{6}")
DIALLED = (MOBILE, SAFE, SEOUL, AREA, SERVICE)
PHONE_HINT = "전화번호는 010-1234-5678처럼 입력하세요."
# A spreadsheet that read the number as a number shows it like this.
DECIMAL_TAIL = re.compile(r"\.0$")


def normalize_phone(text: str) -> str:
    """전화번호 정규화: the digits of a number, `+82 10-1234-5678` -> `01012345678`; empty when there are none.

    The leading zero that spreadsheets drop is put back when the rest is then a Korean number. Digits that make no
    Korean number come back as they are: is_phone() judges them.
    """
    plain = DECIMAL_TAIL.sub("", unicodedata.normalize("NFKC", text).strip())
    digits = re.sub(r"\D", "", plain)
    if plain.startswith("+82") or (digits.startswith("82") and is_phone("0" + digits[2:].lstrip("0"))):
        digits = "0" + digits[2:].lstrip("0")
    if not is_phone(digits) and is_phone("0" + digits):
        return "0" + digits
    return digits


def is_phone(digits: str) -> bool:
    """전화번호 여부: whether normalised digits are a number that can be dialled in Korea."""
    return bool(REPRESENTATIVE.fullmatch(digits)) or any(kind.fullmatch(digits) for kind in DIALLED)


def is_safe_number(text: str) -> bool:
    """안심번호 여부: whether the number is a virtual 050X one, which stops working after a while."""
    return bool(SAFE.fullmatch(normalize_phone(text)))


def is_mobile(text: str) -> bool:
    """휴대전화 여부: whether text messages can reach the number."""
    return bool(MOBILE.fullmatch(normalize_phone(text)))


def format_phone(text: str) -> str:
    """전화번호 표기: `010-1234-5678`, `0507-1234-5678`, `1588-0000`; what is no number stays as it came."""
    groups = phone_groups(text)
    return "-".join(groups) if groups else text.strip()


def phone_groups(text: str) -> tuple[str, ...]:
    """전화번호 마디: the two or three parts that a number is written in; empty when it is no Korean number.

    050X numbers have a prefix of four digits.
    """
    digits = normalize_phone(text)
    if not is_phone(digits):
        return ()
    if REPRESENTATIVE.fullmatch(digits):
        return digits[:4], digits[4:]
    prefix = 4 if SAFE.fullmatch(digits) else 2 if SEOUL.fullmatch(digits) else 3
    return digits[:prefix], digits[prefix:-4], digits[-4:]


def tail4(text: str) -> str:
    """전화번호 뒷자리: the last four digits, the key staff search by; empty when there are fewer."""
    digits = normalize_phone(text)
    return digits[-4:] if len(digits) >= 4 else ""
