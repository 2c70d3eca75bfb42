"""Lists of money by key, by pointer and at 1280 pixels: what is opened, what can be ticked, what stays in reach."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.roles import Role
from accounts.services import create_demo_staff
from orders.models import Order
from payments.models import CashReceipt, Payment
from payments.services.deposits import allocating
from payments.services.ledger import problems
from payments.services.refunds import requesting
from payments.states import ProblemKind, ReceiptPurpose
from tests.browser.shop import log_in
from tests.fixtures.axe import violations
from tests.fixtures.orders import reloaded
from tests.fixtures.refunds import ACCOUNT

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LOW = {"width": 1280, "height": 800}
POLL = 60_000
REFUNDS, RECEIPTS = "/payments/refunds/?tab=all", "/payments/receipts/?period=all"


@pytest.fixture
def paid(make_order, staff):
    """A paid order of which 2,000 won are asked back, with an open case and the receipt of its PG."""
    at = timezone.now()
    order = make_order(price=33_000, paid=True, at=at - timedelta(hours=3))
    payment = Payment.objects.get(order=order)
    problems.open_for(payment, ProblemKind.OVERPAID, amount=2_000, at=at, detail="")
    ask = requesting.Ask(payment_id=payment.pk, amount=2_000, account=ACCOUNT)
    requesting.request(asks=[ask], reason="더 보냄", actor=staff, at=at)
    CashReceipt.objects.create(
        payment=payment, reference="AB0000000012", purpose=ReceiptPurpose.INCOME, masked_number="*******5678",
        amount=33_000, url="https://pg.example/r/1", found_at=at,
    )  # fmt: skip
    return order


@pytest.fixture
def shop(live_server, sign_in, staff, page):
    create_demo_staff(at=timezone.now())
    return log_in(page, live_server, sign_in(staff))


@pytest.mark.parametrize("path", [REFUNDS, RECEIPTS])
@pytest.mark.parametrize("key", ["o", "Enter"])
def test_a_row_without_a_slide_over_opens_the_page_it_names(shop, paid: Order, page, console_errors, path, key):
    page.goto(shop + path)
    page.keyboard.press("j")
    page.keyboard.press(key)
    page.wait_for_url(f"**/orders/{paid.number}/")


def test_keys_tick_no_box_that_nobody_sees(shop, paid: Order, page, console_errors):
    page.goto(shop + RECEIPTS)
    for key in ("j", "x", "Space", "Shift+J", "Control+a"):
        page.keyboard.press(key)
    expect(page.locator("td.check input:checked, .selecting")).to_have_count(0)
    page.goto(shop + REFUNDS)
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("td.check input:checked")).to_have_count(1)


@pytest.mark.parametrize("path", [REFUNDS, "/payments/problems/"])
def test_a_selection_at_1280_leaves_the_file_in_reach(shop, paid: Order, page, console_errors, path):
    page.set_viewport_size(LOW)
    page.goto(shop + path)
    page.locator("#check-page").check()
    acts, tool = page.locator(".bar .acts > *"), page.locator("[data-tool=excel]")
    expect(tool).to_be_in_viewport(ratio=1)
    right = acts.evaluate_all("all => Math.max(...all.map(one => one.getBoundingClientRect().right))")
    assert right <= page.locator(".bar .tools").bounding_box()["x"]


# Places of the foot bar where something else is hit than the bar, at every scroll position of the page; and how many
# heads of tables passed under it.
COVERED = """() => {
  const foot = document.querySelector('.order-page .detail-foot'), found = [], under = new Set();
  for (let top = 0; top <= document.documentElement.scrollHeight - innerHeight; top += 10) {
    scrollTo(0, top);
    const at = foot.getBoundingClientRect(), y = at.y + at.height / 2;
    for (const head of document.querySelectorAll('.order-page thead th')) {
      const box = head.getBoundingClientRect();
      if (box.top < y && box.bottom > y) under.add(head);
    }
    for (let x = at.x + 12; x < at.right; x += 12)
      if (!foot.contains(document.elementFromPoint(x, y))) found.push([top, x]);
  }
  return [found, under.size];
}"""


def test_the_acts_of_a_scrolled_order_lie_above_its_tables(shop, paid: Order, page, console_errors):
    page.set_viewport_size({"width": 1280, "height": 480})
    page.goto(f"{shop}/orders/{paid.number}/")
    found, under = page.evaluate(COVERED)
    assert found == []
    assert under > 0


@pytest.fixture
def transfer(make_order, came_in, matched, staff):
    """One transfer for two orders, linked by hand, and one that belongs to nobody."""
    at = timezone.now() - timedelta(hours=3)
    twins = [make_order(price=25_000, at=at) for _ in range(2)]
    both, nobody = came_in(50_000, "김철수", at=at), came_in(1_000, "누구", at=at)
    matched(at=at + timedelta(hours=1))
    ids = [one.pk for one in twins]
    allocating.allocate(deposit_id=both.pk, order_ids=ids, actor=staff, at=timezone.now())
    return both, nobody


def test_two_linked_orders_are_two_targets(shop, transfer, page, console_errors):  # check 26
    page.goto(f"{shop}/payments/deposits/?tab=all")
    links = page.locator(f"#row-{transfer[0].pk} td:last-child a")
    expect(links).to_have_count(2)
    heights = links.evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    assert min(heights) >= 24
    assert violations(page) == []


def test_a_change_beside_an_open_list_is_told_in_its_own_unit(shop, transfer, page, press, sign_in, console_errors):
    _, nobody = transfer
    page.goto(f"{shop}/payments/deposits/?tab=all")
    top = page.locator("tbody[data-id]").first.evaluate("el => el.getBoundingClientRect().top")
    rows = [(nobody.pk, reloaded(nobody).version)]
    press(sign_in(Role.FINANCE), "ignore-deposit", "deposits", rows, reason="이자")
    expect(page.locator("[data-note=moved]")).to_have_text(
        "그사이 바뀐 입금 1건이 있습니다. 목록 새로고침", timeout=POLL
    )
    assert page.locator("tbody[data-id]").first.evaluate("el => el.getBoundingClientRect().top") == top
    said = page.locator(f"#row-{nobody.pk} .said > span")
    assert said.evaluate("el => el.scrollWidth <= el.clientWidth")
