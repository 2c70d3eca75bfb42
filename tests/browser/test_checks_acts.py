"""The checks of ux.md 5.2 where orders change: acts, two people, waybills, files, jobs, keys, in a seeded shop.

Every test takes rows of its own; comments name the checks.
"""

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from uuid import uuid4

import openpyxl
import pytest
from django.db import connections
from django.utils import timezone
from playwright.sync_api import Page, expect

from core.actions import get_action
from core.jobs import lease, runner
from core.models import ItemResult, Job, JobItem, JobKind, JobState
from core.processes import wait_until
from orders.models import Order, OrderLine
from orders.states import BIT_IN_STOCK, LineState
from shipping.models import Parcel, ShipmentStep, WaybillDraft
from tests.browser.steps import box, hold, ids, paid_orders, parcels, settled, travel
from tests.fixtures.files import xlsx
from tests.fixtures.orders import reloaded
from tests.fixtures.shipments import waybill_number

pytestmark = pytest.mark.browser

S = LineState
CJ = "CJ대한통운"
READY, PREPARING = "/orders/ready/?period=all&size=200", "/orders/preparing/?period=all&size=200"


@pytest.fixture(scope="module")
def free(seeded):
    """Orders in 상품준비중 with and without stock and parcels without number, for one test after the other."""
    return {
        "stocked": iter(paid_orders(12, stock=50, code="STOCKED")),
        "short": iter(paid_orders(2, stock=0, code="SHORT")),
        "parcel": iter(parcels(12, code="PARCEL")),
    }


def state_of(order: Order) -> str:
    return OrderLine.objects.get(order=order).state


