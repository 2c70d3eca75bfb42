"""PG money in a real browser: a deposit empties the open screen by itself; the pages of money have no fault."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.services import create_demo_staff
from core import drains
from orders.states import LineState
from payments.models import CashReceipt, Payment, PgNotice
from payments.services.ledger import problems
from payments.services.refunds import requesting
from payments.services.watching import reconciling
from payments.states import ProblemKind, ReceiptPurpose
from tests.browser.shop import log_in, overflow
from tests.fixtures.axe import violations
from tests.fixtures.orders import reloaded
from tests.fixtures.refunds import ACCOUNT

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
POLL = 60_000
"""Milliseconds: the screen asks about its rows every 15 s, about its numbers every 30 s."""


@pytest.fixture
def shop(pg_shop, live_server, sign_in, staff, page):
    """The sandbox's Toss, an order that waits for its deposit, and the owner in the browser."""
    create_demo_staff(at=timezone.now())
    order = pg_shop.order(pg_shop.account("toss"))
    return log_in(page, live_server, sign_in(staff)), order


def test_a_deposit_at_the_bank_leaves_the_open_screen_without_a_reload(shop, pg_shop, page, console_errors):
    url, order = shop
    board = page.context.new_page()
    board.goto(f"{url}/orders/preparing/?period=all")
    board.evaluate("window.stays = true")
    assert board.locator(f"#row-{order.pk}").count() == 0
    shown = board.locator("#list [data-count=total]").inner_text()
    assert shown.startswith("주문 0건")
    assert not board.locator("[data-note=moved]").is_visible()
    page.goto(f"{url}/orders/awaiting-payment/?period=all")
    row = page.locator(f"#row-{order.pk}")
    assert "우리은행" in row.inner_text()
    page.evaluate("window.stays = true")

    buyer = page.context.new_page()
    buyer.goto(f"{pg_shop.pgs.base_url}/?q={order.number}")
    buyer.get_by_role("button", name="입금하기", exact=True).click()
    buyer.get_by_text("입금했습니다.").first.wait_for()
    buyer.close()
    pg_shop.pgs.wait_for(lambda: PgNotice.objects.exists())
    drains.run_all()
    assert reloaded(order).stage == LineState.PREPARING

    page.bring_to_front()
    page.locator(f"#row-{order.pk}.moved, #row-{order.pk} .moved").or_(
        page.get_by_text("방금 시스템이 처리")
    ).first.wait_for(timeout=POLL)  # fmt: skip
    expect(page.locator(f"#row-{order.pk} input[type=checkbox]:not([disabled])")).to_have_count(0)
    assert page.evaluate("window.stays") is True
    assert page.locator("[data-count=menu-awaiting-payment]").inner_text() in {"0", "1"}

    # The row says its new state in words, not by a colour alone (WCAG 1.4.1).
    said = page.locator(f"#row-{order.pk} .said")
    expect(said).to_have_text("상품준비중 방금 시스템이 처리 · PG 입금 통보")
    expect(said).to_have_attribute("title", "상품준비중 · 방금 시스템이 처리 · PG 입금 통보")
    assert said.locator(".badge").evaluate("badge => parseFloat(getComputedStyle(badge).fontSize)") > 10
    assert violations(page) == []

    # The colleague's 상품준비중 was open beside all the time and nobody has touched it. Where there was no row there is
    # nothing that could jump: the number and the order come together, never "주문 1건" above an empty list.
    board.bring_to_front()
    board.locator(f"#row-{order.pk}").wait_for(timeout=POLL)
    expect(board.locator("#list [data-count=total]")).to_contain_text("주문 1건")
    expect(board.locator("#list .empty")).to_have_count(0)
    expect(board.locator("[data-note=moved]")).to_be_hidden()
    expect(board.locator("[data-count=menu-preparing]")).to_have_text("1", timeout=POLL)
    assert violations(board) == []
    assert board.evaluate("window.stays") is True


