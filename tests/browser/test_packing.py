"""The packing bench in a real browser: a scanner in Korean mode, signals, keys alone, offline; checks 25, 26, 33-35."""

import json

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.roles import Role
from core.settings_registry import set_setting
from orders.services import locks
from orders.states import LockKind
from shipping.models import PackingScan, PackingSession
from shipping.services import shipments
from shipping.services.numbers import waybills
from shipping.states import PackingState
from tests.browser.scanner import scan, signal
from tests.browser.shop import SIZES, THEMES, log_in, overflow, wear
from tests.fixtures.axe import violations
from tests.fixtures.packing import counted, is_packed, skus

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SMALL = """least => [...document.querySelectorAll('button, a, input, select')]
  .filter(one => one.checkVisibility() && !one.closest('dialog:not([open])'))
  .map(one => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
  .filter(([, box]) => box.width < least || box.height < least).map(([html]) => html)"""


@pytest.fixture
def shop(live_server, sign_in, staff, page):
    return log_in(page, live_server, sign_in(staff))


@pytest.fixture
def bench(shop, page):
    page.goto(f"{shop}/pack/")
    expect(page.locator("#bench")).to_be_visible()
    return page


def test_a_scanner_in_korean_mode_packs_an_order_of_three_lines(make_routed, bench: Page, console_errors):  # check 33
    [made] = make_routed(1, quantities=(1, 2, 1))
    a, b, _, c = skus(made)
    scan(bench, made.waybill)
    signal(bench, "ok")
    expect(bench.locator(".pack-line")).to_have_count(3)
    for code, count in ((a, "1 / 1"), (b, "1 / 2"), (b, "2 / 2")):
        scan(bench, code)
        expect(bench.locator(".pack-count", has_text=count).first).to_be_visible()
    expect(bench.locator(".pack-line.is-full")).to_have_count(2)
    scan(bench, c, end="Tab")
    signal(bench, "done")
    expect(bench.locator("[data-answer]")).to_contain_text("검수를 마쳤습니다.")
    address = bench.get_by_role("link", name="송장 파일 열기").get_attribute("href")
    assert bench.request.get(bench.url.partition("/pack/")[0] + address).headers["content-type"] == "application/pdf"
    assert is_packed(made)
    # The next shipment's turn comes by itself.
    expect(bench.locator('#bench[data-screen="wait"]')).to_have_count(1)
    assert counted(made) == 4


def test_wrong_and_over_sound_different_and_count_nothing(make_routed, make_variant, bench: Page, console_errors):
    [made] = make_routed(1, quantities=(1, 1))
    other = make_variant()
    scan(bench, made.number)
    signal(bench, "ok")
    scan(bench, other.sku)
    signal(bench, "wrong")
    expect(bench.locator("[data-answer]")).to_contain_text("다른 상품입니다. 스캔한 상품:")
    scan(bench, skus(made)[0])
    signal(bench, "ok")
    scan(bench, skus(made)[0])
    signal(bench, "over")
    scan(bench, "QWER-9")
    signal(bench, "unknown")
    expect(bench.locator("[data-answer]")).to_contain_text("등록되지 않은 바코드입니다: QWER-9")
    assert counted(made) == 1
    tones = bench.evaluate("async () => JSON.stringify((await import('/static/js/pack-sound.js')).SOUNDS)")
    sounds = [str(one) for one in json.loads(tones).values()]
    assert len(set(sounds)) == len(sounds) == 6


def test_what_a_person_types_is_no_scan_but_may_be_sent_by_enter(make_routed, bench: Page, console_errors):
    [made] = make_routed(1)
    scan(bench, made.number, gap=200)
    assert not PackingScan.objects.exists()
    bench.locator("#typed").fill(made.number)
    bench.keyboard.press("Enter")
    signal(bench, "ok")
    assert PackingSession.objects.filter(shipment=made).exists()


def test_text_in_hangul_alone_is_turned_back(bench: Page, console_errors):
    read = "async text => (await import('/static/js/pack-decode.js')).fromHangul(text)"
    for text, code in {"나ㅕ-ㅁ12": "SKU-A12", "ㅊㅡㅇ-ㅕㅜ애": "CMD-UNDO", "값": "RKQT", "sku-b2": "SKU-B2"}.items():
        assert bench.evaluate(read, text) == code


