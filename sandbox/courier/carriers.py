"""The couriers that the courier sandbox serves, with the number rules their parsers enforce (shipping.md 1.1)."""

import re
from collections.abc import Callable

CARRIERS = {
    "kr.cjlogistics": "CJ대한통운",
    "kr.cupost": "CU 편의점택배",
    "kr.epost": "우체국 택배",
    "kr.epost.ems": "우체국 EMS",
    "kr.hanjin": "한진택배",
    "kr.lotte": "롯데택배",
    "kr.logen": "로젠택배",
    "kr.coupangls": "쿠팡 로지스틱스 서비스",
    "kr.cvsnet": "GS Postbox 택배",
    "kr.kdexp": "경동택배",
    "kr.daesin": "대신택배",
    "kr.ilyanglogis": "일양로지스",
    "kr.chunilps": "천일택배",
    "kr.kunyoung": "건영택배",
    "kr.homepick": "홈픽",
    "kr.slx": "SLX",
    "kr.honamlogis": "우리택배",
    "kr.yongmalogis": "용마로지스",
    "kr.goodstoluck": "굿투럭",
    "kr.todaypickup": "오늘의픽업",
    "kr.epantos": "LX판토스",
    "nl.tnt": "TNT",
    "un.upu.ems": "EMS",
    "us.ups": "UPS",
}

# Numbers that start so belong to the demo shop and live by themselves; every other number must be registered.
_DEMO_PREFIXES = {
    "kr.hanjin": ("40",),
    "kr.lotte": ("24", "309"),
    "kr.logen": ("90",),
    "kr.epost.ems": ("EG",),
}
_ANY_DEMO_PREFIX = ("68",)


def _has_length(*lengths: int) -> Callable[[str], bool]:
    return lambda number: number.isdigit() and len(number) in lengths


def _is_lotte(number: str) -> bool:
    return number.isdigit() and len(number) == 12 and int(number[:11]) % 7 == int(number[11])


_RULES: dict[str, tuple[Callable[[str], bool], str]] = {
    "kr.cjlogistics": (_has_length(10, 12), "운송장 번호는 10자리 혹은 12자리입니다."),
    "kr.cupost": (_has_length(10, 12), "운송장 번호는 10자리 혹은 12자리입니다."),
    "kr.hanjin": (_has_length(12, 14), "운송장 번호는 12자리 혹은 14자리 숫자입니다."),
    "kr.lotte": (_is_lotte, "운송장 번호가 유효하지 않습니다."),
    "kr.logen": (str.isdigit, "운송장 번호는 숫자입니다."),
}


def number_error(carrier: str, number: str) -> str:
    """The parser's refusal of a number, or an empty text; most carriers enforce nothing."""
    rule, message = _RULES.get(carrier, (bool, "운송장 번호를 입력해 주세요."))
    return "" if rule(number) else message


def is_demo_number(carrier: str, number: str) -> bool:
    """True for a number of the demo shop: the carrier's demo prefix and a plausible length."""
    prefixes = _DEMO_PREFIXES.get(carrier, _ANY_DEMO_PREFIX)
    return number.startswith(prefixes) and re.fullmatch(r"[0-9A-Z]{9,14}", number) is not None
