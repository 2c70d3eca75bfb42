"""From a cell to a value of ours: each function gives the value or the Problem that the row's verdict shows.

All of them accept what Table.cell returns; a Problem goes straight through. Blank cells are "" for texts and None for
numbers and dates: whether a value is required is the caller's business. Source: domain.md 5 rows 2, 3, 5;
shipping.md 5.4.
"""

import re
import unicodedata
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from core.excel.cleaning import EXPONENT
from core.excel.problems import Problem, cell_problem
from core.excel.reader import Cell
from core.phones import is_phone, normalize_phone

KST = ZoneInfo("Asia/Seoul")

_EPOCH = datetime(1899, 12, 30)
_SERIALS = (36_526, 73_050)  # 2000-01-01 to 2099-12-31; other numbers in a date column are mistakes
_MONEY_WORDS = re.compile(r"[₩\\￦]|원|krw", re.IGNORECASE)
_COUNT_WORDS = re.compile(r"(개|ea|건|매|박스|box)$", re.IGNORECASE)
_AMOUNT = re.compile(r"([+-]?)(\d{1,3}(?:,\d{3})+|\d+)(?:\.0+)?")
_DATE = re.compile(
    r"(?P<y>(?:19|20)\d\d)(?:-(?P<m>\d{1,2})-(?P<d>\d{1,2})|\.\s*(?P<m2>\d{1,2})\.\s*(?P<d2>\d{1,2})\.?"
    r"|/(?P<m3>\d{1,2})/(?P<d3>\d{1,2})|년\s*(?P<m4>\d{1,2})월\s*(?P<d4>\d{1,2})일|(?P<m5>\d\d)(?P<d5>\d\d))"
    r"(?:\s*\([월화수목금토일]\))?(?P<rest>.*)",
    re.DOTALL,
)
_TIME = re.compile(
    r"[T\s]*(?P<half>오전|오후|am|pm)?\s*(?P<h>\d{1,2}):(?P<i>\d\d)(?::(?P<s>\d\d)(?:\.\d+)?)?\s*(?P<half2>am|pm)?"
    r"\s*(?P<zone>Z|KST|[+-]\d\d:?\d\d)?",
    re.IGNORECASE,
)
_PACKED_TIME = re.compile(r"\s*(?P<h>\d\d)(?P<i>\d\d)(?P<s>\d\d)?")

_DATE_SENTENCE = "날짜는 2025-11-21처럼 입력하세요."


def text(cell: Cell | Problem) -> str | Problem:
    """글자: the cell as trimmed text; whole numbers without ".0", dates as 2025-11-21 or 2025-11-21 14:20:05."""
    if isinstance(cell, Problem):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%d" if cell == datetime(cell.year, cell.month, cell.day) else "%Y-%m-%d %H:%M:%S")
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    return str(cell).strip()


def identifier(cell: Cell | Problem) -> str | Problem:
    """번호 (주문번호, 상품코드): text that must be complete: exponents, fractions and dates are refused."""
    value = _written(cell, "번호")
    if isinstance(value, Problem):
        return value
    return cell_problem("exponent") if EXPONENT.fullmatch(value) else value


def waybill(cell: Cell | Problem) -> str | Problem:
    """송장번호: upper-case letters and digits without hyphens and spaces; "" when blank.

    Refuses exponents, numbers of 16 digits and more, fractions, dates. The length rule of each courier is not known
    here.
    """
    if isinstance(cell, Problem) and cell.code == "exponent":
        return _waybill_exponent()
    value = _written(cell, "송장번호")
    if isinstance(value, Problem):
        return value
    if EXPONENT.fullmatch(value):
        return _waybill_exponent()
    number = re.sub(r"[\s\-‐–—]", "", unicodedata.normalize("NFKC", value)).upper()
    if number and not re.fullmatch(r"[0-9A-Z]{1,30}", number):
        return Problem("waybill_format", "송장번호에는 숫자와 영문자만 쓸 수 있습니다. 송장번호를 다시 확인하세요.")
    return number


def phone(cell: Cell | Problem) -> str | Problem:
    """전화번호: the digits as they are stored, 01012345678; a lost leading 0 and +82 are repaired, "" when blank.

    What is no Korean number (masked, cut off, two in one cell) is a Problem, never a guess.
    """
    value = _written(cell, "전화번호")
    if isinstance(value, Problem):
        return value
    if "*" in value:
        return Problem("phone_masked", "전화번호가 가려져 있습니다. 가리지 않은 전화번호를 입력하세요.")
    digits = normalize_phone(value)
    if is_phone(digits):
        return digits
    if not value.strip(" -.()"):
        return ""
    return Problem("phone_format", f"전화번호는 010-1234-5678처럼 입력하세요. 지금은 숫자 {len(digits)}자리입니다.")


def zip_code(cell: Cell | Problem) -> str | Problem:
    """우편번호: five digits; a lost leading 0 is put back."""
    value = _written(cell, "우편번호")
    if isinstance(value, Problem):
        return value
    digits = re.sub(r"[\s\-()\[\]]", "", unicodedata.normalize("NFKC", value))
    if not digits:
        return ""
    if not (digits.isascii() and digits.isdecimal()):
        message = "우편번호에 숫자가 아닌 글자가 있습니다. 06234처럼 숫자 5자리로 입력하세요."
        return Problem("zip_format", message)
    if len(digits) not in {4, 5}:
        return Problem("zip_format", f"우편번호는 숫자 5자리여야 합니다. 지금은 {len(digits)}자리입니다.")
    return digits.zfill(5)