def test_a_canceled_order_stops_the_bench_and_cannot_be_completed(
    make_routed, staff, bench: Page, console_errors
):  # 35
    [made] = make_routed(1, quantities=(1, 1))
    first, second = skus(made)
    scan(bench, made.waybill)
    signal(bench, "ok")
    scan(bench, first)
    expect(bench.locator(".pack-line.is-full")).to_have_count(1)
    ids = shipments.lines_of([made.pk])
    locks.place_lock(line_ids=ids, kind=LockKind.CLAIM, actor=None, at=timezone.now(), reason="단순 변심")
    scan(bench, second)
    signal(bench, "stop")
    expect(bench.locator(".pack-stop h2")).to_contain_text("취소 신청이 들어왔습니다")
    expect(bench.locator(".pack-stop")).to_contain_text("단순 변심")
    scan(bench, second)
    scan(bench, "CMD-DONE")
    bench.wait_for_timeout(300)
    expect(bench.locator('#bench[data-screen="stop"]')).to_have_count(1)
    assert (counted(made), is_packed(made)) == (1, False)
    scan(bench, "CMD-NEXT")
    expect(bench.locator('#bench[data-screen="wait"]')).to_have_count(1)


def test_a_void_label_stops_the_bench(make_routed, staff, bench: Page, console_errors):
    [made] = make_routed(1)
    ids = shipments.lines_of([made.pk])
    waybills.void_waybills(line_ids=ids, actor=staff, at=timezone.now(), reason="번호 오류")
    scan(bench, made.waybill)
    signal(bench, "stop")
    expect(bench.locator(".pack-stop")).to_contain_text("번호 오류")
    bench.get_by_role("button", name="확인").click()
    expect(bench.locator('#bench[data-screen="wait"]')).to_have_count(1)


def test_undo_boxes_and_reopening_by_the_command_sheet(make_routed, staff, bench: Page, console_errors):
    [made] = make_routed(1, quantities=(2,))
    [sku, _] = skus(made)
    set_setting(key="pack_closes_itself", value=False, actor=staff, at=timezone.now())
    scan(bench, made.number)
    signal(bench, "ok")
    scan(bench, sku)
    expect(bench.get_by_text("1 / 2", exact=True)).to_be_visible()
    scan(bench, "CMD-UNDO")
    expect(bench.get_by_text("0 / 2", exact=True)).to_be_visible()
    scan(bench, sku)
    scan(bench, "CMD-BOX")
    expect(bench.locator('[data-boxes="2"]')).to_be_visible()
    scan(bench, sku)
    expect(bench.locator("[data-answer]")).to_contain_text("모두 담았습니다.")
    scan(bench, "CMD-DONE")
    signal(bench, "done")
    scan(bench, "CMD-OPEN")
    signal(bench, "ok")
    assert PackingSession.objects.get().state == PackingState.OPEN
    assert set(PackingScan.objects.filter(verdict="OK").values_list("box", flat=True)) == {1, 2}


def test_the_bench_is_worked_with_keys_alone(make_routed, bench: Page, console_errors):
    [made] = make_routed(1, quantities=(2,))
    bench.goto(bench.url.replace("/pack/", f"/pack/{made.number}/"))
    button = bench.get_by_role("button", name="수량 직접 확인")
    for _ in range(30):
        bench.keyboard.press("Tab")
        if bench.evaluate("document.activeElement.id") == "b-count":
            break
    expect(button).to_be_focused()
    bench.keyboard.press("Enter")
    expect(bench.locator("#pack-count")).to_be_visible()
    bench.locator("#count-line").press("Tab")
    bench.keyboard.press("Tab")
    bench.keyboard.press("Enter")
    expect(bench.get_by_text("1 / 2", exact=True)).to_be_visible()
    expect(button).to_be_focused()
    bench.keyboard.press("Enter")
    bench.keyboard.press("Escape")
    expect(bench.locator("#pack-count")).to_be_hidden()
    # A scanner's Enter presses no button that has the focus.
    scan(bench, skus(made)[0])
    signal(bench, "done")
    assert counted(made) == 2


