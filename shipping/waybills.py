"""Waybill numbers: clean what a cell holds, and say in Korean which rule it breaks (shipping.md 5.1, 5.4).

A right check digit is no proof: mod 7 cannot see 0↔7, 1↔8, 2↔9. Duplicates are looked for elsewhere.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from core.korean import josa, particle
from shipping.couriers import CheckLevel, CheckRule, Courier
from shipping.states import DeliveryMethod

LONGEST = 30
"""Most characters a stored number may have."""
_USUAL_LONGEST = 20
_EXACT_LIMIT = 10**15  # beyond this a spreadsheet cell has already lost digits
_LOST_DIGITS = "1E15"

_FULL_WIDTH = str.maketrans({chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)})
# Spaces, every kind of hyphen and dash, soft hyphens, zero-width signs and a byte order mark.
_IGNORED = re.compile(r"[\s\-\u2010-\u2015\u2212\u30fc\u00ad\u200b-\u200d\u2060\ufeff]")
_EXPONENT = re.compile(r"\+?[0-9]+(?:[.,][0-9]*)?E\+?[0-9]+")
_S10 = re.compile(r"([A-Z]{2})([0-9]{8})([0-9])([A-Z]{2})")
_S10_WEIGHTS = (8, 6, 4, 2, 3, 5, 9, 7)
# The literal that the post office's test mode answers instead of a number (shipping.md 1.4).
_TEST_LITERAL = "TESTREGINOAPI"

# What logistics write into the number cell instead of a number (shipping.md 0.8, 5.4); None means: it did not leave.
_WORDS: dict[str, DeliveryMethod | None] = {
    "직접수령": DeliveryMethod.VISIT,
    "방문수령": DeliveryMethod.VISIT,
    "방문": DeliveryMethod.VISIT,
    "현장수령": DeliveryMethod.VISIT,
    "퀵": DeliveryMethod.QUICK,
    "퀵서비스": DeliveryMethod.QUICK,
    "퀵배송": DeliveryMethod.QUICK,
    "직접전달": DeliveryMethod.DIRECT,
    "직접배송": DeliveryMethod.DIRECT,
    "직배송": DeliveryMethod.DIRECT,
    "자체배송": DeliveryMethod.DIRECT,
    "차량배차": DeliveryMethod.DIRECT,
    "배송없음": DeliveryMethod.NONE,
    "재고소진": None,
    "안전재고": None,
    "재고부족": None,
    "품절": None,
}

_RULES = frozenset({"waybill_format", "waybill_check"})


class WaybillLevel(StrEnum):
    """판정 수준: take it, take it and show the remark, or refuse it."""

    OK = "ok"
    WARN = "warn"
    BLOCK = "block"


@dataclass(frozen=True)
class WaybillVerdict:
    """송장번호 판정: `number` is what would be stored, empty where the text holds no number at all.

    `code` is empty for a number without remark, else waybill_missing, waybill_format, waybill_chars, waybill_exponent,
    waybill_word, waybill_unusual or waybill_check; `message` is the Korean sentence (ux.md 6.4).
    """

    number: str
    level: WaybillLevel
    code: str = ""
    message: str = ""
    proposed_method: DeliveryMethod | None = None
    """For waybill_word: the delivery method that the word names; None means that the goods did not leave."""

    @property
    def is_accepted(self) -> bool:
        """True when the number may be stored without anybody's special right."""
        return self.level != WaybillLevel.BLOCK

    @property
    def is_forceable(self) -> bool:
        """True when only the courier's length or check digit speaks against the number, not its signs or words."""
        return not self.is_accepted and self.code in _RULES and bool(self.number.strip("0"))


def _refused(code: str, message: str, number: str = "") -> WaybillVerdict:
    return WaybillVerdict(number, WaybillLevel.BLOCK, code, message)


def _cell_text(value: object) -> str:
    """The text of a cell; of a number cell only where no digit can have been lost."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "" if value is None else str(value)
    if not value >= 0:  # negative, or no number at all (NaN)
        return "?"
    if value >= _EXACT_LIMIT:
        return _LOST_DIGITS
    return str(int(value)) if int(value) == value else str(value)


def normalise(value: object) -> str:
    """송장번호 정리: half-width capitals without spaces, hyphens and a leading apostrophe; other signs stay."""
    if isinstance(value, str) and value.isascii() and value.isalnum():
        return value.upper()  # what most files hold: nothing to clean
    text = _cell_text(value).translate(_FULL_WIDTH).strip().removeprefix("'")
    return _IGNORED.sub("", text).upper()


def check_digit_fits(rule: CheckRule, number: str) -> bool:
    """검증번호: does the last digit follow from the others? True where the rule cannot speak about this number."""
    if rule == CheckRule.S10:
        match = _S10.fullmatch(number)
        return match is not None and int(match[3]) == _s10_digit(match[2])
    if rule == CheckRule.NONE or not _is_digits(number):
        return True
    return int(number[-1]) == _mod7(rule, number[:-1])


def with_check_digit(courier: Courier, digits: str) -> str:
    """번호 완성: `digits` plus the check digit of a courier whose rule is a mod 7; unchanged where it has none."""
    if courier.check not in {CheckRule.CJ_BODY, CheckRule.ALL_BUT_LAST}:
        return digits
    return f"{digits}{_mod7(courier.check, digits)}"


def number_of(courier: Courier, *, prefix: str, body_digits: int, body: int) -> str:
    """번호: prefix, body and the check digit that the courier wants."""
    return with_check_digit(courier, f"{prefix}{body:0{body_digits}d}")


def body_digits_of(courier: Courier, prefix: str) -> int:
    """본번호 자릿수: the courier's usual length without prefix and check digit; 0 where none is known."""
    if not courier.digits:
        return 0
    has_check = courier.check in {CheckRule.CJ_BODY, CheckRule.ALL_BUT_LAST}
    return courier.digits[0] - len(prefix) - has_check


