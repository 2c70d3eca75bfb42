"""입금대기 관리: tabs by the clock, the countdown, masking, who may see and take it away, a fixed number of queries."""

import io
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from openpyxl import load_workbook

from accounts.models import AccessLog
from accounts.roles import Role
from core.calendar import KST
from core.cells import time_left
from core.lists import lists
from core.lists.export import write_export
from core.lists.presenter import present
from orders.models import Order
from orders.states import PaymentMethod
from payments.services.manual import confirm_manually
from tests.fixtures.order_rows import NOW as MANY_NOW

URL = "/orders/awaiting-payment/"
NOON = datetime(2026, 9, 8, 12, 0, tzinfo=KST)
COUNTS = json.loads((Path(settings.BASE_DIR) / "tests" / "query_counts.json").read_text())["lists"]["awaiting-payment"]


@pytest.fixture
def waiting(make_order, make_variant):
    """Four orders: due long ago, due one second after noon, due 23:59 of the day, due tomorrow at 00:00."""
    variant = make_variant(on_hand=100)

    def due(at, **facts):
        return make_order(lines=[(variant, 1)], at=at - timedelta(days=7), **facts)

    midnight = NOON.replace(hour=0) + timedelta(days=1)
    return {
        "past": due(NOON, payment_method=PaymentMethod.VIRTUAL_ACCOUNT),
        "soon": due(NOON + timedelta(seconds=1)),
        "evening": due(midnight - timedelta(minutes=1)),
        "tomorrow": due(midnight),
    }


def query(params="period=all", user=None, at=NOON):
    return lists.page("awaiting-payment").query(params, user=user, at=at)


def numbers(params, **facts):
    return [row.number for row in present(query(params, **facts)).rows]


def test_the_order_that_is_canceled_next_stands_first(waiting):
    assert numbers("period=all") == [waiting[name].number for name in ("past", "soon", "evening", "tomorrow")]
    assert numbers("period=all&sort=-deposit_by") == numbers("period=all")[::-1]


def test_tabs_follow_the_clock_to_the_second(waiting):
    def of(tab, at=NOON):
        names = {order.number: name for name, order in waiting.items()}
        return [names[number] for number in numbers(f"period=all&tab={tab}", at=at)]

    assert of("overdue") == ["past"]
    assert of("today") == ["soon", "evening"]
    assert of("overdue", NOON + timedelta(seconds=1)) == ["past", "soon"]
    assert of("account") == ["past"]
    assert of("bank") == ["soon", "evening", "tomorrow"]
    counts = query().count()
    assert {key: one.number for key, one in counts.tabs.items()} == {
        "all": 4, "bank": 3, "account": 1, "today": 2, "overdue": 1, "matching": 0, "difference": 0,
    }  # fmt: skip
    assert counts.total.number == 4


def test_a_row_shows_money_names_and_the_time_that_is_left(waiting, deposit):
    order = waiting["evening"]
    deposit(order, 7_000, at=NOON)
    row = next(row for row in present(query()).rows if row.number == order.number)
    html = row.html
    assert "홍*동" in html
    assert "홍길동" not in html
    assert "<b>10,000원</b>" in html
    assert "7,000원" in html
    assert "3,000원 부족" in html
    assert f'data-deadline="{order.deposit_by.isoformat()}">11시간 59분 남음</span>' in html
    assert "금액 다름" in html
    assert "기한 오늘" in html
    assert row.state == "AWAITING_PAYMENT"


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(0), "기한 지남"),
        (timedelta(seconds=59), "0분 남음"),
        (timedelta(minutes=90), "1시간 30분 남음"),
        (timedelta(hours=47, minutes=59), "47시간 59분 남음"),
        (timedelta(hours=48), "2일 남음"),
    ],
)
def test_the_words_of_the_countdown(left, words):
    assert time_left(NOON + left, NOON) == words


def test_deposits_that_do_not_fit_are_found_by_their_filter(waiting, deposit):
    deposit(waiting["soon"], 9_000, at=NOON)
    assert numbers("period=all&deposit=different") == [waiting["soon"].number]
    assert len(numbers("period=all&deposit=none")) == 3


