"""Cafe24 and Sabangnet files, the traps of domain.md 5 rows 1 to 6, and files that mean harm."""

from datetime import datetime

import openpyxl
import pytest

from channels.models import OrderProfile
from channels.services.reading import LayoutMismatch, UnknownLayout, scaled
from core.calendar import KST
from core.excel import FileProblem, Problem
from core.models import ItemResult, Job
from orders.models import Order, OrderLine
from orders.states import LineState, PaymentMethod
from tests.channels.conftest import verdicts
from tests.channels.files import (
    CAFE24,
    cafe24,
    cafe24_row,
    grid,
    plain,
    sabangnet,
    sabangnet_row,
    smartstore,
    smartstore_row,
)  # fmt: skip
from tests.fixtures.files import noise, package, raw_xlsx, saved

REFUSED = ItemResult.REFUSED


def test_cafe24_paid_rows_are_paid_and_rows_without_a_payment_date_wait(load):
    load(
        cafe24(
            [
                cafe24_row(1),
                cafe24_row(
                    2, **{"결제일시(입금확인일)": "", "결제수단": "무통장입금", "입금자명": "박입금", "결제금액": 0}
                ),
                cafe24_row(3, **{"결제일시(입금확인일)": "", "결제수단": "가상계좌"}),
                cafe24_row(4, 결제수단="무통장입금"),
            ]
        ),
        name="orders.csv",
    )
    paid, unpaid, virtual, settled = Order.objects.order_by("channel_number")
    assert (paid.stage, paid.payment_method, paid.due_amount) == (LineState.PREPARING, PaymentMethod.CARD, 33_000)
    assert (unpaid.stage, unpaid.payment_method, unpaid.due_amount) == (
        LineState.AWAITING_PAYMENT, PaymentMethod.BANK_TRANSFER, 33_000,
    )  # fmt: skip
    assert unpaid.depositor_name == "박입금"
    assert unpaid.deposit_by == datetime(2026, 9, 27, 20, 11, 5, tzinfo=KST)
    assert (virtual.stage, virtual.payment_method) == (LineState.AWAITING_PAYMENT, PaymentMethod.VIRTUAL_ACCOUNT)
    assert (settled.stage, settled.payment_method, settled.paid_amount) == (
        LineState.PREPARING, PaymentMethod.MARKET, 33_000,
    )  # fmt: skip


def test_an_unpaid_line_is_not_acknowledged_whatever_its_file_says(load):
    """발주확인 is a stamp of 상품준비중 (domain.md 3.2)."""
    load(cafe24([cafe24_row(1, **{"결제일시(입금확인일)": "", "주문상태": "발주확인"})], columns=[*CAFE24, "주문상태"]))
    line = OrderLine.objects.get()
    assert (line.state, line.acknowledged_at) == (LineState.AWAITING_PAYMENT, None)


def test_cafe24_in_cp949_reads_the_same(load):
    load(cafe24([cafe24_row(1)], encoding="cp949"), name="orders.csv")
    order = Order.objects.get()
    assert (order.recipient_name, order.address1) == ("이서연", "서울특별시 중구 세종대로 110")
    assert order.lines.get().product_name == "무선 이어폰"


def test_cafe24_amounts_of_an_order_are_shared_to_the_won(load):
    same = {"주문번호": "20260920-0000009", "쿠폰": 1, "주문서 쿠폰 할인금액": 3001, "사용한 적립금액(최종)": 1000}
    load(
        cafe24(
            [
                cafe24_row(1, **same, **{"품목별 주문번호": "20260920-0000009-01", "결제금액": 48_999}),
                cafe24_row(
                    2,
                    **same,
                    **{
                        "품목별 주문번호": "20260920-0000009-02",
                        "결제금액": 48_999,
                        "수량": 3,
                        "판매가": 6_666,
                        "상품구매금액(KRW)": 20_000,
                    },
                ),
            ]
        ),
        name="orders.csv",
    )
    order = Order.objects.get()
    first, second = order.lines.order_by("seq")
    assert (order.goods_amount, order.discount_amount) == (50_001, 1)
    assert (order.coupon_amount, order.points_amount, order.shipping_fee_amount) == (3_001, 1_000, 3_000)
    assert order.due_amount == order.paid_amount == 48_999
    assert (second.unit_price, second.quantity, second.discount_share) == (6_667, 3, 1)
    assert first.coupon_share + second.coupon_share == 3_001
    assert first.points_share + second.points_share == 1_000


