"""자동입금확인 in a real browser: the queue, the slide-over with its candidates, linking, a file; nothing for axe."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.services import create_demo_staff
from core.calendar import KST
from orders.models import OrderLine
from orders.states import LineState
from payments.models import BankDeposit
from payments.states import DepositState
from tests.fixtures.axe import violations
from tests.fixtures.orders import reloaded

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def queue(live_server, make_order, came_in, matched, page):
    """Two open orders of 25,000 won of 김철수 and his one transfer, and a transfer that is 1,000 won short."""
    create_demo_staff(at=timezone.now())
    at = timezone.now() - timedelta(hours=3)
    twins = [make_order(price=25_000, at=at, depositor_name="김철수", buyer_name="김철수") for _ in range(2)]
    short = make_order(price=39_000, at=at)
    deposits = [
        came_in(25_000, "김 철수", at=at + timedelta(hours=1)),
        came_in(38_000, "홍길동", at=at + timedelta(hours=2)),
    ]
    matched(at=at + timedelta(hours=2))
    page.goto(f"{live_server.url}/login/?next=/payments/deposits/")
    page.keyboard.insert_text("finance")
    page.keyboard.press("Tab")
    page.keyboard.insert_text("demo")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{live_server.url}/payments/deposits/")
    return live_server.url, twins, short, [reloaded(one) for one in deposits]


def test_staff_choose_between_twins_and_accept_a_difference(queue, page, console_errors):
    url, twins, short, (ambiguous, under) = queue
    row = page.locator(f"#row-{ambiguous.pk}")
    assert "같은 주문 여럿" in row.inner_text()
    assert violations(page) == []

    row.locator("a.number").first.click()
    page.locator(f'[data-deposit="{ambiguous.pk}"]').wait_for()
    numbers = page.locator("#detail [data-candidate]").evaluate_all("rows => rows.map(row => row.dataset.candidate)")
    assert numbers == [one.number for one in twins]
    assert "100점" in page.locator("#detail [data-candidate]").first.inner_text()
    assert violations(page) == []
    page.locator('#detail [data-link="plain"]').click()
    page.get_by_text("연결할 주문을 고르세요.").wait_for()
    page.locator(f'#detail [data-candidate="{twins[1].number}"] input').check()
    page.locator('#detail [data-link="plain"]').click()
    page.get_by_text("입금 25,000원을 주문 1건에 연결했습니다.").wait_for()
    page.locator(f'[data-deposit="{ambiguous.pk}"][data-state="ALLOCATED"]').wait_for()
    page.locator(f"#row-{ambiguous.pk}").wait_for(state="detached")
    assert [OrderLine.objects.get(order=one).state for one in twins] == [
        LineState.AWAITING_PAYMENT,
        LineState.PREPARING,
    ]

    page.goto(f"{url}/payments/deposits/?tab=under")
    page.locator(f"#row-{under.pk} a.number").first.click()
    page.locator(f'[data-deposit="{under.pk}"]').wait_for()
    page.locator('#detail [data-link="plain"]').click()
    page.get_by_text("1,000원 적습니다").wait_for()
    page.locator("#detail [name=accepts_difference]").check()
    page.locator('#detail [data-link="plain"]').click()
    page.get_by_text("입금 38,000원을 주문 1건에 연결했습니다.").wait_for()
    assert reloaded(short).paid_amount == 38_000
    assert reloaded(under).state == DepositState.ALLOCATED
    # The browser notes every refusal; there were two.
    assert len(console_errors) == 2
    assert all("422" in one for one in console_errors)
    console_errors.clear()


def test_a_file_is_looked_at_and_taken_in(queue, page, console_errors):
    url, *_ = queue
    when = f"{timezone.now().astimezone(KST):%Y-%m-%d} 00:01:00"
    text = f"거래일시,보낸분,입금액,출금액,잔액\n{when},이순신,11000,0,900000\n{when},가게,0,5000,895000\n"
    page.goto(f"{url}/payments/deposits/upload/")
    assert violations(page) == []
    page.locator("input[type=file]").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": text.encode()})
    page.get_by_role("button", name="미리보기").click()
    page.wait_for_url("**/upload/*-*/")
    assert violations(page) == []
    page.get_by_role("button", name="새 입금 1건 등록").click()
    page.get_by_text("입금 1건을 등록했습니다.").wait_for()
    assert BankDeposit.objects.get(amount=11_000).state == DepositState.NEW
    page.goto(f"{url}/payments/deposits/?tab=all")
    page.get_by_text("입금 1건의 주문을 찾고 있습니다.").wait_for()