def amount(cell: Cell | Problem) -> int | None | Problem:
    """금액: whole won from 1234, "1,234원", "₩1,234", "(1,234)" = -1,234; None when blank."""
    return _whole(cell, _MONEY_WORDS, Problem("amount_format", "금액은 12,300처럼 원 단위 정수로 입력하세요."))


def integer(cell: Cell | Problem) -> int | None | Problem:
    """수량: a whole number from 3, "3", "1,000", "3개"; None when blank."""
    return _whole(cell, _COUNT_WORDS, Problem("number_format", "수량은 3처럼 정수로 입력하세요."))


def datetime_(cell: Cell | Problem) -> datetime | None | Problem:
    """일시: an aware datetime in KST, to the second; None when blank.

    Reads date cells, Excel serial numbers of this century, 2025-11-21, 2025.11.21, 2025/11/21, 2025년 11월 21일 and
    20251121, each with or without a time (14:20, 14:20:05, 오후 2:20), 12 and 14 digits, and ISO 8601 with a zone.
    """
    if isinstance(cell, Problem) or cell is None:
        return cell
    if isinstance(cell, datetime):
        return cell.replace(microsecond=0, tzinfo=KST)
    if isinstance(cell, bool):
        return Problem("date_format", _DATE_SENTENCE)
    if isinstance(cell, (int, float)) and _SERIALS[0] <= cell < _SERIALS[1] + 1:
        return (_EPOCH + timedelta(seconds=round(cell * 86_400))).replace(tzinfo=KST)
    written = unicodedata.normalize("NFKC", str(cell)).strip()
    if not written or set(written) <= set("-. "):
        return None
    return _parse_moment(written) or Problem("date_format", _DATE_SENTENCE)


def _written(cell: Cell | Problem, what: str) -> str | Problem:
    """What stands in a cell that holds a number people know by heart, not a quantity."""
    if isinstance(cell, Problem):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, (bool, datetime)) or (isinstance(cell, float) and not cell.is_integer()):
        message = f"{what} 칸에 날짜나 소수가 있습니다. 셀 서식을 텍스트로 바꾸고 다시 입력해 주세요."
        return Problem("text_expected", message)
    if isinstance(cell, (int, float)) and abs(cell) >= 10**15:
        return cell_problem("precision")
    return str(int(cell)) if isinstance(cell, float) else str(cell).strip().removeprefix("'")


def _waybill_exponent() -> Problem:
    return Problem("waybill_exponent", "송장번호가 지수 형식입니다. 엑셀에서 셀 서식을 텍스트로 바꿔 주세요.")


def _whole(cell: Cell | Problem, words: re.Pattern[str], problem: Problem) -> int | None | Problem:
    if isinstance(cell, Problem) or cell is None:
        return cell
    if isinstance(cell, (bool, datetime)):
        return problem
    if isinstance(cell, (int, float)):
        return int(cell) if cell == int(cell) else problem
    written = words.sub("", re.sub(r"\s", "", unicodedata.normalize("NFKC", cell)))
    if not written or written == "-":
        return None if not cell.strip() or cell.strip() == "-" else problem
    negative = written.startswith("(") and written.endswith(")")
    match = _AMOUNT.fullmatch(written[1:-1] if negative else written.replace("−", "-").replace("△", "-"))
    if not match or len(match.group(2)) > 20:
        return problem
    number = int(match.group(2).replace(",", ""))
    return -number if negative or match.group(1) == "-" else number


def _parse_moment(written: str) -> datetime | None:
    match = _DATE.fullmatch(written)
    if not match:
        return None
    month = next(match[name] for name in ("m", "m2", "m3", "m4", "m5") if match[name])
    day = next(match[name] for name in ("d", "d2", "d3", "d4", "d5") if match[name])
    rest = match["rest"].strip()
    clock = (_PACKED_TIME if match["m5"] and rest.isdigit() else _TIME).fullmatch(rest) if rest else None
    if rest and clock is None:
        return None
    try:
        return _at(datetime(int(match["y"]), int(month), int(day)), clock)
    except (ValueError, OverflowError):
        return None


def _at(day: datetime, clock: re.Match[str] | None) -> datetime:
    if clock is None:
        return day.replace(tzinfo=KST)
    parts = clock.groupdict()
    hour = int(parts["h"])
    half = (parts.get("half") or parts.get("half2") or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise ValueError("no such hour on a twelve-hour clock")
        hour = hour % 12 + (12 if half in ("오후", "pm") else 0)
    moment = day.replace(hour=hour, minute=int(parts["i"]), second=int(parts["s"] or 0))
    zone = (parts.get("zone") or "KST").upper()
    if zone == "KST":
        return moment.replace(tzinfo=KST)
    offset = "+00:00" if zone == "Z" else zone
    return datetime.fromisoformat(moment.isoformat() + offset).astimezone(KST)