def colleague(browser, seeded, name="cs"):
    """Another person in another browser."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="ko-KR", timezone_id="Asia/Seoul")
    return seeded.enter(context.new_page(), name)


def test_what_is_left_out_is_counted_and_what_failed_stays_selected(list_at, free):  # checks 14, 15
    good, short = [next(free["stocked"]) for _ in range(2)], next(free["short"])
    page = list_at(PREPARING)
    for order in (*good, short):
        box(page, order.pk).check()
    page.locator(".acts [data-action=make-ready]").click()
    expect(page.locator("#dialog .preview-counts dd")).to_have_text(["3건", "2건", "1건"])
    reasons = page.locator("#dialog .reasons b").all_inner_texts()
    assert sum(int(text.removesuffix("건")) for text in reasons) == 1
    page.locator("#dialog button[type=submit]").click()
    strip = page.locator("#strip")
    expect(strip).to_contain_text("3건 중 2건을 배송준비중으로 바꿨습니다. ")
    settled(page)
    expect(page.locator("[data-count=selected]")).to_have_text("1건 선택됨")
    strip.get_by_role("link", name="실패한 1건 보기").click()
    settled(page)
    assert ids(page) == [str(short.pk)]
    assert [state_of(order) for order in good] == [S.READY, S.READY]
    assert state_of(short) == S.PREPARING


def test_menu_counts_follow_an_act_at_once(list_at, free):
    order = next(free["stocked"])
    page = list_at(PREPARING)
    menu = {name: page.locator(f'.sidebar [data-count="menu-{name}"]') for name in ("preparing", "ready")}
    before = {name: int(one.inner_text().replace(",", "")) for name, one in menu.items()}
    box(page, order.pk).check()
    page.keyboard.press("s")
    expect(page.locator("#strip")).to_contain_text("1건을 배송준비중으로 바꿨습니다.")
    expect(menu["preparing"]).to_have_text(f"{before['preparing'] - 1:,}")
    expect(menu["ready"]).to_have_text(f"{before['ready'] + 1:,}")


def test_an_order_that_came_later_is_not_taken_by_the_whole_result(seeded, list_at, free, console_errors):  # check 11
    page = list_at(f"{PREPARING}&tab=in-stock")
    late = next(free["stocked"])
    Order.objects.filter(pk=late.pk).update(created_at=timezone.now() + timedelta(hours=1))
    page.reload()
    settled(page)
    page.locator("#check-page").check()
    whole = page.get_by_role("button", name="모두 선택")
    if whole.count():
        whole.click()
    as_of = page.locator(".list-card").get_attribute("data-as-of")
    form = {"page": "preparing", "mode": "filter", "query": "period=all&tab=in-stock", "as_of": as_of, "expected": "9"}
    seeded.client().post("/acts/hold/", form, headers={"HX-Request": "true"})
    job = Job.objects.filter(act="hold", kind=JobKind.ACT).latest("pk")
    groups = set(job.items.values_list("group_id", flat=True))
    assert late.pk not in groups
    assert len(groups) == Order.objects.filter(steps__bit=BIT_IN_STOCK).count() - 1


def test_a_colleagues_move_is_seen_and_keeps_scroll_focus_and_text(
    seeded, browser, list_at, free, console_errors
):  # check 17
    moved, typed = next(free["parcel"]), next(free["parcel"])
    page = list_at("/me/", "logistics")
    page.clock.install()
    seeded.open(page, READY)
    field = page.locator(f"#row-{typed.pk} input[data-waybill]")
    field.scroll_into_view_if_needed()
    field.press_sequentially("6253")
    height = page.locator(f"#row-{moved.pk}").bounding_box()["height"]
    top = page.locator(".scroller").evaluate("el => el.scrollTop")
    other = seeded.open(colleague(browser, seeded), READY)
    box(other, moved.pk).check()
    hold(other)
    other.context.close()
    page.clock.run_for(16_000)
    expect(page.locator(f"#row-{moved.pk}:has(.check input:disabled)")).to_contain_text("님이 처리")
    assert (page.locator(f"#row-{moved.pk}").bounding_box()["height"], field.input_value()) == (height, "6253")
    assert page.evaluate("document.activeElement.closest('tbody').dataset.id") == str(typed.pk)
    assert page.locator(".scroller").evaluate("el => el.scrollTop") == top
    # A number of four digits is refused when the cell is left.
    console_errors.clear()


def test_an_order_that_comes_in_is_counted_and_told_while_the_list_stands_still(seeded, list_at):  # check 1
    # What is on the screen already is no news, however fresh it is.
    paid_orders(1, stock=1, code=f"FRESH-{uuid4().hex[:6].upper()}")
    page = list_at("/me/", "logistics")
    page.clock.install()
    seeded.open(page, PREPARING)
    first = page.locator("tbody[data-id] input[type=checkbox]").first
    first.check()
    tab, total = page.locator("[data-count='tab-all']"), page.locator("[data-count='total']")
    before = int(tab.inner_text().replace(",", ""))
    paid_orders(1, stock=1, code=f"LATE-{uuid4().hex[:6].upper()}")
    page.clock.run_for(31_000)
    expect(tab).to_have_text(f"{before + 1:,}")
    expect(total).to_contain_text(f"주문 {before + 1:,}건")
    expect(page.locator("[data-note=moved]")).to_have_text("목록을 연 뒤 새로 들어온 것이 있습니다. 목록 새로고침")
    assert first.is_checked()
    assert int(page.locator(".list-card").get_attribute("data-total")) == before
    page.get_by_role("button", name="목록 새로고침").first.click()
    expect(page.locator(".list-card")).to_have_attribute("data-total", str(before + 1))
    expect(page.locator("[data-note=moved]")).to_be_hidden()


def test_a_stale_row_is_refused_with_the_name_and_nothing_is_overwritten(  # check 18
    seeded, browser, list_at, free, console_errors
):
    order = next(free["stocked"])
    page = list_at(PREPARING, "logistics")
    other = seeded.open(colleague(browser, seeded), PREPARING)
    box(other, order.pk).check()
    hold(other, "동료가 먼저")
    other.context.close()
    version = OrderLine.objects.get(order=order).version
    box(page, order.pk).check()
    with page.expect_response("**/acts/make-ready/") as answer:
        page.locator(".acts [data-action=make-ready]").click()
    assert answer.value.status == 409
    expect(page.locator("#dialog")).to_contain_text("박지우 님이")
    expect(page.locator("#dialog button[type=submit]")).to_be_disabled()
    assert page.locator("#dialog").get_by_text("되돌릴 수 있습니다").count() == 0
    page.locator("#dialog [data-close]").first.click()
    expect(page.locator(f"#row-{order.pk}[data-version='{Order.objects.get(pk=order.pk).version}']")).to_be_visible()
    console_errors.clear()
    line = OrderLine.objects.get(order=order)
    assert (line.state, line.version, line.hold_reason) == (S.PREPARING, version, "동료가 먼저")


def test_a_cell_that_a_colleague_filled_shows_their_number_with_who_and_when(
    seeded, list_at, free, browser, console_errors
):
    shipment, first, second = next(free["parcel"]), waybill_number(9_100), waybill_number(9_101)
    path, cell = f"/orders/ready/?q={shipment.order.number}", f"#waybill-{shipment.pk}"
    page = list_at(path, "logistics")
    other = seeded.open(colleague(browser, seeded, "owner"), path)
    for one, number in ((other, first), (page, second)):
        one.locator(cell).fill(number)
        one.locator(cell).press("Enter")
        expect(one.locator(f"#row-{shipment.pk} .draft-mark")).to_be_visible()
        expect(one.locator(cell)).to_have_value(first)
    other.context.close()
    author = WaybillDraft.objects.get(shipment=shipment).author
    expect(page.locator(f"#row-{shipment.pk} .cell-error")).to_contain_text(
        f"에 {author.display_name} 님이 먼저 {first}"
    )
    console_errors.clear()
    assert WaybillDraft.objects.get(shipment=shipment).text == first
    page.locator(cell).fill(second)
    with page.expect_response("**/shipping/waybills/draft/") as answer:
        page.locator(cell).press("Enter")
    assert answer.value.status == 200
    expect(page.locator(f"#row-{shipment.pk} .cell-error")).to_have_count(0)
    assert WaybillDraft.objects.get(shipment=shipment).text == second


def test_the_whole_job_of_shipping_without_a_mouse(seeded, list_at, free):  # check 19, 22, 23
    shipment = next(free["parcel"])
    page = list_at(f"/orders/ready/?q={shipment.order.number}", "logistics")
    page.keyboard.press("w")
    page.keyboard.type(waybill_number(9_000))
    page.keyboard.press("Enter")
    settled(page)
    expect(page.locator(f"#row-{shipment.pk}")).to_contain_text("임시")
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.evaluate("""() => { for (const key of ['ㅓ', 'ㅌ']) document.body.dispatchEvent(new KeyboardEvent('keydown',
      {key, code: key === 'ㅓ' ? 'KeyJ' : 'KeyX', bubbles: true, cancelable: true})); }""")
    expect(page.locator("[data-count=selected]")).to_have_text("1건 선택됨")
    page.locator(".acts [data-action=register-waybill]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#strip")).to_contain_text("1건의 송장번호를 등록했습니다.")
    settled(page)
    page.keyboard.press("j")
    page.keyboard.press("o")
    expect(page.locator("#detail")).to_contain_text(waybill_number(9_000))
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()
    assert page.evaluate("document.activeElement.closest('tbody').dataset.id") == str(shipment.pk)
    page.keyboard.press("s")
    expect(page.locator("#dialog")).to_contain_text("배송중으로 바꿉니다")
    page.locator("#dialog button[type=submit]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#strip")).to_contain_text("1건을 배송중으로 바꿨습니다.")
    assert reloaded(shipment).step == ShipmentStep.SHIPPING
    settled(page)
    page.keyboard.press("u")
    expect(page.locator("#dialog")).to_contain_text("되돌립니다")
    page.keyboard.press("Enter")
    expect(page.locator("#strip")).to_contain_text("1건을 되돌렸습니다.")
    assert reloaded(shipment).step == ShipmentStep.READY


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("6.25373E+11", "송장번호가 지수 형식입니다. 엑셀에서 셀 서식을 텍스트로 바꿔 주세요."),
        ("12345678", "송장번호는 숫자 10 또는 12자리여야 합니다. 지금은 8자리입니다."),
        ("680000000012", "CJ대한통운 송장번호 규칙에 맞지 않습니다. 번호를 다시 확인하세요."),
    ],
)
def test_a_wrong_number_is_refused_in_place(list_at, free, console_errors, typed, said):  # check 29
    shipment = next(free["parcel"])
    page = list_at(f"/orders/ready/?q={shipment.order.number}", "logistics")
    page.locator(f"#row-{shipment.pk} select").select_option(label=CJ)
    field = page.locator(f"#row-{shipment.pk} input[data-waybill]")
    field.fill(typed)
    field.press("Enter")
    expect(page.locator(f"#row-{shipment.pk}")).to_contain_text(said)
    expect(field).to_have_attribute("aria-invalid", "true")
    assert not Parcel.objects.filter(shipment=shipment).exists()
    # The browser notes the 422 of what the server judges.
    console_errors.clear()


def waybill_file(rows):
    """The bytes of a logistics file."""
    return xlsx([["배송번호", "택배사", "송장번호"], *rows])


def send_file(page: Page, seeded, content):
    """Upload waybills; the preview is open."""
    seeded.open(page, "/shipping/waybills/upload/")
    file = {"name": "운송장.xlsx", "mimeType": "application/octet-stream", "buffer": content}
    page.locator("input[type=file]").set_input_files(file)
    # The page asks first whether we are still logged in: it is left a moment after the click.
    travel(page, page.locator("main button[type=submit]").click)


def test_a_file_changes_nothing_before_its_confirmation_and_its_errors_come_back(
    seeded, list_at, free, console_errors
):  # check 30, 31, 32
    fine, wrong = next(free["parcel"]), next(free["parcel"])
    rows = [
        [fine.number, CJ, waybill_number(9_100)],
        [wrong.number, CJ, "12345678"],
        ["D-1", CJ, waybill_number(9_101)],
    ]
    page = list_at("/me/", "logistics")
    before, content = Parcel.objects.count(), waybill_file(rows)
    send_file(page, seeded, content)
    page.reload()
    expect(page.locator("[data-action=apply]")).to_have_text("반영 가능한 1건 송장 등록")
    assert page.locator("tbody tr.bad, tbody tr").count() == 3
    assert Parcel.objects.count() == before
    page.locator("[data-action=apply]").click()
    expect(page.locator("[data-result]").first).to_contain_text("3건 중 1건을 반영했습니다.")
    assert reloaded(fine).waybill == waybill_number(9_100)
    with page.expect_download() as download:
        page.locator("[data-action=errors]").click()
    expect(page.locator("#notice")).to_be_hidden()
    failed = download.value.path().read_bytes()
    corrected, head = corrected_rows(failed, wrong.number)
    assert head == ["배송번호", "택배사", "송장번호", "오류 내용"]
    send_file(page, seeded, waybill_file(corrected))
    expect(page.locator("[data-action=apply]")).to_have_text("반영 가능한 1건 송장 등록")
    page.locator("[data-action=apply]").click()
    expect(page.locator("[data-result]").first).to_contain_text("2건 중 1건을 반영했습니다.")
    assert reloaded(wrong).waybill == waybill_number(9_102)
    send_file(page, seeded, content)
    expect(page.locator("main")).to_contain_text("님이 이미 반영했습니다.")
    console_errors.clear()


def corrected_rows(content, number):
    """The rows of an error file with the wrong number put right, and its header."""
    head, *rows = rows_of(content)
    assert [row[0] for row in rows] == [number, "D-1"]
    assert all(row[3] for row in rows)
    return [[row[0], row[1], waybill_number(9_102) if row[0] == number else row[2]] for row in rows], head


def rows_of(content):
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


def many_acknowledged(page):
    """발주확인 of more than 200 orders, confirmed: a job that waits for its worker."""
    page.locator("#check-page").check()
    page.get_by_role("button", name="모두 선택").click()
    page.locator(".acts [data-action=acknowledge]").click()
    page.locator("#dialog button[type=submit]").click()
    expect(page.locator("#strip")).to_contain_text("건 처리 중")
    job = Job.objects.filter(act="acknowledge", kind=JobKind.ACT).latest("pk")
    assert (job.state, job.done) == (JobState.QUEUED, 0)
    assert job.total > 200
    return job


def test_a_large_job_shows_its_progress_and_survives_a_reload(seeded, list_at):  # check 36
    paid_orders(205, stock=0, code="MANY")
    page = list_at("/orders/preparing/?q=홍길동")
    job = many_acknowledged(page)
    seeded.open(page, f"/jobs/{job.uuid}/")
    expect(page.locator("main")).to_contain_text(f"0 / {job.total:,}건 처리 중")
    runner.run(lease.claim(job_id=job.pk, at=timezone.now()))
    expect(page.locator("#strip")).to_contain_text("발주확인했습니다.")
    job = reloaded(job)
    assert (job.done + job.failed, job.state in {JobState.DONE, JobState.PARTIAL}) == (job.total, True)


def work_through(job):
    """What a worker does, in a thread with a connection of its own."""
    try:
        runner.run(lease.claim(job_id=job.pk, at=timezone.now()))
    finally:
        connections.close_all()


def test_a_running_job_is_stopped_before_its_next_chunk_and_taken_up_again(seeded, list_at, monkeypatch):  # check 36
    paid_orders(205, stock=0, code="STOPPED")
    page = list_at("/orders/preparing/?q=홍길동&tab=unacknowledged")
    job = many_acknowledged(page)
    seeded.open(page, f"/jobs/{job.uuid}/")
    monkeypatch.setattr(get_action("acknowledge"), "chunk", 60)
    pressed = Event()
    monkeypatch.setattr(runner, "failpoint", lambda name: name == runner.AFTER_COMMIT and pressed.wait(120))
    with ThreadPoolExecutor(1) as worker:
        running = worker.submit(work_through, job)
        expect(page.locator("#strip")).to_contain_text(f"60 / {job.total:,}건 처리 중")
        page.get_by_role("button", name="여기서 멈추기").click()
        is_stopping = wait_until(lambda: reloaded(job).cancel_requested, timeout=60)
        pressed.set()
        running.result(timeout=60)
    assert is_stopping
    job = reloaded(job)
    assert (job.state, job.done + job.failed) == (JobState.CANCELED, 60)
    items = JobItem.objects.filter(job=job)
    done = items.filter(result=ItemResult.OK).values("target_id")
    rest = items.filter(result=ItemResult.PENDING).values("target_id")
    assert (done.count(), rest.count()) == (60, job.total - 60)
    expect(page.locator("#strip").get_by_role("button", name="이어서 처리")).to_be_visible()
    page.locator("#strip").get_by_role("button", name="이어서 처리").click()
    settled(page)
    runner.run(lease.claim(job_id=job.pk, at=timezone.now()))
    expect(page.locator("#strip")).to_contain_text("발주확인했습니다.")
    assert (reloaded(job).done, reloaded(job).state) == (job.total, JobState.DONE)


@pytest.mark.parametrize("path", ["/orders/", "/orders/awaiting-payment/", "/orders/ready/", "/orders/confirmed/"])
def test_a_filter_that_finds_nothing_says_so_and_offers_the_way_back(list_at, path):  # check 39
    page = list_at(f"{path}?q=20200101-0000001")
    empty = page.locator("[data-empty=filter]")
    unit = "배송건" if "ready" in path else "주문"
    expect(empty).to_contain_text(f"조건에 맞는 {unit}이 없습니다. 기간을 넓히거나 조건을 지워 보세요.")
    empty.get_by_role("link", name="조건 초기화").click()
    settled(page)
    expect(page.locator("[data-empty=filter]")).to_have_count(0)
