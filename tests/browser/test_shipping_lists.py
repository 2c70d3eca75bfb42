"""The lists of steps 4 to 7 as staff have them before them: room for the acts of a selection; the rider's telephone."""

import pytest
from django.utils import timezone

from orders.models import Order, OrderLine
from orders.states import DeliveredBy, DeliveryMethod
from shipping.models import Handover, Parcel, Shipment, ShipmentStep, ShippingException
from shipping.services import methods, shipments
from shipping.services.exceptions.opening import Opening, open_cases
from shipping.services.exceptions.rules import Evidence
from shipping.services.seals import link_token
from shipping.states import ExceptionKind, ParcelState

pytestmark = pytest.mark.browser

LISTS = ("ready", "shipping", "delivered", "confirmed")
BAR = """() => {
  const bar = document.querySelector('.bar'), frame = bar.getBoundingClientRect();
  const shown = [...bar.querySelectorAll('.acts > *, .tools > *')].filter(one => one.checkVisibility());
  const boxes = shown.map(one => one.getBoundingClientRect());
  const wrong = boxes.filter((box, n) =>
    box.right > frame.right || box.height > 34 || (n && box.left < boxes[n - 1].right));
  return { wrong: wrong.length, height: frame.height, acts: shown.length };
}"""


@pytest.mark.parametrize("who", ["owner", "logistics", "cs"])
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1440, 900)])
def test_the_acts_of_a_selection_find_room_beside_the_tools(seeded, page, console_errors, who, width, height):
    page.set_viewport_size({"width": width, "height": height})
    seeded.enter(page, who)
    for name in LISTS:
        seeded.open(page, f"/orders/{name}/?period=all&size=20")
        idle = page.evaluate(BAR)
        if not page.locator("#check-page").is_visible():
            continue
        page.locator("#check-page").check()
        chosen = page.evaluate(BAR)
        assert (idle["wrong"], chosen["wrong"]) == (0, 0), name
        # No row jumps when something is chosen.
        assert chosen["height"] == idle["height"], name


def test_long_words_of_a_case_do_not_push_the_others_off_the_screen(seeded, page, console_errors):
    at = timezone.now()
    box = Parcel.objects.filter(state=ParcelState.HANDED_OVER).order_by("pk").first()
    words = "배송지 대리점 주소불명으로 배송하지 못했습니다. " * 10
    open_cases([Opening(box, ExceptionKind.ADDRESS, Evidence(at, words.strip()))], at=at)
    case = ShippingException.objects.get(parcel=box, kind=ExceptionKind.ADDRESS)
    ShippingException.objects.filter(pk=case.pk).update(memo=words[:300])
    page.set_viewport_size({"width": 1280, "height": 800})
    seeded.enter(page, "cs")
    seeded.open(page, "/shipping/exceptions/?size=200")
    row = page.locator(f"#row-{case.pk}")
    assert row.bounding_box()["height"] < 80
    assert row.locator(".sub[title]").first.get_attribute("title") == words.strip()


LONG = "[특가] 국내산 무항생제 친환경 인증 한우 불고기 선물세트 1등급 " + "명절선물" * 10
NAMES = """() => [...document.querySelectorAll('#list td.who')].map(cell => {
  const range = document.createRange();
  range.selectNodeContents(cell.firstChild);
  return new Set([...range.getClientRects()].map(box => Math.round(box.top))).size;
})"""


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1440, 900)])
def test_long_names_leave_every_column_in_sight_and_no_name_is_broken(seeded, page, console_errors, width, height):
    OrderLine.objects.update(product_name=LONG, option_name="색상: 아주 진한 남색 / 사이즈: 110")
    Order.objects.update(recipient_name="주식회사가람상사물류사업본부", buyer_name="황보라온누리")
    page.set_viewport_size({"width": width, "height": height})
    seeded.enter(page, "owner")
    for name in ("preparing", *LISTS):
        seeded.open(page, f"/orders/{name}/?period=all&size=20")
        assert page.locator("#list .scroller").evaluate("one => one.scrollWidth <= one.clientWidth"), name
        assert set(page.evaluate(NAMES)) == {1}, name


def test_a_rider_presses_once_and_may_press_again(seeded, page, console_errors):
    """From a page that tells no referrer a browser posts with Origin null: only a browser shows whether it may."""
    ready = Shipment.objects.filter(step=ShipmentStep.READY, waybill="", is_held=False, has_claim=False)
    one = ready.order_by("pk").first()
    at = one.paid_at
    facts = {"actor": None, "at": at}
    assert methods.change_method(shipment_ids=[one.pk], method=DeliveryMethod.QUICK, **facts).refused == {}
    assert shipments.ship(line_ids=shipments.lines_of([one.pk]), **facts).refused == {}
    address = f"/rider/{link_token(Handover.objects.get(shipment=one))}/"
    page.set_viewport_size({"width": 360, "height": 640})
    seeded.open(page, address)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.locator("a").count() == 0
    page.get_by_role("button", name="전달 완료").dblclick()
    page.get_by_text("전달 완료했습니다").wait_for()
    one.refresh_from_db()
    assert one.delivered_by == DeliveredBy.RIDER
    # The second of two presses is answered with 409, which the browser writes into its console.
    console_errors.clear()
