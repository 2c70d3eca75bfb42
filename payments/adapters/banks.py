"""은행: one code for each bank, the 3 digits of the clearing house, and what the PGs call it (payments.md 5.8)."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Bank(NamedTuple):
    """은행: Korean name, Toss's 2 digits, PortOne's word; NICEPAY uses our code, Inicis its last 2 digits."""

    name: str
    toss: str
    portone: str


BANKS: Final[Mapping[str, Bank]] = {
    "002": Bank("산업은행", "02", "KDB"),
    "003": Bank("기업은행", "03", "IBK"),
    "004": Bank("국민은행", "06", "KOOKMIN"),
    "007": Bank("수협은행", "07", "SUHYUP"),
    "011": Bank("농협은행", "11", "NONGHYUP"),
    "012": Bank("지역농축협", "12", "LOCAL_NONGHYUP"),
    "020": Bank("우리은행", "20", "WOORI"),
    "023": Bank("SC제일은행", "23", "STANDARD_CHARTERED"),
    "027": Bank("한국씨티은행", "27", "CITI"),
    "031": Bank("iM뱅크", "31", "DAEGU"),
    "032": Bank("부산은행", "32", "BUSAN"),
    "034": Bank("광주은행", "34", "KWANGJU"),
    "035": Bank("제주은행", "35", "JEJU"),
    "037": Bank("전북은행", "37", "JEONBUK"),
    "039": Bank("경남은행", "39", "KYONGNAM"),
    "045": Bank("새마을금고", "45", "KFCC"),
    "048": Bank("신협", "48", "SHINHYUP"),
    "050": Bank("저축은행", "50", "SAVINGS_BANK"),
    "064": Bank("산림조합", "64", "NFCF"),
    "071": Bank("우체국", "71", "POST"),
    "081": Bank("하나은행", "81", "HANA"),
    "088": Bank("신한은행", "88", "SHINHAN"),
    "089": Bank("케이뱅크", "89", "K_BANK"),
    "090": Bank("카카오뱅크", "90", "KAKAO"),
    "092": Bank("토스뱅크", "92", "TOSS"),
}
CHOICES: Final = tuple((code, bank.name) for code, bank in BANKS.items())


def bank_name(code: str) -> str:
    """은행 이름; the code itself for a bank that is not in the table."""
    return BANKS[code].name if code in BANKS else code


def code_at(provider: str, code: str) -> str:
    """PG의 은행 코드 for our code; the code itself where the PG counts as we do or the bank is not in the table."""
    bank = BANKS.get(code)
    if bank is None:
        return code
    return {"toss": bank.toss, "portone": bank.portone, "inicis": code[-2:]}.get(provider, code)
