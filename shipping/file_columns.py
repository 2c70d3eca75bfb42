"""송장 파일의 열: under which names couriers and markets write what we need."""

from collections.abc import Container, Mapping, Sequence

TARGETS: Mapping[str, Sequence[str]] = {
    "shipment": ("배송번호", "고객주문번호", "송장관리번호", "고객사주문번호", "관리번호"),
    "line": ("품목별 주문번호", "상품주문번호", "주문상품번호", "품목주문번호"),
    "order": ("주문번호", "쇼핑몰 주문번호"),
    "courier": ("택배사", "택배사명", "택배사코드", "배송업체", "배송업체번호", "배송사"),
    "name": (
        "수하인명", "수하인", "받는분성명", "받는분", "받는분명", "받는사람", "수취인명", "수취인", "수령인", "수령자",
    ),
    "phone": (
        "수하인전화", "수하인전화번호", "수하인휴대폰", "받는분전화번호", "받는분연락처", "수취인 전화번호",
        "수취인 이동통신", "수취인연락처", "수령자연락처", "연락처", "전화번호", "전화", "핸드폰", "휴대폰",
    ),
    "address": (
        "수하인주소", "수하인주소1", "받는분주소", "받는분주소(전체, 분할)", "받는분총주소", "수취인 주소", "배송지",
        "주소",
    ),
    "waybill": ("운송장번호", "송장번호", "운송장", "송장", "등기번호", "운송장NO", "wbl_no"),
}  # fmt: skip
KEYS = ("shipment", "line", "order")
PEOPLE = ("name", "phone", "address")
"""Of a file without a key: these suggest whose number it may be, and nothing more (domain.md 5 row 6)."""
LABELS = {
    "shipment": "배송번호 (고객주문번호)",
    "line": "품목별 주문번호",
    "order": "주문번호",
    "courier": "택배사",
    "waybill": "송장번호",
    "name": "받는 분 이름 (번호 열이 없을 때)",
    "phone": "받는 분 전화번호 (번호 열이 없을 때)",
    "address": "받는 분 주소 (번호 열이 없을 때)",
}


def names_people(columns: Container[str]) -> bool:
    """받는 분으로 찾기: whether columns tell enough of the receiver for a suggestion: two of name, phone, address."""
    return sum(one in columns for one in PEOPLE) >= 2
