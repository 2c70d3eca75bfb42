"""SmartStore 발주발송관리: header under a guide row, password, shares, canceled and sent rows left out."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from channels.models import ChannelListing
from core.calendar import KST
from core.excel import FileProblem
from core.models import ItemResult
from orders.models import Order, OrderEvent, OrderLine
from orders.states import BIT_UNACKNOWLEDGED, LineState, PaymentMethod
from payments.models import LedgerEntry, Payment
from payments.states import PaymentState
from tests.channels.conftest import verdicts
from tests.channels.files import SMARTSTORE, smartstore, smartstore_row

OK, REFUSED, PENDING = ItemResult.OK, ItemResult.REFUSED, ItemResult.PENDING


def test_the_header_has_the_72_names_of_the_download():
    assert len(SMARTSTORE) == len(set(SMARTSTORE)) == 72


def test_a_paid_row_becomes_a_paid_order_with_every_fact(load):
    job = load(smartstore([smartstore_row(1)]))
    assert verdicts(job) == [(3, OK, "")]
    order = Order.objects.get()
    line = order.lines.get()
    assert (order.channel.code, order.channel_number) == ("smartstore", "2026092000000001")
    assert (order.buyer_name, order.buyer_phone) == ("홍길동", "01012345678")
    assert (order.recipient_name, order.recipient_phone, order.zip_code) == ("김 수령", "01087654321", "06234")
    assert (order.address1, order.address2) == ("서울특별시 강남구 테헤란로 4321", "101동 1203호")
    assert order.payment_method == PaymentMethod.MARKET
    assert order.paid_at == datetime(2026, 9, 20, 21, 3, 11, tzinfo=KST)
    assert (order.goods_amount, order.discount_amount, order.shipping_fee_amount) == (31_800, 1_800, 3_000)
    assert order.due_amount == order.paid_amount == 33_000
    assert (line.state, line.unit_price, line.quantity) == (LineState.PREPARING, 15_900, 2)
    assert (line.channel_number, line.channel_product) == ("2026092000000001", "8801234567")
    assert line.ship_by == datetime(2026, 9, 28, 23, 59, 59, tzinfo=KST)
    assert line.variant_id is None
    assert line.locks.get().kind == "MAPPING"
    assert LedgerEntry.objects.get().amount == 33_000
    assert OrderEvent.objects.get(kind="order.received").source == "UPLOAD"


def test_what_was_acknowledged_at_the_channel_arrives_acknowledged(load):
    """domain.md 3.2, 4.4: the date of the file, line by line; a status without a date counts from the upload."""
    began = timezone.now()
    same = {"주문번호": "2026092177000001", "배송비 묶음번호": "B1"}
    load(
        smartstore(
            [
                smartstore_row(1, **same, 발주확인일="2026-09-21 08:30:00", 주문세부상태="발주확인"),
                smartstore_row(2, **same),
                smartstore_row(3, 발주확인일="2026-09-21 08:31:00"),
                smartstore_row(4, 주문세부상태="발주확인"),
            ]
        )
    )
    *dated, undated = OrderLine.objects.order_by("channel_number").values_list("acknowledged_at", flat=True)
    half_past = datetime(2026, 9, 21, 8, 30, tzinfo=KST)
    assert dated == [half_past, None, half_past + timedelta(minutes=1)]
    assert began <= undated <= timezone.now()
    shown = Order.objects.order_by("channel_number").values_list("steps", flat=True)
    assert [bool(steps & BIT_UNACKNOWLEDGED) for steps in shown] == [False, False, True]


def test_a_date_of_발주확인_that_cannot_be_is_refused_and_a_line_without_one_is_not(preview, load):
    wrong = preview(smartstore([smartstore_row(1, 발주확인일="2031-01-01"), smartstore_row(2, 발주확인일="언젠가")]))
    assert [reason for _, _, reason in verdicts(wrong)] == [
        "발주확인일을 확인하세요. 2000년부터 오늘까지의 날짜여야 합니다.",
        "발주확인일: 날짜는 2025-11-21처럼 입력하세요.",
    ]
    assert not Order.objects.exists()
    load(smartstore([smartstore_row(1)]))
    assert OrderLine.objects.get().acknowledged_at is None


@pytest.mark.parametrize(
    ("said", "method"),
    [
        ("신용카드", PaymentMethod.CARD),
        ("신용카드 간편결제", PaymentMethod.EASY_PAY),
        ("네이버페이 포인트", PaymentMethod.EASY_PAY),
        ("무통장입금", PaymentMethod.MARKET),
        ("휴대폰", PaymentMethod.MARKET),
        ("", PaymentMethod.MARKET),
    ],
)
def test_the_payment_method_of_the_file_is_kept_where_it_is_prepaid(said, method, load):
    load(smartstore([smartstore_row(1, 결제수단=said)]))
    order = Order.objects.get()
    assert (order.payment_method, order.paid_amount, order.due_amount) == (method, 33_000, 33_000)
    payment = Payment.objects.get()
    assert (payment.method, payment.state) == (method, PaymentState.PAID)


def test_rows_of_one_order_are_one_order_and_a_bundle_pays_shipping_once(load):
    same = {"주문번호": "2026092177000001", "배송비 묶음번호": "B1"}
    load(
        smartstore(
            [
                smartstore_row(1, **same),
                smartstore_row(2, **same, 상품번호="99", 옵션정보="", 상품명="양말"),
                smartstore_row(3, **same | {"배송비 묶음번호": "B2", "배송비 합계": 2500}),
            ]
        )
    )
    order = Order.objects.get()
    assert order.lines.count() == 3
    assert order.shipping_fee_amount == 5_500
    assert sum(order.lines.values_list("shipping_share", flat=True)) == 5_500


def test_a_password_is_asked_for_and_opens_the_file(preview):
    data = smartstore([smartstore_row(1)], password="1234")
    with pytest.raises(FileProblem) as asked:
        preview(data)
    assert asked.value.message == "암호가 걸린 파일입니다. 암호를 입력하세요."
    with pytest.raises(FileProblem) as wrong:
        preview(data, password="4321")
    assert wrong.value.code == "file_password_wrong"
    job = preview(data, password="1234")
    assert verdicts(job) == [(3, PENDING, "")]
    assert "1234" not in str(job.params)
    assert not Order.objects.exists()


def test_canceled_claimed_sent_and_unpaid_rows_are_left_out_with_the_reason(load):
    job = load(
        smartstore(
            [
                smartstore_row(1, 주문상태="취소", 주문세부상태="취소완료"),
                smartstore_row(2, 주문상태="반품", 주문세부상태="반품요청"),
                smartstore_row(3, 주문상태="배송중", 주문세부상태="배송중"),
                smartstore_row(4, 주문상태="결제대기", 주문세부상태=""),
                smartstore_row(5, 발송처리일="2026-09-21"),
                smartstore_row(6),
            ]
        )
    )
    found = verdicts(job)
    assert [result for _, result, _ in found] == [REFUSED] * 5 + [OK]
    assert found[0][2] == "취소했거나 취소를 신청한 주문입니다. 등록하지 않습니다. 주문상태: 취소완료"
    assert found[2][2].startswith("이미 발송한 주문입니다.")
    assert found[3][2].startswith("아직 결제하지 않은 주문입니다.")
    assert Order.objects.count() == 1


def test_a_canceled_line_does_not_take_the_rest_of_its_order_away(load):
    same = {"주문번호": "2026092177000001", "배송비 묶음번호": "B1"}
    load(smartstore([smartstore_row(1, **same), smartstore_row(2, **same, 주문상태="취소", 주문세부상태="취소완료")]))
    assert Order.objects.get().lines.get().channel_number == "2026092000000001"


def test_rows_that_contradict_each_other_refuse_the_whole_order(load):
    same = {"주문번호": "2026092177000001"}
    job = load(
        smartstore([smartstore_row(1, **same), smartstore_row(2, **same, 수취인명="다른 사람"), smartstore_row(3)])
    )
    found = verdicts(job)
    text = "수령자가 3행과 4행에서 다릅니다. 같은 주문이면 값을 맞춰 주세요."
    assert found == [(3, REFUSED, text), (4, REFUSED, text), (5, OK, "")]
    assert Order.objects.get().channel_number == "2026092000000003"


def test_one_unreadable_row_refuses_its_order_and_names_itself(preview):
    same = {"주문번호": "2026092177000001", "배송비 묶음번호": "B1"}
    job = preview(smartstore([smartstore_row(1, **same, 수량="많이"), smartstore_row(2, **same)]))
    assert verdicts(job) == [
        (3, REFUSED, "수량: 수량은 3처럼 정수로 입력하세요."),
        (4, REFUSED, "같은 주문의 3행에 오류가 있어 이 주문을 등록하지 않습니다."),
    ]
    assert not Order.objects.exists()


def test_amounts_of_a_line_that_do_not_add_up_are_refused(preview):
    job = preview(smartstore([smartstore_row(1, **{"최종 상품별 총 주문금액": 29_000})]))
    assert verdicts(job)[0][2] == "품목 금액 31,800원에서 할인 1,800원을 뺀 값이 품목 결제금액 29,000원과 다릅니다."
    assert not OrderLine.objects.exists()


def test_the_same_file_and_the_same_orders_again_change_nothing(load, preview):
    first = smartstore([smartstore_row(1), smartstore_row(2)])
    load(first)
    before = (Order.objects.count(), OrderEvent.objects.exclude(subject="job").count(), LedgerEntry.objects.count())
    with pytest.raises(Exception, match="이미 반영했습니다"):
        preview(first)
    again = preview(smartstore([smartstore_row(2), smartstore_row(1)]))
    assert verdicts(again) == [(3, REFUSED, "변화 없음"), (4, REFUSED, "변화 없음")]
    after = (Order.objects.count(), OrderEvent.objects.exclude(subject="job").count(), LedgerEntry.objects.count())
    assert before == after


def test_a_new_line_of_a_known_order_is_not_passed_over_in_silence(load):
    same = {"주문번호": "2026092177000001", "배송비 묶음번호": "B1"}
    load(smartstore([smartstore_row(1, **same)]))
    job = load(smartstore([smartstore_row(1, **same), smartstore_row(2, **same), smartstore_row(9)]))
    number = Order.objects.get(channel_number="2026092177000001").number
    assert [reason for _, _, reason in verdicts(job)] == [
        "변화 없음",
        f"이미 등록한 주문 {number}에 없는 품목입니다. 주문 상세에서 확인하세요.",
        "",
    ]


def test_a_waybill_at_the_channel_asks_and_is_taken_only_when_ticked(load):
    data = smartstore([smartstore_row(1, 송장번호="680000000011"), smartstore_row(2)])
    job = load(data)
    assert [result for _, result, _ in verdicts(job)] == [REFUSED, OK]
    assert Order.objects.count() == 1
    load(smartstore([smartstore_row(1, 송장번호="680000000012")]), ticked=[3])
    assert Order.objects.count() == 2


def test_our_own_option_code_connects_a_line_and_is_remembered(load, make_variant):
    variant = make_variant(sku="TEE-W-M")
    load(smartstore([smartstore_row(1, 옵션관리코드="TEE-W-M"), smartstore_row(2)]))
    assert set(OrderLine.objects.values_list("variant", flat=True)) == {variant.pk}
    listing = ChannelListing.objects.get()
    assert (listing.product, listing.option, listing.variant_id) == (
        "8801234567",
        "색상: 화이트 / 사이즈: M",
        variant.pk,
    )
    assert listing.use_count == 2


def test_a_product_code_never_stands_for_one_of_its_options(load, make_variant):
    make_variant(sku="TEE")
    load(smartstore([smartstore_row(1, **{"판매자 상품코드": "TEE"})]))
    assert OrderLine.objects.get().variant_id is None


def test_columns_that_a_seller_chose_in_another_order_are_found_by_name(load):
    chosen = [name for name in reversed(SMARTSTORE) if name not in {"배송희망일", "판매채널", "구매자ID", "통합배송지"}]
    load(smartstore([smartstore_row(1)], guide=False, columns=chosen))
    assert Order.objects.get().due_amount == 33_000