def test_offline_scans_are_refused_and_one_on_its_way_counts_once(make_routed, bench: Page, console_errors):
    [made] = make_routed(1, quantities=(3,))
    [sku, *_] = skus(made)
    scan(bench, made.number)
    signal(bench, "ok")
    # The answer to a scan gets lost on its way back: the same id is sent again.
    lost = []

    def lose(route):
        if lost:
            return route.continue_()
        lost.append(route.fetch())
        return route.abort()

    bench.route("**/pack/scan/", lose)
    scan(bench, sku)
    expect(bench.get_by_text("1 / 3", exact=True)).to_be_visible()
    assert counted(made) == 1
    console_errors.clear()
    bench.context.set_offline(True)
    expect(bench.locator("#offline")).to_be_visible()
    scan(bench, sku)
    signal(bench, "stop")
    bench.context.set_offline(False)
    expect(bench.locator("#offline")).to_be_hidden()
    bench.wait_for_timeout(300)
    assert counted(made) == 1
    scan(bench, sku)
    expect(bench.get_by_text("2 / 3", exact=True)).to_be_visible()


def test_another_person_takes_the_bench_in_one_step(make_routed, bench: Page, console_errors):
    [made] = make_routed(1, quantities=(2,))
    User.objects.create_user("seojun", "long-enough-word", display_name="박서준", role=Role.LOGISTICS)
    scan(bench, made.number)
    signal(bench, "ok")
    bench.get_by_role("button", name="담당자 바꾸기").click()
    expect(bench.locator("#pack-who")).to_be_visible()
    bench.locator("#who-name").fill("seojun")
    bench.locator("#who-password").fill("long-enough-word")
    bench.locator("#pack-who").get_by_role("button", name="바꾸기").click()
    expect(bench.locator("[data-packer]")).to_have_text("박서준")
    assert PackingSession.objects.get().state == PackingState.OPEN


def test_an_idle_bench_logs_out_and_keeps_what_was_packed(make_routed, staff, shop, page: Page, console_errors):
    [made] = make_routed(1, quantities=(2,))
    page.clock.install()
    page.goto(f"{shop}/pack/")
    scan(page, made.number)
    signal(page, "ok")
    scan(page, skus(made)[0])
    expect(page.get_by_text("1 / 2", exact=True)).to_be_visible()
    page.clock.fast_forward("11:00")
    page.clock.run_for(6000)
    page.wait_for_url("**/login/**")
    assert counted(made) == 1
    console_errors.clear()


def test_the_test_page_shows_what_arrives(shop, page: Page, console_errors):
    page.goto(f"{shop}/pack/test/")
    scan(page, "SKU-A12")
    expect(page.locator("#result")).to_contain_text("SKU-A12 · 7자")
    expect(page.locator("#keys tr").first).to_contain_text("KeyS")
    expect(page.locator("#keys tr").first).to_contain_text("ㄴ")
    scan(page, "8801234567893")
    expect(page.locator("#result")).to_contain_text("검사 숫자가 맞습니다")
    assert not PackingScan.objects.exists()


@pytest.mark.parametrize("theme", THEMES)
def test_the_bench_reads_well_and_its_targets_are_large(make_routed, staff, shop, page: Page, theme, console_errors):
    made = make_routed(4, quantities=(2, 3, 1))
    wear(page, theme)
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        for path in ("/pack/", f"/pack/{made[0].number}/", "/pack/test/"):
            page.goto(shop + path)
            assert violations(page) == [], (theme, path)
            assert page.evaluate(SMALL, 56) == [], (theme, path)
            assert overflow(page) == [], (theme, path)
    page.goto(f"{shop}/pack/{made[1].number}/")
    for dialog in ("pack-hold", "pack-count", "pack-sound", "pack-who"):
        page.locator(f'[data-dialog="{dialog}"]').click()
        assert violations(page) == [], (theme, dialog)
        assert page.evaluate(SMALL, 56) == [], (theme, dialog)
        page.keyboard.press("Escape")
    for signal_ in (skus(made[1])[0], "QWER-1", made[2].number):
        scan(page, signal_)
        page.wait_for_timeout(400)
        assert violations(page) == [], (theme, signal_)
    locks.hold(line_ids=shipments.lines_of([made[1].pk]), actor=staff, at=timezone.now(), reason="파손")
    scan(page, skus(made[1])[1])
    signal(page, "stop")
    assert violations(page) == [], theme
    assert page.evaluate(SMALL, 56) == []
