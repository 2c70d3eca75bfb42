"""The buttons for what no courier carries, over HTTP: who may press them, what they ask, and the way back."""

import pytest
from django.test import Client

from accounts.roles import Role
from channels.services.drafting import delivery_of
from core.actions import PRIMARY
from core.settings_registry import set_setting
from orders.columns import methods_text
from orders.detail import buttons_of
from orders.models import OrderLine
from orders.states import DeliveredBy, DeliveryMethod, LineState
from shipping.models import Handover, Parcel, Shipment, TrackingPoll
from shipping.services import shipments
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from shipping.services.seals import link_token, pickup_code
from tests.fixtures.orders import NOW
from tests.fixtures.shipments import again

M = DeliveryMethod


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("택배", M.PARCEL), ("택배,등기,소포", M.PARCEL), ("택배/등기/소포", M.PARCEL), ("등기", M.REGISTERED),
        ("우체국 등기", M.REGISTERED), ("등기소포", M.PARCEL), ("퀵", M.QUICK), ("퀵서비스", M.QUICK),
        ("방문수령", M.VISIT), ("방문 수령", M.VISIT), ("직접수령", M.VISIT), ("직접전달", M.DIRECT),
        ("배송없음", M.NONE), ("NOTHING", M.NONE), ("DELIVERY", M.PARCEL), ("quick_svc", M.QUICK),
        ("VISIT_RECEIPT", M.VISIT), ("DIRECT_DELIVERY", M.DIRECT), ("", M.PARCEL), ("RETURN_DELIVERY", M.PARCEL),
    ],
)  # fmt: skip
def test_files_name_the_methods_by_word_or_code(text, method):
    assert delivery_of(text) == method


def test_every_method_has_a_code_at_the_market_that_reads_back():
    assert {delivery_of(one.naver_code) for one in M} == set(M) - {M.REGISTERED}


def rows(*made):
    return [(one.pk, one.version) for one in again(made)]


def lines(one):
    return OrderLine.objects.filter(shipment_items__shipment=one, shipment_items__is_live=True)


def states(one):
    return set(lines(one).values_list("state", "delivered_by"))


def sent(made):
    assert shipments.ship(line_ids=shipments.lines_of([one.pk for one in made]), actor=None, at=NOW).refused == {}
    return again(made)


def test_registered_mail_takes_numbers_of_its_own_courier_and_is_tracked(make_shipments):
    [one] = make_shipments(method=M.REGISTERED)
    assert shipments.ship(line_ids=shipments.lines_of([one.pk]), actor=None, at=NOW).moved == []
    number = "1234567890123"
    refused = waybills.register_waybills(entries={one.pk: WaybillEntry("EPOST", number)}, actor=None, at=NOW)
    assert refused.refused == {one.pk: waybills.NOT_REGISTERED_MAIL}
    assert not Parcel.objects.exists()
    done = waybills.register_waybills(entries={one.pk: WaybillEntry("REGISTPOST", number)}, actor=None, at=NOW)
    assert done.refused == {}
    sent([one])
    assert TrackingPoll.objects.filter(parcel__shipment=one, is_active=True).count() == 1


def test_a_ticket_has_arrived_when_it_leaves_and_its_press_says_so(press, sign_in, make_shipments):
    [one] = make_shipments(method=M.NONE)
    _, answer = press(sign_in(Role.LOGISTICS), "ship", "ready", rows(one))
    assert answer.status_code == 200
    assert states(one) == {(LineState.DELIVERED, DeliveredBy.DISPATCH)}
    assert again([one])[0].delivered_by == DeliveredBy.DISPATCH


