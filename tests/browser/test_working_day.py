"""The working day in Chromium as CS and 물류 click it; a picture of every screen lies in the folder of the test."""

import io
import re
from datetime import timedelta
from itertools import count
from pathlib import Path

import openpyxl
import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.services import create_demo_staff
from core import relay
from core.models import Message
from orders.models import OrderLine, SalesChannel
from orders.states import LineState
from orders.tasks import confirm_after_days
from shipping.models import Parcel, Shipment
from shipping.services.tracking.asking import poll_due
from tests.fixtures.orders import broken
from tests.flows.working_day import (
    PASSWORD,
    TEE,
    cafe24_file,
    make_goods,
    smartstore_file,
    tell_delivered,
    with_numbers,
)  # fmt: skip

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
S = LineState


class Screen:
    """One browser window: logs people in, opens menus, presses buttons, keeps pictures."""

    def __init__(self, page: Page, url: str, folder: Path) -> None:
        self.page, self.url, self.folder, self._number = page, url, folder, count(1)

    def log_in(self, name: str) -> None:
        # What the page before still asks would come back without a session, with another cookie against forgery.
        self.page.goto("about:blank")
        self.page.context.clear_cookies()
        self.page.goto(f"{self.url}/login/?next=/orders/")
        self.page.get_by_label("아이디").fill(name)
        self.page.get_by_label("비밀번호").fill("demo")
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"{self.url}/orders/")

    def menu(self, label: str) -> None:
        self.page.locator(".sidebar").get_by_role("link", name=label).click()
        self.page.wait_for_load_state("networkidle")
        expect(self.page.locator("h1")).to_have_text(label)

    def picture(self, name: str) -> None:
        self.page.wait_for_load_state("networkidle")
        assert self.page.evaluate("document.documentElement.scrollWidth") <= 1440
        self.page.screenshot(path=str(self.folder / f"{next(self._number):02d}-{name}.png"), animations="disabled")

    def choose_file(self, name: str, content: bytes) -> None:
        kind = "text/csv" if name.endswith("csv") else "application/octet-stream"
        self.page.locator("input[type=file]").set_input_files({"name": name, "mimeType": kind, "buffer": content})

    def select_all(self) -> None:
        self.page.locator("#check-page").check()

    def confirm(self) -> None:
        self.page.locator("#dialog button[type=submit]").click()

    def menu_count(self, name: str) -> str:
        return self.page.locator(f'.sidebar [data-count="menu-{name}"]').inner_text()


@pytest.fixture
def screen(live_server, page, tmp_path):
    create_demo_staff(at=timezone.now())
    return Screen(page, live_server.url, tmp_path)


def take_orders(screen, console_errors):
    """CS: two order files, a password, and the shirt that the market calls by another number."""
    # This shop tells the buyers of its market itself.
    SalesChannel.objects.update(notifies_buyers=True)
    page, now = screen.page, timezone.now()
    page.goto(f"{screen.url}/orders/import/")
    screen.choose_file("발주발송.xlsx", smartstore_file(now))
    page.locator("[data-action=read-order-file]").click()
    expect(page.locator("#id_password_error")).to_have_text("암호가 걸린 파일입니다. 암호를 입력하세요.")
    # The browser notes the 422 itself.
    console_errors.clear()
    page.get_by_label("파일 암호").fill(PASSWORD)
    page.locator("[data-action=read-order-file]").click()
    expect(page.get_by_text("확인하기 전에는 주문이 등록되지 않습니다.")).to_be_visible()
    screen.picture("order-file-preview")
    page.locator("[data-action=apply-order-file]").click()
    expect(page.locator("[data-result]")).to_contain_text("6행 가운데 5행을 등록했습니다.")
    page.goto(f"{screen.url}/orders/import/")
    screen.choose_file("카페24.csv", cafe24_file(now))
    page.locator("[data-action=read-order-file]").click()
    page.locator("[data-action=apply-order-file]").click()
    expect(page.locator("[data-result]")).to_contain_text("4행 가운데 4행을 등록했습니다.")
    screen.picture("order-file-result")
    page.goto(f"{screen.url}/products/mapping/")
    screen.picture("mapping")
    page.get_by_role("link", name="품목 고르기").click()
    page.get_by_label("우리 품목 검색").fill("기본 면")
    page.keyboard.press("Enter")
    screen.picture("mapping-choice")
    page.locator(f'[data-variant="{TEE}"] [data-action=connect]').click()
    expect(page.locator(".messages")).to_contain_text("품목 4건을 연결했습니다.")


def confirm_deposits(screen):
    """CS: every deposit of the list, after the preview; the money and the messages are named before."""
    page = screen.page
    screen.menu("입금대기 관리")
    expect(page.locator("[data-count=total]")).to_have_text("주문 3건 · 품목 3건")
    screen.picture("awaiting")
    screen.select_all()
    expect(page.locator("[data-count=selected]")).to_have_text("3건 선택됨")
    page.locator(".acts [data-action=confirm-payment]").click()
    dialog = page.locator("#dialog")
    expect(dialog).to_contain_text("3건을 상품준비중으로 바꿉니다")
    expect(dialog).to_contain_text("고객에게 알림 3건을 보냅니다.")
    screen.picture("awaiting-preview")
    screen.confirm()
    expect(page.locator("#strip")).to_contain_text("3건을 상품준비중으로 바꿨습니다.")
    expect(page.locator("[data-empty=nature]")).to_contain_text("입금을 기다리는 주문이 없습니다.")
    screen.picture("awaiting-result")