def _mod7(rule: CheckRule, digits: str) -> int:
    return int(digits[-9:] if rule == CheckRule.CJ_BODY else digits) % 7


def _s10_digit(serial: str) -> int:
    rest = 11 - sum(weight * int(digit) for weight, digit in zip(_S10_WEIGHTS, serial, strict=True)) % 11
    return {10: 0, 11: 5}.get(rest, rest)


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def check_waybill(text: object, courier: Courier) -> WaybillVerdict:
    """송장번호 확인: normalise one cell and judge it by the courier's rules (shipping.md 5.1, A14).

    Takes text or a typed cell (int, float, None) and never raises.
    """
    number = normalise(text)
    return _not_a_number(number, courier) or _judged(number, courier)


def word_in(text: object) -> WaybillVerdict | None:
    """상태 말: the verdict of a cell that holds a word instead of a number, whatever the courier; None for others."""
    word = normalise(text)
    return _word_verdict(word) if word in _WORDS else None


def _not_a_number(number: str, courier: Courier) -> WaybillVerdict | None:
    """The refusal of a cell that holds nothing, a word, an exponent or foreign signs; None when it may be a number."""
    if _is_digits(number):
        return None
    if not number:
        return _refused("waybill_missing", "송장번호가 없습니다.")
    if number in _WORDS:
        return _word_verdict(number)
    # "12E5" may be a real number of a courier that uses letters; with a point or a plus it never is.
    if _EXPONENT.fullmatch(number) and not (courier.has_letters and number.isalnum()):
        return _refused("waybill_exponent", "송장번호가 지수 형식입니다. 엑셀에서 셀 서식을 텍스트로 바꿔 주세요.")
    if number == _TEST_LITERAL:
        return _refused("waybill_chars", "시험용 송장번호입니다. 택배사에서 받은 번호를 입력하세요.")
    allowed = r"[0-9A-Z]+" if courier.has_letters else r"[0-9]+"
    if not re.fullmatch(allowed, number):
        kind = "숫자와 영문자" if courier.has_letters else "숫자"
        return _refused("waybill_chars", f"송장번호에 쓸 수 없는 글자가 있습니다. {kind}만 입력하세요.")
    return None


def _word_verdict(word: str) -> WaybillVerdict:
    method = _WORDS[word]
    found = f"송장번호 칸에 '{word}'{particle(word, '이/가')} 적혀 있습니다."
    if method is None:
        message = f"{found} 배송을 보류하거나 송장번호를 입력하세요."
    else:
        change = f"배송방법을 {josa(method.label, '으로/로')} 바꾸고"
        message = f"{found} 택배로 보내지 않으면 {change}, 보내면 송장번호를 입력하세요."
    return WaybillVerdict("", WaybillLevel.BLOCK, "waybill_word", message, method)


def _judged(number: str, courier: Courier) -> WaybillVerdict:
    """Length, then check digit, at the level of the courier."""
    if len(number) < courier.shortest or len(number) > LONGEST:
        return _refused("waybill_format", _format_message(number, courier))
    level = WaybillLevel.BLOCK if courier.level == CheckLevel.BLOCK else WaybillLevel.WARN
    if courier.level == CheckLevel.OFF:
        return WaybillVerdict(number, WaybillLevel.OK)
    usual = len(number) in courier.digits if courier.digits else len(number) <= _USUAL_LONGEST
    if not usual and (level == WaybillLevel.WARN or len(number) in courier.rare_digits):
        return WaybillVerdict(number, WaybillLevel.WARN, "waybill_unusual", _unusual_message(number, courier))
    if not usual:
        return WaybillVerdict(number, level, "waybill_format", _format_message(number, courier))
    if not check_digit_fits(courier.check, number) or not number.strip("0"):
        message = f"{courier.name} 송장번호 규칙에 맞지 않습니다. 번호를 다시 확인하세요."
        return WaybillVerdict(number, level, "waybill_check", message)
    return WaybillVerdict(number, WaybillLevel.OK)


def _lengths(courier: Courier) -> str:
    if courier.digits:
        return " 또는 ".join(str(length) for length in sorted(courier.digits))
    return f"{courier.shortest}~{LONGEST if courier.has_letters else _USUAL_LONGEST}"


def _format_message(number: str, courier: Courier) -> str:
    kind = "숫자와 영문자" if courier.has_letters else "숫자"
    return f"송장번호는 {kind} {_lengths(courier)}자리여야 합니다. 지금은 {len(number)}자리입니다."


def _unusual_message(number: str, courier: Courier) -> str:
    return (
        f"{courier.name} 송장번호는 보통 {_lengths(courier)}자리입니다. "
        f"지금은 {len(number)}자리입니다. 번호를 다시 확인하세요."
    )


def grouped(number: str) -> str:
    """송장번호 표기 on paper and at the bench: 4-4-4, 13 digits as 5-4-4; others as they are."""
    if len(number) not in {12, 13} or not _is_digits(number):
        return number
    return "-".join((number[:-8], number[-8:-4], number[-4:]))


def refusal_of_range(courier: Courier, *, prefix: str, body_digits: int, start: int, end: int) -> str:
    """쓸 수 없는 대역: a sentence, empty for a range whose numbers our own check takes."""
    for body in (start, end):
        number = number_of(courier, prefix=prefix, body_digits=body_digits, body=body)
        verdict = check_waybill(number, courier)
        if verdict.level is WaybillLevel.BLOCK:
            return f"이 대역의 번호 {number}: {verdict.message}"
    return ""
