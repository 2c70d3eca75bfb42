"""Words and codes for the state of an order, as the channels write them (domain.md 2.4, 3.2, 4.1 to 4.6)."""

from collections.abc import Mapping

from channels.adapters.layouts import Standing

_S = Standing

WORDS: Mapping[str, Standing] = {
    "입금전": _S.UNPAID, "입금대기": _S.UNPAID, "결제대기": _S.UNPAID, "미결제": _S.UNPAID,
    "결제완료": _S.PAID, "신규주문": _S.PAID, "주문확인": _S.PAID, "상품준비중": _S.PAID, "발주확인": _S.PAID,
    "발주확인완료": _S.PAID,
    "배송준비중": _S.PAID, "배송준비": _S.PAID, "배송대기": _S.PAID, "출고대기": _S.PAID, "발송대기": _S.PAID,
    "배송보류": _S.HELD,
    "배송중": _S.SHIPPED, "배송완료": _S.SHIPPED, "구매확정": _S.SHIPPED, "출고완료": _S.SHIPPED,
    "취소": _S.CANCELED, "취소완료": _S.CANCELED, "미결제취소": _S.CANCELED, "입금전취소": _S.CANCELED,
    "취소접수": _S.CANCELED, "취소신청": _S.CANCELED, "취소요청": _S.CANCELED, "취소처리중": _S.CANCELED,
    "직권취소": _S.CANCELED, "폐기": _S.CANCELED,
    "반품": _S.CLAIMED, "교환": _S.CLAIMED, "반품완료": _S.CLAIMED, "교환완료": _S.CLAIMED,
    "반품요청": _S.CLAIMED, "교환요청": _S.CLAIMED, "반품접수": _S.CLAIMED, "교환접수": _S.CLAIMED,
}  # fmt: skip

NAVER: Mapping[str, Standing] = {
    "PAYMENT_WAITING": _S.UNPAID, "PAYED": _S.PAID, "DELIVERING": _S.SHIPPED, "DELIVERED": _S.SHIPPED,
    "PURCHASE_DECIDED": _S.SHIPPED, "EXCHANGED": _S.CLAIMED, "CANCELED": _S.CANCELED, "RETURNED": _S.CLAIMED,
    "CANCELED_BY_NOPAYMENT": _S.CANCELED,
}  # fmt: skip

CAFE24: Mapping[str, Standing] = {
    "N00": _S.UNPAID, "N02": _S.UNPAID, "N10": _S.PAID, "N20": _S.PAID, "N21": _S.PAID, "N22": _S.HELD,
    "N30": _S.SHIPPED, "N40": _S.SHIPPED, "N50": _S.SHIPPED,
}  # fmt: skip

SABANGNET: Mapping[str, Standing] = {
    "001": _S.PAID, "002": _S.PAID, "003": _S.PAID, "004": _S.SHIPPED, "006": _S.HELD,
    "007": _S.CANCELED, "010": _S.CANCELED, "999": _S.CANCELED,
    **dict.fromkeys(("008", "009", "011", "012", "021", "022", "023", "024", "025", "026"), _S.CLAIMED),
}  # fmt: skip

_ACKNOWLEDGED = frozenset({"발주확인", "발주확인완료"})

_CAFE24_CLAIMS = {"C": _S.CANCELED, "R": _S.CLAIMED, "E": _S.CLAIMED}


def standing(status: str, known: Mapping[str, Standing]) -> Standing | None:
    """주문상태 읽기: what a status means; None for a word that nobody told us about."""
    word = "".join(status.split())
    found = known.get(word) or known.get(word.zfill(3)) or WORDS.get(word)
    if found is None and len(word) == 3 and word[1:].isdigit():
        return _CAFE24_CLAIMS.get(word[0])
    if found is None and word.startswith(("취소", "반품", "교환")):
        return Standing.CANCELED if word.startswith("취소") else Standing.CLAIMED
    return found


def is_acknowledged(status: str) -> bool:
    """발주확인 여부: whether a status says that the seller has acknowledged the line at the channel."""
    return "".join(status.split()) in _ACKNOWLEDGED
