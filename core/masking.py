"""개인정보 가림: the one rule by which personal data is shown to people who did not ask for it.

name 홍*동, phone 010-1234-****, address up to 읍·면·동 or 도로명, e-mail ab****@host, account ***-***-1234.
Source: reliability.md R-10, L11.
"""

import re
import unicodedata

from core.phones import normalize_phone, phone_groups

STARS = "****"
PROVINCES = frozenset(
    ["서울", "부산", "대구", "인천", "광주", "대전", "울산", "세종", "경기", "강원"]
    + ["충북", "충남", "전북", "전남", "경북", "경남", "제주"]
)
PROVINCE_SUFFIXES = ("특별시", "광역시", "특별자치시", "특별자치도", "도", "시")
DISTRICT_SUFFIXES = ("시", "군", "구")
ROAD = re.compile(r"[가-힣·]+\d*(?:대로|로|길)(?:\d+(?:번|가|나|다|라)?길)?")
TOWN = re.compile(r"[가-힣·]+(?:읍|면)|[가-힣·]+\d*(?:동|가)")

EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
ORDER_NUMBER = r"(?<![\dA-Za-z-])(?:[A-Z]-?)?20\d{2}[01]\d[0-3]\d-\d{7}(?:-\d{2,3})?(?![\d-])"
RESIDENT_NUMBER = r"(?<!\d)\d{6}\s?-?\s?[1-8]\d{6}(?!\d)"
GAP = r"[-\s.·)－‐–]{0,2}"
PHONE = (
    rf"(?<!\d)(?:\+?82{GAP}\(?0?\)?|\(?0)(?:1[016789]|2|[3-6][1-5]|50\d|[78]0){GAP}\d{{3,4}}{GAP}\d{{4}}(?!\d)"
    rf"|(?<![\d-])1[016789]{GAP}\d{{4}}{GAP}\d{{4}}(?![\d-])"
)
ACCOUNT = r"(?<![\d-])(?:\d{2,}(?:-\d{2,}){1,4}|\d{2,6}(?: \d{2,6}){2,4}|\d{10,})(?![\d-])"
SENSITIVE = re.compile(
    rf"(?P<keep>{ORDER_NUMBER})|(?P<resident>{RESIDENT_NUMBER})|(?P<phone>{PHONE})|(?P<account>{ACCOUNT})"
)
ACCOUNT_DIGITS = 10
MOST_STARS = 6
_HANGUL = re.compile(r"[가-힣]+")
_ASIDE = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_TITLE = re.compile(r"(?:고객)?님$|귀하$|귀중$")
_ANYBODY = frozenset({"고객", "본인", "수취인", "수령인", "받는분", "받는사람"})
_COMPANY = re.compile(r"\((?:주|유|재|사)\)|㈜|주식회사")
WIDE_DIGITS = {ord(wide): plain for wide, plain in zip("０１２３４５６７８９", "0123456789", strict=True)}


def mask_name(name: str) -> str:
    """이름 가림: 홍길동 -> 홍*동, 홍길 -> 홍*, 남궁민수 -> 남**수, John Smith -> J***, (주)가람상사 -> (주)가**사.

    No more than MOST_STARS stand for the middle of a long name.
    """
    text = "".join(unicodedata.normalize("NFC", name).split())
    if not text:
        return ""
    company = _COMPANY.match(text)
    if company and len(text) > company.end():
        return company[0] + mask_name(text[company.end() :])
    if text[0].isascii():
        return text[0] + "***" if len(text) > 1 else "*"
    if len(text) == 1:
        return "*"
    if len(text) == 2:
        return text[0] + "*"
    return text[0] + "*" * min(len(text) - 2, MOST_STARS) + text[-1]


def may_be(told: str, name: str) -> bool:
    """같은 이름일 수 있음: False only where a name that others masked surely is another one (홍*동, 홍길순).

    Whatever is no Hangul hides a letter; where the lengths differ, the mask may stand for any number of them and only
    the first letter counts. Titles, companies and remarks in brackets are looked past.
    """
    one, other = _plain(told), _plain(name)
    if not one or one in _ANYBODY or not _HANGUL.fullmatch(other):
        return True
    pairs = list(zip(one, other, strict=True)) if len(one) == len(other) else [(one[0], other[0])]
    return all(letter == ours or not _HANGUL.fullmatch(letter) for letter, ours in pairs)


def _plain(name: str) -> str:
    text = _ASIDE.sub("", "".join(unicodedata.normalize("NFC", name).split()))
    company = _COMPANY.match(text)
    return _TITLE.sub("", text[company.end() :] if company else text)


def mask_phone(text: str) -> str:
    """전화번호 가림: 01012345678 -> 010-1234-****; what is no Korean number loses its last four digits."""
    groups = phone_groups(text)
    if groups:
        return "-".join((*groups[:-1], STARS))
    digits = normalize_phone(text)
    return digits[:-4] + STARS if len(digits) > 4 else "*" * len(digits)


def mask_address(address: str) -> str:
    """주소 가림: up to the 읍·면·동 or the road, `서울특별시 강남구 테헤란로 ****`.

    An address that does not begin with a province or city is hidden whole.
    """
    tokens = unicodedata.normalize("NFC", address).split()
    if not tokens:
        return ""
    kept: list[str] = []
    for token in tokens:
        if _is_region(token, first=not kept):
            kept.append(token)
            continue
        # 구로동 is a town that begins like a road (구로): the longer reading is the right one.
        readings = [match.group() for match in (TOWN.match(token), ROAD.match(token)) if match]
        if kept and readings:
            kept.append(max(readings, key=len))
        break
    return " ".join([*kept, STARS])


def _is_region(token: str, *, first: bool) -> bool:
    if not re.fullmatch(r"[가-힣]+", token):
        return False
    if first:
        return token in PROVINCES or (len(token) > 2 and token.endswith(PROVINCE_SUFFIXES))
    return len(token) > 1 and token.endswith(DISTRICT_SUFFIXES)


def mask_email(email: str) -> str:
    """이메일 가림: abcdef@example.com -> ab****@example.com; one letter is left of a short name."""
    local, at, host = email.strip().rpartition("@")
    if not at:
        return STARS if email.strip() else ""
    return local[: 2 if len(local) > 2 else 1 if len(local) == 2 else 0] + STARS + "@" + host


def mask_account(number: str) -> str:
    """계좌번호 가림: every digit but the last four, separators stay: 110-123-456789 -> ***-***-**6789."""
    return _mask_digits(number.strip(), keep_last=4)


def mask_text(text: str) -> str:
    """메모 가림: phones, e-mail addresses, resident numbers and account-like digits within free text.

    Our own order numbers stay readable; staff refer to orders by them.
    """
    plain = text.translate(WIDE_DIGITS)
    return SENSITIVE.sub(_mask_match, EMAIL.sub(lambda match: mask_email(match.group()), plain))


def _mask_match(match: re.Match[str]) -> str:
    text = match.group()
    if match.lastgroup == "keep":
        return text
    if match.lastgroup == "resident":
        return _mask_digits(text, keep_last=0)
    if match.lastgroup == "phone":
        return re.sub(r"\d{4}$", STARS, text)
    return mask_account(text) if sum(char.isdigit() for char in text) >= ACCOUNT_DIGITS else text


def _mask_digits(text: str, *, keep_last: int) -> str:
    digits = sum(char.isdigit() for char in text)
    hidden = digits - keep_last if digits > keep_last else digits
    masked = []
    for char in text:
        if char.isdigit() and hidden:
            hidden -= 1
            char = "*"
        masked.append(char)
    return "".join(masked)
