"""The packing bench when scans come faster than answers, behind dialogs, over many lines, and what warns there."""

import time

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from core.settings_registry import set_setting
from orders.models import LineLock
from orders.services import locks
from orders.services.changes import add_memo
from shipping.models import PackingScan, Parcel
from shipping.services import shipments
from shipping.services.numbers import waybills
from tests.browser.scanner import press_keys, scan, scan_all, signal
from tests.browser.shop import log_in
from tests.fixtures.packing import counted, is_packed, skus
from tests.fixtures.printing import ROUTING

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def bench(live_server, sign_in, staff, page):
    page.goto(f"{log_in(page, live_server, sign_in(staff))}/pack/")
    expect(page.locator("#bench")).to_be_visible()
    return page


def slowly(page: Page, seconds: float) -> None:
    """Answers to scans take their time, as over a bad network."""

    def wait(route):
        time.sleep(seconds)
        route.continue_()

    page.route("**/pack/scan/", wait)


def test_what_was_scanned_before_the_red_screen_came_does_not_clear_it_away(make_routed, staff, bench: Page):
    [made] = make_routed(1, quantities=(1, 1))
    first, second = skus(made)
    scan(bench, made.waybill)
    signal(bench, "ok")
    locks.hold(line_ids=shipments.lines_of([made.pk]), actor=staff, at=timezone.now(), reason="파손")
    slowly(bench, 0.3)
    scan_all(bench, first, second, "CMD-NEXT")
    signal(bench, "stop")
    bench.wait_for_timeout(900)
    expect(bench.locator('#bench[data-screen="stop"]')).to_have_count(1)
    expect(bench.locator(".pack-stop")).to_contain_text("파손")
    assert counted(made) == 0
    # With keys alone: the button is the next thing, and afterwards the field for typing.
    bench.keyboard.press("Tab")
    expect(bench.locator("#b-next")).to_be_focused()
    bench.keyboard.press("Enter")
    expect(bench.locator('#bench[data-screen="wait"]')).to_have_count(1)
    expect(bench.locator("#typed")).to_be_focused()


def test_the_next_label_scanned_at_once_stays_open(make_routed, bench: Page, console_errors):
    one, two = make_routed(2, quantities=(1,))
    scan(bench, one.waybill)
    signal(bench, "ok")
    slowly(bench, 0.3)
    scan_all(bench, skus(one)[0], two.waybill)
    expect(bench.locator(f'#bench[data-shipment="{two.number}"]')).to_have_count(1)
    bench.wait_for_timeout(2500)
    expect(bench.locator(f'#bench[data-shipment="{two.number}"]')).to_have_count(1)
    # The file of the box before must not end up on this one.
    expect(bench.locator("#label-file")).to_be_hidden()
    assert is_packed(one)


def test_a_scan_behind_an_open_dialog_presses_nothing_there(make_routed, bench: Page, console_errors):
    [made] = make_routed(1, quantities=(2,))
    scan(bench, made.number)
    signal(bench, "ok")
    for dialog in ("pack-hold", "pack-count", "pack-sound"):
        bench.locator(f'[data-dialog="{dialog}"]').click()
        expect(bench.locator(f"#{dialog}")).to_be_visible()
        press_keys(bench, "CMD-HOLD")
        expect(bench.locator("#pack-hold")).to_be_visible()
        press_keys(bench, skus(made)[0])
        expect(bench.locator(f"#{dialog}")).to_be_hidden()
        expect(bench.get_by_text("1 / 2", exact=True)).to_be_visible()
        press_keys(bench, "CMD-UNDO")
        expect(bench.get_by_text("0 / 2", exact=True)).to_be_visible()
    press_keys(bench, "CMD-HOLD")
    expect(bench.locator("#pack-hold")).to_be_visible()
    press_keys(bench, "CMD-HOLD-2")
    expect(bench.locator('#bench[data-screen="wait"]')).to_have_count(1)
    assert {lock.reason for lock in LineLock.objects.all()} == {"재고 부족"}


def test_a_barcode_scanned_into_a_field_of_a_dialog_is_a_scan(make_routed, staff, bench: Page, console_errors):
    set_setting(key="pack_takes_quantities", value=True, actor=staff, at=timezone.now())
    bench.reload()
    [made] = make_routed(1, quantities=(3,))
    [sku, *_] = skus(made)
    scan(bench, made.number)
    signal(bench, "ok")
    for field, done in (("hold-reason", "1 / 3"), ("count-units", "2 / 3")):
        bench.locator(f'[data-dialog="{bench.locator(f"dialog:has(#{field})").get_attribute("id")}"]').click()
        bench.locator(f"#{field}").press("Control+a")
        press_keys(bench, sku)
        expect(bench.get_by_text(done, exact=True)).to_be_visible()
        expect(bench.locator(f"#{field}")).to_be_hidden()
    assert not LineLock.objects.exists()
    # What a person has begun to write is finished as text, and a log-in may be scanned.
    bench.locator("#b-hold").click()
    bench.locator("#hold-reason").fill("박스 찌그러짐 ")
    press_keys(bench, sku)
    expect(bench.locator('#bench[data-screen="wait"]')).to_have_count(1)
    assert {lock.reason for lock in LineLock.objects.all()} == {f"박스 찌그러짐 {sku}"}
    bench.locator("#b-who").click()
    bench.locator("#who-name").focus()
    press_keys(bench, "KIM01")
    expect(bench.locator("#who-name")).to_have_value("KIM01")
    assert counted(made) == 2


