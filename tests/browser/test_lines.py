"""Single lines of an order in 상품준비중: ticked, held, and refused where an act takes whole orders (ux.md U4)."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Locator, Page, expect

from accounts.models import User
from orders.models import OrderLine
from tests.fixtures.work import LineMaker
from tests.infra.processes import Processes

pytestmark = [pytest.mark.browser, pytest.mark.processes]


@pytest.fixture
def rows(
    processes: Processes, page: Page, sign_in: Callable[..., Client], staff: User, make_lines: LineMaker
) -> Locator:
    """Two orders of three lines and one of a single line, on the list."""
    web = processes.start("web").wait_ready()
    session = sign_in(staff).cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": web.url}])
    make_lines(7, per_order=3)
    page.goto(f"{web.url}/orders/preparing/?period=all&sort=ordered_at")
    return page.locator("tbody[data-id]")


def test_a_tick_on_a_line_chooses_that_line_alone(rows: Locator, page: Page) -> None:
    expect(page.locator("[data-line-id]")).to_have_count(6)
    many = rows.filter(has=page.locator("[data-line-id]"))
    first, chosen = many.nth(0), page.locator("[data-count=selected]")
    ticks, whole = first.locator("[data-line-id]"), first.locator("td.check input")
    ticks.nth(1).check()
    expect(chosen).to_have_text("품목 1건 선택됨")
    assert whole.evaluate("box => [box.checked, box.indeterminate]") == [False, True]
    many.nth(1).locator("td.check input").check()
    expect(chosen).to_have_text("1건 · 품목 1건 선택됨")
    expect(many.nth(1).locator("[data-line-id]:checked")).to_have_count(3)
    many.nth(1).locator("td.check input").uncheck()
    ticks.nth(0).check()
    ticks.nth(2).check()
    expect(chosen).to_have_text("1건 선택됨")
    assert whole.evaluate("box => [box.checked, box.indeterminate]") == [True, False]
    ticks.nth(0).uncheck()
    expect(chosen).to_have_text("품목 2건 선택됨")
    held = [int(ticks.nth(n).get_attribute("data-line-id") or 0) for n in (1, 2)]

    page.locator(".acts [data-action=hold]").click()
    page.locator("#dialog [name=reason]").fill("고객 부재")
    page.locator("#dialog button[type=submit]").click()
    expect(page.locator("#strip")).to_contain_text("2건을 배송보류했습니다.")
    expect(chosen).to_have_text("0건 선택됨")
    assert set(OrderLine.objects.filter(open_locks__gt=0).values_list("pk", flat=True)) == set(held)


def test_an_act_on_whole_orders_says_so(rows: Locator, page: Page, console_errors: list[str]) -> None:
    page.locator("[data-line-id]").first.check()
    page.locator(".acts summary").click()
    page.locator(".acts [data-action=revert-payment]").click()
    expect(page.get_by_text("일부만 골라서 할 수 없는 처리입니다")).to_be_visible()
    expect(page.locator("[data-count=selected]")).to_have_text("품목 1건 선택됨")
    assert not OrderLine.objects.exclude(state="PREPARING").exists()
    console_errors.clear()