def test_what_the_file_says_was_paid_decides(load, preview):
    load(cafe24([cafe24_row(1, 결제금액=31_000)]), name="orders.csv")
    order = Order.objects.get()
    assert (order.due_amount, order.discount_amount) == (31_000, 2_000)
    job = preview(cafe24([cafe24_row(2, 결제금액=40_000)]), name="orders.csv")
    text = "결제금액 40,000원이 계산한 금액 33,000원보다 큽니다. 배송비와 할인 열을 확인하세요."
    assert verdicts(job) == [(2, REFUSED, text)]


def test_cafe24_codes_canceled_and_refunded_rows_are_left_out(preview):
    columns = [*CAFE24, "주문상태"]
    rows = [
        cafe24_row(1, 주문상태="C40"), cafe24_row(2, 주문상태="R00"), cafe24_row(3, 주문상태="배송완료"),
        cafe24_row(4, **{"실제 환불금액": 5_000}), cafe24_row(5, 주문상태="N10"),
    ]  # fmt: skip
    found = verdicts(preview(cafe24(rows, columns=columns), name="orders.csv"))
    assert [result for _, result, _ in found] == [REFUSED] * 4 + [ItemResult.PENDING]
    assert found[3][2] == "환불한 주문입니다. 등록하지 않습니다."


def test_the_same_line_twice_in_a_cafe24_file_is_one_line(load):
    job = load(cafe24([cafe24_row(1), cafe24_row(1)]))
    assert [(result, reason) for _, result, reason in verdicts(job)] == [
        (ItemResult.OK, ""),
        (REFUSED, "파일의 2행과 같은 품목입니다. 한 번만 등록합니다."),
    ]
    order = Order.objects.get()
    assert (order.lines.count(), order.due_amount) == (1, 33_000)


def test_a_line_twice_with_amounts_of_two_is_refused_for_the_amount(preview):
    twice = {"총 주문금액": 63000, "결제금액": 63000}
    job = preview(cafe24([cafe24_row(1, **twice), cafe24_row(1, **twice)]))
    assert verdicts(job)[0][2] == (
        "결제금액 63,000원이 계산한 금액 33,000원보다 큽니다. 배송비와 할인 열을 확인하세요."
    )
    assert not Order.objects.exists()


def test_the_rest_of_a_partly_canceled_cafe24_order_has_no_amounts_of_its_own(preview):
    other = {"품목별 주문번호": "20260920-0000001-02", "주문 상태": "취소완료"}
    columns = [*CAFE24, "주문 상태"]
    job = preview(cafe24([cafe24_row(1), cafe24_row(1, **other)], columns=columns))
    assert verdicts(job)[0][2].startswith("취소했거나 이미 보낸 품목을 뺀 주문이라 주문 금액을 나눌 수 없습니다.")
    assert not Order.objects.exists()


def test_a_negative_price_beside_a_good_amount_is_refused(preview):
    job = preview(cafe24([cafe24_row(1, 판매가=-5)]))
    assert [(result, reason) for _, result, reason in verdicts(job)] == [
        (REFUSED, "판매가는 0원 이상이어야 합니다. 지금은 -5원입니다.")
    ]
    assert not Order.objects.exists()


def test_sabangnet_rows_are_prepaid_and_their_codes_are_read(load):
    job = load(sabangnet([sabangnet_row(1), sabangnet_row(2, order_status="010"), sabangnet_row(3, order_status="7")]))
    assert [result for _, result, _ in verdicts(job)] == [ItemResult.OK, REFUSED, REFUSED]
    order = Order.objects.get()
    assert (order.channel.code, order.due_amount, order.payment_method) == ("sabangnet", 24_000, PaymentMethod.MARKET)
    assert order.ordered_at == datetime(2026, 9, 20, 19, 30, 11, tzinfo=KST)
    assert order.lines.get().channel_product == "7700123"


def test_lost_zeros_come_back_and_exponents_and_lost_digits_are_refused(load):
    """domain.md 5, rows 2, 3 and 5."""
    job = load(
        smartstore(
            [
                smartstore_row(1, 수취인연락처1=1087654321, 구매자연락처=1012345678, 우편번호=6234),
                smartstore_row(2, 주문번호="2.02609E+15"),
                smartstore_row(3, 상품주문번호=2026092000000003000),
                smartstore_row(4, 수취인연락처1="010-****-4321"),
            ]
        )
    )
    found = verdicts(job)
    assert [result for _, result, _ in found] == [ItemResult.OK, REFUSED, REFUSED, REFUSED]
    order = Order.objects.get()
    assert (order.recipient_phone, order.buyer_phone, order.zip_code) == ("01087654321", "01012345678", "06234")
    assert "지수 형식" in found[1][2]
    assert "16자리 이상의 숫자" in found[2][2]
    assert "가려져" in found[3][2]