@pytest.mark.parametrize(
    ("act", "page", "method", "allowed"),
    [
        ("pickup-ready", "ready", M.VISIT, {Role.OWNER, Role.LOGISTICS}),
        ("change-method", "ready", M.VISIT, {Role.OWNER, Role.CS, Role.LOGISTICS}),
        ("register-rider", "shipping", M.QUICK, {Role.OWNER, Role.LOGISTICS}),
        ("pickup-again", "shipping", M.VISIT, {Role.OWNER, Role.CS, Role.LOGISTICS}),
        ("hand-over", "shipping", M.DIRECT, {Role.OWNER, Role.CS, Role.LOGISTICS}),
        ("receive", "shipping", M.VISIT, {Role.OWNER, Role.CS, Role.LOGISTICS}),
    ],
)
def test_only_the_right_roles_reach_an_act(act, page, method, allowed, press, sign_in, make_shipments):
    made = make_shipments(method=method)
    made = sent(made) if page == "shipping" else made
    for role in Role:
        preview, _ = press(sign_in(role), act, page, rows(*made)) if role not in allowed else (None, None)
        assert preview is None or preview.status_code == 403, role
    preview = sign_in(min(allowed)).post(
        f"/acts/{act}/",
        {"page": page, "mode": "ids", "rows": ",".join(f"{pk}:{version}" for pk, version in rows(*made))},
        headers={"HX-Request": "true"},
    )
    assert preview.status_code == 200
    assert "/apply/" in preview.content.decode()


def test_ready_for_pickup_leaves_the_others_and_goes_back(press, sign_in, make_shipments):
    [visit], [quick] = make_shipments(method=M.VISIT), make_shipments(method=M.QUICK)
    owner = sign_in(Role.OWNER)
    preview, answer = press(owner, "pickup-ready", "ready", rows(visit, quick))
    assert "방문수령 배송건만 처리할 수 있습니다." in preview.content.decode()
    assert answer.status_code == 200
    assert (states(visit), states(quick)) == ({(LineState.SHIPPING, "")}, {(LineState.READY, "")})
    assert Handover.objects.filter(shipment=visit).exists()


def test_the_counter_takes_the_code_and_counts_the_wrong_ones(press, sign_in, make_shipments):
    [one] = sent(make_shipments(method=M.VISIT))
    row = Handover.objects.get(shipment=one)
    clerk = sign_in(Role.CS)
    bad = f"{(int(pickup_code(row)) + 1) % 10**6:06d}"
    for form, said in (({"code": "12"}, "숫자 6자리"), ({}, "수령 코드나 받은 사람")):
        _, answer = press(clerk, "receive", "shipping", rows(one), **{"code": "", "name": "", **form})
        assert said in answer.content.decode()
    assert Handover.objects.get(shipment=one).tries == 0
    press(clerk, "receive", "shipping", rows(one), code=bad, name="")
    assert Handover.objects.get(shipment=one).tries == 1
    assert states(one) == {(LineState.SHIPPING, "")}
    press(clerk, "receive", "shipping", rows(one), code=pickup_code(row), name="")
    assert states(one) == {(LineState.DELIVERED, DeliveredBy.CODE)}


def test_one_code_is_for_one_shipment(press, sign_in, make_shipments):
    made = sent(make_shipments(2, method=M.VISIT))
    code = pickup_code(Handover.objects.get(shipment=made[0]))
    _, answer = press(sign_in(Role.CS), "receive", "shipping", rows(*made), code=code, name="")
    assert "배송건을 하나만 고르세요" in answer.content.decode()
    assert [states(one) for one in made] == [{(LineState.SHIPPING, "")}] * 2


def test_the_method_is_changed_in_a_dialog(press, sign_in, make_shipments):
    made = make_shipments(2)
    _, answer = press(sign_in(Role.LOGISTICS), "change-method", "ready", rows(*made), method="VISIT", reason="매장")
    assert answer.status_code == 200
    assert set(Shipment.objects.values_list("method", flat=True)) == {M.VISIT}
    gone = sent(made)
    preview, none = press(sign_in(Role.LOGISTICS), "change-method", "shipping", rows(*gone), method="QUICK", reason="")
    assert "배송취소로 배송준비중에 되돌리고" in preview.content.decode()
    assert none is None
    assert set(Shipment.objects.values_list("method", flat=True)) == {M.VISIT}