def test_the_pages_of_money_are_accessible_and_fit(shop, pg_shop, staff, page, console_errors):
    url, order = shop
    pg_shop.deposit(order)
    pg_shop.heard()
    payment = Payment.objects.get(order=order)
    problems.open_for(payment, ProblemKind.OVERPAID, amount=2_000, at=timezone.now(), detail="고객이 두 번 보냄")
    notice, problem = PgNotice.objects.order_by("pk").first(), payment.problems.get()
    CashReceipt.objects.create(
        payment=payment, reference="AB0000000012", purpose=ReceiptPurpose.INCOME, masked_number="*******5678",
        amount=33_000, url="https://pg.example/r/1", found_at=timezone.now(),
    )  # fmt: skip
    reconciling.reconcile_week(at=timezone.now())
    ask = requesting.Ask(payment_id=payment.pk, amount=2_000, account=ACCOUNT)
    requesting.request(asks=[ask], reason="더 보냄", actor=staff, at=timezone.now())
    for path in (
        "/payments/notices/?period=all",
        f"/payments/notices/{notice.pk}/",
        "/payments/notices/refused/",
        "/payments/receipts/",
        "/payments/reconciliations/",
        "/payments/refunds/?tab=all",
        "/orders/awaiting-payment/?period=all&tab=difference",
        "/payments/problems/",
        f"/payments/problems/{problem.pk}/",
        "/settings/pg/",
        f"/settings/pg/{payment.account_id}/",
        "/settings/pg/new/?provider=inicis",
        f"/orders/{order.number}/",
    ):
        for width in (1280, 1440):
            page.set_viewport_size({"width": width, "height": 860})
            page.goto(f"{url}{path}")
            assert overflow(page) == [], path
        for theme in ("light", "dark"):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
            assert violations(page) == [], (path, theme)


def test_a_person_gives_a_reason_and_reads_the_raw_body(shop, pg_shop, page, console_errors):
    url, order = shop
    pg_shop.deposit(order)
    pg_shop.heard()
    notice = PgNotice.objects.filter(kind="DEPOSITED").order_by("pk").first()
    page.goto(f"{url}/payments/notices/{notice.pk}/")
    page.locator("[data-reveal]").first.click()
    page.get_by_label("보는 이유").fill("고객 입금 문의")
    page.get_by_role("button", name="보기", exact=True).click()
    page.locator("[data-revealed]").wait_for()
    assert notice.order_ref in page.locator("[data-revealed] pre").inner_text()
    # Nothing is possible: 409, which the browser notes.
    with page.expect_console_message(lambda message: "409" in message.text):
        page.locator('[data-action="replay-notice"]').click()
    page.locator("#dialog[open]").wait_for()
    assert "변경 없음" in page.locator("#dialog").inner_text()
    console_errors.clear()


def test_a_low_screen_shows_the_entry_of_the_menu_and_the_answer_of_a_button(shop, pg_shop, page, console_errors):
    url, order = shop
    page.set_viewport_size({"width": 1280, "height": 640})
    page.goto(f"{url}/settings/pg/{Payment.objects.get(order=order).account_id}/")
    expect(page.locator(".sidebar [aria-current]")).to_be_in_viewport(ratio=1)
    assert page.evaluate("scrollY") == 0
    page.get_by_role("button", name="연결 확인").click()
    expect(page.get_by_text("토스페이먼츠에 연결했습니다. 키가 맞습니다.")).to_be_in_viewport(ratio=1)


def test_the_refund_of_a_case_is_asked_for_beside_the_list(shop, pg_shop, page, console_errors):
    url, order = shop
    pg_shop.deposit(order)
    pg_shop.heard()
    payment = Payment.objects.get(order=order)
    problems.open_for(payment, ProblemKind.OVERPAID, amount=2_000, at=timezone.now(), detail="")
    page.goto(f"{url}/payments/problems/")
    page.evaluate("window.stays = true")
    page.locator("tbody[data-id] a[data-open]").first.click()
    form = page.locator("#problem-ask form")
    with page.expect_console_message(lambda message: "422" in message.text):
        form.locator("[data-refund]").click()
    expect(form.locator(".field-error")).to_have_text(
        [
            "사유를 입력하세요. 처리 이력에 남습니다.",
            "환불 은행을 고르세요.",
            "계좌번호를 입력하세요.",
            "예금주를 입력하세요.",
        ]
    )
    console_errors.clear()
    form.get_by_label("사유").fill("더 보냄")
    form.get_by_label("환불 은행").select_option(ACCOUNT.bank)
    form.get_by_label("계좌번호").fill(ACCOUNT.number)
    form.get_by_label("예금주").fill(ACCOUNT.holder)
    form.locator("[data-refund]").dblclick()
    expect(page.locator("#strip")).to_contain_text("환불을 신청")
    expect(page.locator("#problem-ask")).to_have_count(0)
    assert page.evaluate("window.stays") is True
    assert [one.amount for one in payment.refunds.all()] == [2_000]
