"""A bulk act in Chromium: select, confirm, read the result, undo; and the same from the page of the job."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, expect

from accounts.models import User
from core.actions import ACTIONS
from core.models import Job, JobKind, JobState
from orders.models import OrderLine
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.work import LineMaker, previewed
from tests.infra.processes import Processes

pytestmark = [pytest.mark.browser, pytest.mark.processes]
LIST = "/orders/preparing/?period=all"


@pytest.fixture
def shop(processes: Processes, page: Page, sign_in: Callable[..., Client], staff: User) -> str:
    """Address of a running shop in which the page is logged in."""
    web = processes.start("web").wait_ready()
    session = sign_in(staff).cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": web.url}])
    return web.url


def locks() -> list[int]:
    return list(OrderLine.objects.order_by("pk").values_list("open_locks", flat=True))


def test_hold_two_orders_and_take_it_back(
    shop: str, page: Page, make_lines: LineMaker, console_errors: list[str]
) -> None:
    make_lines(3)
    page.goto(shop + LIST)
    boxes = page.locator("tbody[data-id] input[type=checkbox]")
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.locator(".acts [data-action=hold]").click()
    dialog = page.locator("#dialog")
    expect(dialog).to_contain_text("2건을 배송보류합니다")
    dialog.locator("button[type=submit]").click()
    expect(dialog.locator("[aria-invalid=true]")).to_be_visible()
    assert ["422" in error for error in console_errors] == [True], "the browser notes the refusal"
    console_errors.clear()
    dialog.locator("[name=reason]").fill("고객 부재")
    dialog.locator("button[type=submit]").click()
    strip = page.locator("#strip")
    expect(strip).to_contain_text("2건을 배송보류했습니다.")
    expect(dialog).to_be_hidden()
    expect(page.locator("[data-count=selected]")).to_have_text("0건 선택됨")
    expect(page.locator("tbody[data-id]", has_text="보류")).to_have_count(2)
    assert sorted(locks()) == [0, 2, 2]

    strip.locator("[data-undo]").click()
    expect(dialog).to_contain_text("2건을 되돌립니다")
    dialog.locator("button[type=submit]").click()
    expect(strip).to_contain_text("2건을 되돌렸습니다.")
    assert locks() == [0, 0, 0]
    assert {job.kind: job.state for job in Job.objects.all()} == {
        JobKind.ACT: JobState.UNDONE,
        JobKind.UNDO: JobState.DONE,
    }


def test_a_preview_is_confirmed_on_its_own_page(shop: str, page: Page, make_lines: LineMaker, staff: User) -> None:
    job = previewed(ACTIONS["hold"], make_lines(2), actor=staff, at=NOW)
    page.goto(f"{shop}/jobs/{job.uuid}/")
    page.get_by_role("button", name="배송보류").click()
    page.locator("#dialog [name=reason]").fill("고객 부재")
    page.locator("#dialog button[type=submit]").click()
    expect(page.locator("#strip")).to_contain_text("2건을 배송보류했습니다.")
    assert reloaded(job).state == JobState.DONE
    page.goto(f"{shop}/jobs/")
    expect(page.locator(f'[data-job="{job.uuid}"]')).to_contain_text("완료")