def prepare(screen):
    """CS confirms the orders, 물류 prepares them; the cup that is short stays, selected, with its reason."""
    page = screen.page
    screen.menu("상품준비중 관리")
    screen.select_all()
    page.locator(".acts [data-action=acknowledge]").click()
    screen.confirm()
    expect(page.locator("#strip")).to_contain_text("9건을 발주확인했습니다.")
    screen.log_in("logistics")
    screen.menu("상품준비중 관리")
    screen.picture("preparing")
    screen.select_all()
    page.locator(".acts [data-action=make-ready]").click()
    expect(page.locator("#dialog .reasons")).to_contain_text("재고가 1개 부족합니다.")
    screen.picture("preparing-preview")
    screen.confirm()
    expect(page.locator("#strip")).to_contain_text("9건 중 8건을 배송준비중으로 바꿨습니다.")
    expect(page.locator("[data-count=selected]")).to_have_text("1건 선택됨")
    expect(page.locator("tbody[data-id]")).to_have_count(1)
    screen.picture("preparing-result")


def send(screen):
    """물류: the courier's file out, with numbers back in, then 배송중 처리 by the key S."""
    page = screen.page
    screen.menu("배송준비중 관리")
    screen.picture("ready")
    page.locator("[data-tool=file]").click()
    page.get_by_label("내려받는 이유").fill("송장 출력")
    screen.picture("courier-file")
    with page.expect_download() as download:
        page.locator("main button[type=submit]").click()
    assert re.fullmatch(r"송장 CJ대한통운 A \d{8}-\d{3}\.xlsx", download.value.suggested_filename)
    content = Path(download.value.path()).read_bytes()
    assert openpyxl.load_workbook(io.BytesIO(content)).active.max_row == 9
    filled, given = with_numbers(content)
    page.goto(f"{screen.url}/orders/ready/")
    page.locator("[data-tool=upload]").click()
    screen.picture("waybill-upload")
    screen.choose_file("운송장.xlsx", filled)
    page.locator("main button[type=submit]").click()
    apply = page.locator("[data-action=apply]")
    expect(apply).to_have_text("반영 가능한 8건 송장 등록")
    screen.picture("waybill-preview")
    assert not Parcel.objects.exists()
    apply.click()
    expect(page.locator("[data-result]")).to_contain_text("8건을 반영했습니다.")
    screen.picture("waybill-result")
    assert dict(Shipment.objects.values_list("number", "waybill")) == given
    screen.menu("배송준비중 관리")
    screen.picture("standby")
    screen.select_all()
    page.keyboard.press("s")
    expect(page.locator("#dialog")).to_contain_text("8건을 배송중으로 바꿉니다")
    screen.picture("ship-preview")
    page.keyboard.press("Tab")
    screen.confirm()
    expect(page.locator("#strip")).to_contain_text("8건을 배송중으로 바꿨습니다.")
    screen.picture("ship-result")
    return given


def see_the_end(screen, given, tracker):
    """The tasks of the night; what people see the next morning and a week later."""
    page, sent_at = screen.page, timezone.now().replace(microsecond=0)
    screen.menu("배송중 관리")
    expect(page.locator("[data-count=total]")).to_have_text("배송건 8건 · 품목 8건")
    screen.picture("shipping")
    later = sent_at + timedelta(days=1)
    tell_delivered(tracker, given.values(), sent_at=sent_at)
    tracker.control("clock", now=later.isoformat())
    poll_due(at=later)
    relay.run_once(at=later)
    assert Message.objects.count() == 3 + 8 + 8
    page.reload()
    expect(page.locator("[data-empty=nature]")).to_be_visible()
    screen.menu("배송완료 관리")
    expect(page.locator("[data-count=total]")).to_have_text("배송건 8건 · 품목 8건")
    assert screen.menu_count("delivered") == "8"
    screen.picture("delivered")
    page.locator("tbody[data-id] a").first.click()
    expect(page.locator("#detail")).to_contain_text("배송완료")
    screen.picture("detail")
    page.keyboard.press("Escape")
    assert confirm_after_days(at=later + timedelta(days=8)) == 8
    screen.menu("구매확정 내역")
    page.goto(f"{screen.url}/orders/confirmed/?period=all")
    expect(page.locator("tbody[data-state=CONFIRMED]")).to_have_count(8)
    assert screen.menu_count("confirmed") == "8"
    screen.picture("confirmed")
    screen.menu("통합주문조회")
    page.locator("#q").fill("680000000011")
    page.keyboard.press("Enter")
    expect(page.locator("tbody[data-id]")).to_have_count(1)
    screen.picture("found")


def test_a_day_as_people_click_it(screen, console_errors, make_variant, tracker, courier_account):
    make_goods(make_variant)
    screen.log_in("cs")
    take_orders(screen, console_errors)
    confirm_deposits(screen)
    prepare(screen)
    given = send(screen)
    see_the_end(screen, given, tracker)
    assert OrderLine.objects.filter(state=S.CONFIRMED).count() == 8
    assert OrderLine.objects.filter(state=S.PREPARING).count() == 1
    assert broken() == []