def test_people_and_numbers_are_found(waiting, staff):
    assert numbers(f"q={waiting['soon'].number}", user=staff) == [waiting["soon"].number]
    assert len(numbers("q=홍길", user=staff)) == 4


def test_file_and_api_hold_the_rows_of_the_list(waiting, staff):
    asked = query("period=all&tab=bank", user=staff)
    target = io.BytesIO()
    write_export(asked, target)
    head, *rows = load_workbook(target, read_only=True).active.iter_rows(values_only=True)
    assert [row[head.index("주문번호")] for row in rows] == numbers("period=all&tab=bank")
    assert {row[head.index("입금자명")] for row in rows} == {"홍길동"}
    assert {row[head.index("결제예정액")] for row in rows} == {10_000}
    api = asked.api()["items"]
    assert [item["number"] for item in api] == numbers("period=all&tab=bank")
    assert {item["depositor"] for item in api} == {"홍*동"}


@pytest.mark.parametrize("role", list(Role))
def test_everybody_sees_the_list_and_few_take_it_away(waiting, sign_in, role):
    client = sign_in(role)
    page = client.get(URL, {"period": "all"})
    assert page.status_code == 200
    assert page.content.decode().count("<tbody") == 4
    may_confirm = role in {Role.OWNER, Role.CS, Role.FINANCE}
    assert ('data-action="confirm-payment"' in page.content.decode()) is may_confirm
    assert ('data-action="cancel-unpaid"' in page.content.decode()) is (role in {Role.OWNER, Role.CS})
    file = client.post(f"{URL}excel/?period=all", {"reason": "입금 대조"})
    may_export = role in {Role.OWNER, Role.CS}
    assert file.status_code == (200 if may_export else 403)
    assert AccessLog.objects.filter(action="EXPORT").count() == may_export


def test_an_act_without_the_right_changes_nothing(waiting, sign_in):
    client = sign_in(Role.VIEWER, headers={"HX-Request": "true"})
    order = waiting["soon"]
    answer = client.post(
        "/acts/confirm-payment/", {"page": "awaiting-payment", "mode": "ids", "rows": f"{order.pk}:{order.version}"}
    )
    assert answer.status_code == 403
    assert Order.objects.filter(paid_amount__gt=0).count() == 0


def test_strangers_parameters_are_refused(waiting, sign_in):
    client = sign_in(Role.CS)
    assert client.get(URL, {"tab": "nothing"}).status_code == 400
    assert client.get(URL, {"stock": "all"}).status_code == 400
    assert client.get(URL, {"amount_min": "-1"}).status_code == 400


def test_an_empty_list_says_what_will_come(sign_in):
    page = sign_in(Role.CS).get(URL)
    assert "입금을 기다리는 주문이 없습니다." in page.content.decode()


def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(some_orders, make_staff):
    user = make_staff()
    assert query("period=all", at=MANY_NOW).count().total.number > 20
    for params, expected in COUNTS.items():
        for size in (20, 200):
            asked = f"{params}&size={size}" if params else f"size={size}"
            with CaptureQueriesContext(connection) as captured:
                view = present(query(asked, user=user, at=MANY_NOW))
            assert view.rows
            assert len(captured) == expected, (asked, [one["sql"][:100] for one in captured.captured_queries])


def test_a_row_that_was_paid_meanwhile_has_no_time_left(make_order, make_staff, sign_in):
    at = timezone.now() - timedelta(hours=1)
    paid, open_order = make_order(at=at), make_order(at=at)
    browser = sign_in(make_staff(Role.CS))
    view = browser.get(f"{URL}?period=all").context["page"]
    confirm_manually(order_ids=[paid.pk], actor=make_staff(Role.FINANCE, display_name="이도윤"), at=timezone.now())
    body = browser.get(f"{URL}poll/?since={view.since}&ids={paid.pk},{open_order.pk}").content.decode()
    assert f'data-id="{paid.pk}"' in body
    assert f'data-id="{open_order.pk}"' not in body
    assert "방금 이도윤 님이 처리" in body
    for gone in ("남음", "data-deadline", "기한 지남", "기한 오늘"):
        assert gone not in body
    page = browser.get(f"{URL}?period=all").content.decode()
    assert page.count("data-deadline=") == 1
