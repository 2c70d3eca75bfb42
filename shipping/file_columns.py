"""송장 파일의 열: under which names couriers and markets write what we need."""

from collections.abc import Mapping, Sequence

TARGETS: Mapping[str, Sequence[str]] = {
    "shipment": ("배송번호", "고객주문번호", "송장관리번호", "고객사주문번호", "관리번호"),
    "line": ("품목별 주문번호", "상품주문번호", "주문상품번호", "품목주문번호"),
    "order": ("주문번호", "쇼핑몰 주문번호"),
    "courier": ("택배사", "택배사명", "택배사코드", "배송업체", "배송업체번호", "배송사"),
    "waybill": ("운송장번호", "송장번호", "운송장", "송장", "등기번호", "운송장NO", "wbl_no"),
}
KEYS = ("shipment", "line", "order")
LABELS = {
    "shipment": "배송번호 (고객주문번호)",
    "line": "품목별 주문번호",
    "order": "주문번호",
    "courier": "택배사",
    "waybill": "송장번호",
}
