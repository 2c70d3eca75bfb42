"""The three known layouts: SmartStore 발주발송관리, Cafe24, Sabangnet; told by column names, never by position."""

from collections.abc import Mapping

from channels.adapters import statuses
from channels.adapters.layouts import Layout, Pick

# domain.md 4.4: 72 columns under a guide row, and variants whose columns the seller chose.
SMARTSTORE = Layout(
    kind="SMARTSTORE",
    signature=("상품주문번호", "주문번호", "수취인명"),
    prepaid=True,
    statuses=statuses.NAVER,
    columns={
        "order_number": ("주문번호",),
        "line_number": ("상품주문번호",),
        "ordered_at": ("주문일시",),
        "paid_at": ("결제일",),
        "status": ("주문상태",),
        "status_detail": ("주문세부상태",),
        "acknowledged_at": ("발주확인일",),
        "claimed": ("수량클레임 여부",),
        "shipped_at": ("발송처리일",),
        "waybill": ("송장번호",),
        "buyer_name": ("구매자명",),
        "buyer_phone": ("구매자연락처",),
        "recipient_name": ("수취인명",),
        "recipient_phone": ("수취인연락처1",),
        "recipient_phone2": ("수취인연락처2",),
        "zip_code": ("우편번호",),
        "address1": ("기본배송지",),
        "address2": ("상세배송지",),
        "full_address": ("통합배송지",),
        "delivery_note": ("배송메세지", "배송메시지"),
        "delivery_method": ("배송방법(구매자 요청)", "배송방법"),
        "ship_by": ("발송기한",),
        "payment_method": ("결제수단",),
        "shipping_fee": ("배송비 합계",),
        "shipping_discount": ("배송비 할인액",),
        "shipping_kind": ("배송비 형태",),
        "shipping_group": ("배송비 묶음번호",),
        "product_code": ("상품번호",),
        "product_name": ("상품명",),
        "option_name": ("옵션정보",),
        "option_code": ("옵션관리코드",),
        "product_sku": ("판매자 상품코드",),
        "quantity": ("수량",),
        "unit_price": ("상품가격",),
        "option_price": ("옵션가격",),
        "line_discount": ("최종 상품별 할인액",),
        "line_total": ("최종 상품별 총 주문금액",),
    },
    # Each 상품주문 carries its own time; the order was placed once.
    picks=dict.fromkeys(("ordered_at", "paid_at", "ship_by", "delivery_method", "payment_method"), Pick.FIRST),
)

# domain.md 4.2: every mall chooses its own columns.
CAFE24 = Layout(
    kind="CAFE24",
    signature=("주문번호", "수령인", "수량"),
    statuses=statuses.CAFE24,
    columns={
        "order_number": ("주문번호",),
        "line_number": ("품목별 주문번호",),
        "ordered_at": ("주문일시", "주문일"),
        "paid_at": ("결제일시(입금확인일)", "결제일시", "입금확인일", "결제일"),
        "status": ("주문상태", "주문 상태"),
        "refunded": ("실제 환불금액",),
        "waybill": ("송장번호", "운송장번호"),
        "mall": ("쇼핑몰 번호",),
        "buyer_name": ("주문자명", "주문자"),
        "buyer_phone": ("주문자 휴대전화", "주문자 전화번호"),
        "buyer_email": ("주문자 이메일",),
        "recipient_name": ("수령인", "수령자", "수령인명"),
        "recipient_phone": ("수령인 휴대전화",),
        "recipient_phone2": ("수령인 전화번호",),
        "zip_code": ("수령인 우편번호", "우편번호"),
        "address1": ("수령인 주소",),
        "address2": ("수령인 상세 주소", "수령인 상세주소"),
        "full_address": ("수령인 주소(전체)",),
        "delivery_note": ("배송메시지", "배송메세지"),
        "payment_method": ("결제수단",),
        "depositor_name": ("입금자명",),
        "shipping_fee": ("배송비", "총 배송비"),
        "coupon_amount": ("주문서 쿠폰 할인금액",),
        "points_amount": ("사용한 적립금액(최종)", "사용한 적립금액"),
        "order_total": ("결제금액", "총 결제금액", "총 실결제금액"),
        "product_code": ("상품품목코드", "상품코드", "상품번호"),
        "product_name": ("주문상품명", "상품명(한국어 쇼핑몰)", "상품명"),
        "option_name": ("상품옵션", "옵션"),
        "option_code": ("자체품목코드", "자체 품목코드"),
        "quantity": ("수량",),
        "unit_price": ("판매가",),
        "line_amount": ("상품구매금액(KRW)", "상품구매금액"),
    },
)

# domain.md 4.6: the field names of the interface; 확정 names win over 수집 names.
SABANGNET = Layout(
    kind="SABANGNET",
    signature=("order_id", "receive_name", "sale_cnt"),
    prepaid=True,
    statuses=statuses.SABANGNET,
    columns={
        "order_number": ("order_id",),
        "line_number": ("idx",),
        "ordered_at": ("order_date",),
        "status": ("order_status",),
        "shipped_at": ("delivery_confirm_date",),
        "waybill": ("invoice_no",),
        "mall": ("mall_id",),
        "buyer_name": ("user_name",),
        "buyer_phone": ("user_cel", "user_tel"),
        "buyer_email": ("user_email",),
        "recipient_name": ("receive_name",),
        "recipient_phone": ("receive_cel",),
        "recipient_phone2": ("receive_tel",),
        "zip_code": ("receive_zipcode",),
        "address1": ("receive_addr",),
        "delivery_note": ("delv_msg",),
        "shipping_fee": ("delv_cost",),
        "product_code": ("mall_product_id", "product_id"),
        "product_name": ("p_product_name", "product_name"),
        "option_name": ("p_sku_value", "sku_value"),
        "option_code": ("sku_alias",),
        "product_sku": ("compayny_goods_cd",),
        "quantity": ("sale_cnt",),
        "unit_price": ("sale_cost",),
        "line_total": ("pay_cost",),
    },
    picks={"shipping_fee": Pick.FIRST},
)

LAYOUTS: Mapping[str, Layout] = {layout.kind: layout for layout in (SMARTSTORE, SABANGNET, CAFE24)}
"""In the order in which a file is compared with them."""
CUSTOM = Layout(kind="CUSTOM", columns={}, signature=())


def layout_of(kind: str) -> Layout:
    """파일 양식 찾기: the known one, or the empty layout of a mapping that staff made."""
    return LAYOUTS.get(kind, CUSTOM)