def test_a_label_that_is_on_its_way_comes_by_itself(make_numbered, make_routed, staff, bench: Page, console_errors):
    [slow], [other] = make_numbered(1, quantities=(1,)), make_routed(1, first=1, quantities=(1,))
    Parcel.objects.filter(shipment=slow).update(route_at=timezone.now())
    scan(bench, slow.number)
    scan(bench, skus(slow)[0])
    expect(bench.locator("#bench[data-waits]")).to_contain_text("분류코드를 묻고 있습니다")
    assert is_packed(slow)
    Parcel.objects.filter(shipment=slow).update(route_at=None, routing=ROUTING)
    expect(bench.locator("#label-file")).to_contain_text(slow.number)
    assert Parcel.objects.get(shipment=slow).printed_count == 1
    expect(bench.locator('#bench[data-screen="wait"]')).to_have_count(1)

    # The file of a label that was voided since is not offered beside the alarm.
    ids = shipments.lines_of([slow.pk])
    waybills.void_waybills(line_ids=ids, actor=staff, at=timezone.now(), reason="번호 오류")
    scan(bench, slow.waybill)
    signal(bench, "stop")
    expect(bench.locator("#label-file")).to_be_hidden()
    scan(bench, "CMD-NEXT")
    expect(bench.locator('#bench[data-screen="wait"]')).to_have_count(1)

    # Who goes on is not called back.
    Parcel.objects.filter(shipment=other).update(route_at=timezone.now(), routing=None)
    scan(bench, other.number)
    scan(bench, skus(other)[0])
    expect(bench.locator("#bench[data-waits]")).to_have_count(1)
    scan(bench, "CMD-NEXT")
    expect(bench.locator('#bench[data-screen="wait"]')).to_have_count(1)
    bench.wait_for_timeout(2000)
    expect(bench.locator('#bench[data-screen="wait"]')).to_have_count(1)


def test_a_refused_scan_says_what_came_behind_it_and_counts_none_of_it(make_routed, bench: Page, console_errors):
    [made] = make_routed(1, quantities=(3,))
    [sku, *_] = skus(made)
    scan(bench, made.number)
    signal(bench, "ok")

    def refuse(route):
        time.sleep(0.3)
        route.fulfill(status=400, content_type="text/plain; charset=utf-8", body="다시 찍어 주세요.")

    bench.route("**/pack/scan/", refuse)
    scan_all(bench, sku, sku, sku)
    signal(bench, "wrong")
    expect(bench.locator(".pack-signal")).to_contain_text("다시 찍어 주세요. 뒤이어 찍은 2번도 받지 않았습니다.")
    bench.unroute("**/pack/scan/")
    scan(bench, sku)
    expect(bench.get_by_text("1 / 3", exact=True)).to_be_visible()
    assert counted(made) == 1
    console_errors.clear()


def test_scans_that_wait_behind_one_another_outlive_a_reload(make_routed, bench: Page, console_errors):
    [made] = make_routed(1, quantities=(4,))
    [sku, *_] = skus(made)
    scan(bench, made.number)
    signal(bench, "ok")
    bench.route("**/pack/scan/", lambda route: None)
    scan_all(bench, sku, sku, sku)
    bench.unroute_all(behavior="ignoreErrors")
    bench.reload()
    expect(bench.get_by_text("3 / 4", exact=True)).to_be_visible()
    assert counted(made) == 3
    console_errors.clear()


def test_what_an_input_method_lets_go_of_after_a_scan_is_no_text(make_routed, bench: Page, console_errors):
    [made] = make_routed(1)
    bench.locator("#typed").focus()
    keys = bench.context.new_cdp_session(bench)
    keys.send("Input.imeSetComposition", {"text": "ㅁ", "selectionStart": 1, "selectionEnd": 1})
    scan(bench, made.number)
    keys.send("Input.insertText", {"text": "ㅁ"})
    signal(bench, "ok")
    expect(bench.locator("#typed")).to_have_value("")
    assert PackingScan.objects.count() == 1


def test_in_a_long_order_the_scanned_line_and_the_answer_are_in_sight(make_routed, bench: Page, console_errors):
    [made] = make_routed(1, lines=25)
    bench.set_viewport_size({"width": 1280, "height": 800})
    scan(bench, made.number)
    signal(bench, "ok")
    for number in (24, 0, 12):
        scan(bench, skus(made)[number])
        expect(bench.locator(f".pack-line.is-last:nth-child({number + 1})")).to_be_visible()
        inside = bench.evaluate(
            """() => ['.pack-line.is-last', '.pack-signal', '#b-done'].map(one => document.querySelector(one))
              .map(one => [one.getBoundingClientRect(), one])
              .every(([box, one]) => box.top >= 0 && box.bottom <= innerHeight
                && one.contains(document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2)))"""
        )
        assert inside, number


def test_a_pinned_memo_warns_beside_the_goods(make_routed, staff, bench: Page, console_errors):
    [made] = make_routed(1)
    facts = {"actor": staff, "at": timezone.now()}
    add_memo(order_id=made.order_id, text="유리컵\n뽁뽁이 두 겹", is_pinned=True, **facts)
    scan(bench, made.number)
    expect(bench.locator("[data-memo]")).to_contain_text("뽁뽁이 두 겹")