def test_the_rider_s_link_stands_in_the_detail_for_those_who_send(sign_in, make_shipments, press):
    [one] = sent(make_shipments(method=M.QUICK))
    press(sign_in(Role.LOGISTICS), "register-rider", "shipping", rows(one), carried_by="한강퀵", phone="010-2222-3333")
    page = sign_in(Role.LOGISTICS).get(f"/orders/{one.order.number}/").content.decode()
    assert "/rider/" in page
    assert "한강퀵" in page
    assert "010-2222-3333" not in page
    assert "/rider/" not in sign_in(Role.CS).get(f"/orders/{one.order.number}/").content.decode()
    assert Handover.objects.get(shipment=one).dispatched_at is not None


def test_what_waits_stands_in_its_tabs(sign_in, make_shipments):
    [visit], [quick] = sent(make_shipments(method=M.VISIT)), sent(make_shipments(method=M.QUICK))
    owner = sign_in(Role.OWNER)

    def shown(tab):
        text = owner.get(f"/orders/shipping/?period=all&tab={tab}").content.decode()
        return {one.pk for one in (visit, quick) if one.order.number in text}

    assert shown("visit") == {visit.pk}
    assert shown("handed") == {quick.pk}
    assert shown("unfetched") == {visit.pk}  # NOW is long ago
    assert shown("still") == set()


def test_the_rider_s_link_begins_where_buyers_reach_the_shop(sign_in, make_shipments, press, staff):
    [one] = sent(make_shipments(method=M.QUICK))
    set_setting(key="public_url", value="https://shop.example/", actor=staff, at=NOW)
    page = sign_in(Role.LOGISTICS).get(f"/orders/{one.order.number}/").content.decode()
    assert f'data-copy="https://shop.example/rider/{link_token(Handover.objects.get(shipment=one))}/"' in page


OFFERED = {
    M.PARCEL: ("deliver", {"hand-over", "receive"}),
    M.QUICK: ("hand-over", {"deliver", "receive"}),
    M.DIRECT: ("hand-over", {"deliver", "receive"}),
    M.VISIT: ("receive", {"deliver", "hand-over"}),
}


@pytest.mark.parametrize("method", OFFERED)
def test_the_order_offers_the_end_of_its_own_method_first(method, make_sent, make_shipments, staff):
    [one] = make_sent() if method == M.PARCEL else sent(make_shipments(method=method))
    first, others = OFFERED[method]
    buttons = buttons_of(list(lines(one)), staff)
    assert [button.name for button in buttons if button.style == PRIMARY] == [first]
    assert not others & {button.name for button in buttons}


@pytest.mark.parametrize(("method", "first"), [(M.PARCEL, "ship"), (M.QUICK, "ship"), (M.VISIT, "pickup-ready")])
def test_the_order_offers_the_way_to_leave_of_its_own_method(method, first, make_shipments, staff):
    [one] = make_shipments(method=method)
    buttons = buttons_of(list(lines(one)), staff)
    assert [button.name for button in buttons if button.style == PRIMARY] == [first]
    assert ("register-waybill" in {button.name for button in buttons}) == (method == M.PARCEL)
    assert "void-waybill" not in {button.name for button in buttons}


def test_the_order_says_in_which_way_its_goods_leave_after_a_change(sign_in, make_shipments, press):
    [one] = make_shipments(lines=2)
    press(sign_in(Role.LOGISTICS), "change-method", "ready", rows(one), method="VISIT", reason="")
    page = sign_in(Role.CS).get(f"/orders/{one.order.number}/").content.decode()
    assert "<dt>배송방법</dt><dd>방문수령</dd>" in page
    assert methods_text(lines(one), ordered=M.PARCEL) == "방문수령"


def test_a_rider_s_browser_may_press_without_cookies_and_without_saying_where_it_comes_from(make_shipments):
    """What Chromium sends from a page with the referrer policy "no-referrer"."""
    [one] = sent(make_shipments(method=M.QUICK))
    address = f"/rider/{link_token(Handover.objects.get(shipment=one))}/"
    browser = Client(enforce_csrf_checks=True)
    assert browser.get(address).status_code == 200
    assert not browser.cookies
    assert browser.post(address, headers={"Origin": "null"}).status_code == 200
    assert states(one) == {(LineState.DELIVERED, DeliveredBy.RIDER)}