def test_formulas_give_their_stored_value_or_are_refused(preview):
    book = openpyxl.Workbook()
    for row in grid(["주문번호", "수령인", "수령인 주소", "주문상품명", "수량", "판매가", "주문일시"], []):
        book.active.append(row)
    book.active.append(["F-1", "김수령", "서울", "상품", "=1+1", 1000, "2026-09-20"])
    job = preview(saved(book))
    assert (
        verdicts(job)[0][2]
        == "수량: 수식의 계산 결과가 파일에 없습니다. 엑셀에서 파일을 열어 저장하거나 값으로 붙여넣어 주세요."
    )
    assert not Order.objects.exists()


def test_text_that_looks_like_a_command_is_text(load):
    load(
        cafe24([cafe24_row(1, 배송메시지="=cmd|' /C calc'!A0 \"따옴표\"", 수령인="<script>alert(1)</script>")]),
        name="o.csv",
    )
    order = Order.objects.get()
    assert order.delivery_note == "=cmd|' /C calc'!A0 \"따옴표\""
    assert order.recipient_name == "<script>alert(1)</script>"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"%PDF-1.4 no table",
        noise(5_000),
        package({"xl/vbaProject.bin": b"x", "xl/workbook.xml": b"<x/>"}),
        package({"xl/workbook.xml": b"<!DOCTYPE x><x/>"}),
        raw_xlsx(""),
        plain([["그냥 글"]]),
        "\x00\x00주문번호".encode("utf-16"),
        package({"xl/workbook.xml": b"0" * 30_000_000}),
    ],
)
def test_files_that_are_no_orders_are_refused_whole(data, preview):
    with pytest.raises((FileProblem, UnknownLayout)) as refused:
        preview(data, name="../../etc/주문.xlsx")
    assert any("가" <= letter <= "힣" for letter in refused.value.message)
    assert not Job.objects.exists()


def test_a_profile_that_does_not_fit_says_which_columns_are_missing(preview, db):
    profile = OrderProfile.objects.select_related("channel").get(kind="CAFE24")
    with pytest.raises(LayoutMismatch) as refused:
        preview(plain([["주문번호", "수량"], ["1", 2]]), profile=profile)
    assert refused.value.message.startswith(
        "'카페24 주문' 양식에 필요한 열이 파일에 없습니다: 수령자, 상품명, 주소(또는 통합 주소)"
    )
    assert not Job.objects.exists()


def test_rows_without_an_order_number_and_repeated_lines_are_refused(preview):
    job = preview(
        smartstore(
            [
                smartstore_row(1, 주문번호=None),
                smartstore_row(2),
                smartstore_row(2),
                smartstore_row(3, 상품주문번호="2026092000000002"),
            ]
        )
    )
    assert [(result, reason) for _, result, reason in verdicts(job)] == [
        (REFUSED, "주문번호가 비어 있습니다. 주문번호를 입력하세요."),
        (ItemResult.PENDING, ""),
        (REFUSED, "파일의 4행과 같은 품목입니다. 한 번만 등록합니다."),
        (REFUSED, "파일의 4행과 품목별 주문번호가 같습니다."),
    ]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"수취인명": "가" * 61}, "수령자는 60자까지 입력할 수 있습니다. 지금은 61자입니다."),
        ({"배송메세지": "가" * 501}, "배송메시지는 500자까지 입력할 수 있습니다. 지금은 501자입니다."),
        (
            {"수량": 100_000, "최종 상품별 총 주문금액": None},
            "수량은 1개부터 99,999개까지 접수합니다. 지금은 100,000개입니다.",
        ),
        ({"주문일시": "2099-01-01"}, "주문일시를 확인하세요. 2000년부터 오늘까지의 날짜여야 합니다."),
        ({"주문일시": "어제"}, "주문일시: 날짜는 2025-11-21처럼 입력하세요."),
        ({"수취인명": ""}, "수령자를 입력하세요."),
    ],
)
def test_values_that_cannot_be_stored_are_refused_before_they_are(preview, fields, reason):
    assert verdicts(preview(smartstore([smartstore_row(1, **fields)])))[0][2] == reason
    assert not OrderLine.objects.exists()


@pytest.mark.parametrize(
    ("cell", "factor", "won"),
    [("261.96", "1350.5", 353_777), (0.1, "5", 1), ("0.5", "1", 1), ("1,000.5", "2", 2_001), (-3, "2", -6)],
)
def test_amounts_are_scaled_and_rounded_half_up(cell, factor, won):
    assert scaled(cell, factor) == won


@pytest.mark.parametrize("cell", ["x", "NaN", "inf", True, datetime(2026, 1, 1), "1e400", 10**13])
def test_what_is_no_amount_is_a_problem(cell):
    assert isinstance(scaled(cell, "1.5"), Problem)
