"""What no courier carries: who may say that it arrived, by which proof, and what the clock may not say."""

from datetime import timedelta
from typing import Any

import pytest

from core import relay
from core.exceptions import Conflict, NotFound
from core.models import Message
from core.settings_registry import set_setting
from orders.models import OrderEvent, OrderLine
from orders.services.locks import place_lock
from orders.states import DeliveredBy, DeliveryMethod, LineState, LockKind
from shipping.models import Handover, Shipment, TrackingPoll
from shipping.services import methods, shipments
from shipping.services.handover import dispatching, ending, timers
from shipping.services.seals import link_token, pickup_code
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.shipments import again

M = DeliveryMethod
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def send(made, *, at=NOW, actor=None):
    outcome = shipments.ship(line_ids=shipments.lines_of([one.pk for one in made]), actor=actor, at=at)
    assert outcome.refused == {}
    return again(made)


@pytest.fixture
def sent(make_shipments):
    """`sent(DeliveryMethod.QUICK)`: a shipment that has left in this way."""

    def make(method, count=1, *, at=NOW, actor=None) -> Any:
        made = send(make_shipments(count, method=method, at=at), at=at, actor=actor)
        return made[0] if count == 1 else made

    return make


def lines(shipment):
    return list(OrderLine.objects.filter(shipment_items__shipment=shipment, shipment_items__is_live=True))


def proof(shipment):
    return {(line.state, line.delivered_by) for line in lines(shipment)}


def ids(shipment):
    return [line.pk for line in lines(shipment)]


WAITS = {(LineState.SHIPPING, "")}


def test_each_method_ends_by_its_own_proof_and_the_order_with_the_last(make_order, make_variant, staff):
    """A18."""
    order = make_order(lines=[(make_variant(on_hand=5), 1) for _ in range(4)], paid=True)
    wanted = dict(zip(order.lines.order_by("seq"), (M.VISIT, M.QUICK, M.DIRECT, M.NONE), strict=True))
    for line, method in wanted.items():
        OrderLine.objects.filter(pk=line.pk).update(delivery_method=method)
    assert shipments.make_ready(line_ids=[line.pk for line in wanted], actor=staff, at=NOW).refused == {}
    made = {one.method: one for one in Shipment.objects.filter(order=order)}
    assert len(made) == 4
    send(list(made.values()), actor=staff)
    assert not TrackingPoll.objects.exists()
    assert proof(made[M.NONE]) == {(LineState.DELIVERED, DeliveredBy.DISPATCH)}
    assert [proof(made[one]) for one in (M.VISIT, M.QUICK, M.DIRECT)] == [WAITS] * 3

    visit = Handover.objects.get(shipment=made[M.VISIT])
    code = pickup_code(visit)
    assert ending.receive(line_ids=ids(made[M.VISIT]), code=code, name="", actor=staff, at=NOW).refused == {}
    ending.confirm_by_rider(token=link_token(Handover.objects.get(shipment=made[M.QUICK])), at=NOW + HOUR)
    assert reloaded(order).stage == LineState.SHIPPING
    assert timers.run(at=NOW + 3 * DAY) == 1
    assert reloaded(order).stage == LineState.DELIVERED
    assert [proof(made[one]) for one in (M.VISIT, M.QUICK, M.DIRECT)] == [
        {(LineState.DELIVERED, by)} for by in (DeliveredBy.CODE, DeliveredBy.RIDER, DeliveredBy.DAYS)
    ]
    told = OrderEvent.objects.filter(kind="line.delivered").order_by("pk").values_list("reason", flat=True)
    assert list(told) == ["발송 즉시", "수령 코드 확인", "기사 링크", "3일 경과"]


@pytest.mark.parametrize(
    ("method", "wait", "reason"), [(M.QUICK, 24 * HOUR, "24시간 경과"), (M.DIRECT, 3 * DAY, "3일 경과")]
)
def test_the_clock_ends_what_nobody_ended_and_not_a_second_before(method, wait, reason, sent):
    shipment = sent(method)
    assert timers.deliver_overdue(at=NOW + wait - timedelta(seconds=1)) == 0
    assert proof(shipment) == WAITS
    assert timers.deliver_overdue(at=NOW + wait) == 1
    assert timers.deliver_overdue(at=NOW + wait) == 0
    assert proof(shipment) == {(LineState.DELIVERED, DeliveredBy.DAYS)}
    assert OrderEvent.objects.get(kind="line.delivered").reason == reason


def test_a_claim_a_lock_and_a_new_rider_stop_the_clock(sent):
    claimed, locked, anew, free = sent(M.QUICK, 4)
    place_lock(line_ids=ids(claimed), kind=LockKind.CLAIM, actor=None, at=NOW, reason="반품 신청")
    place_lock(line_ids=ids(locked), kind=LockKind.PAYMENT, actor=None, at=NOW, reason="결제 확인")
    assert dispatching.register_rider(
        shipment_ids=[anew.pk], carried_by="한강퀵", phone="01011112222", actor=None, at=NOW + 2 * HOUR
    ).changes
    assert timers.deliver_overdue(at=NOW + 25 * HOUR) == 1
    assert [proof(one) == WAITS for one in (claimed, locked, anew, free)] == [True, True, True, False]
    assert timers.deliver_overdue(at=NOW + 26 * HOUR) == 1
    assert proof(anew) == {(LineState.DELIVERED, DeliveredBy.DAYS)}


def test_zero_switches_the_clock_off_and_parcels_have_none_unless_set(sent, make_sent, staff):
    quick, [parcel] = sent(M.QUICK), make_sent()
    set_setting(key="quick_done_hours", value=0, actor=staff, at=NOW)
    assert timers.deliver_overdue(at=NOW + 60 * DAY) == 0
    set_setting(key="parcel_done_days", value=10, actor=staff, at=NOW)
    assert timers.deliver_overdue(at=NOW + 10 * DAY) == 1
    assert proof(quick) == WAITS
    assert proof(parcel) == {(LineState.DELIVERED, DeliveredBy.DAYS)}
    assert parcel.parcels.get().state == "DELIVERED"
    assert not TrackingPoll.objects.filter(parcel__shipment=parcel, is_active=True).exists()


def test_what_is_to_be_fetched_is_never_ended_by_the_clock_and_reminds_twice(sent):
    shipment = sent(M.VISIT)
    day = NOW.replace(hour=12)
    assert timers.run(at=day + 2 * DAY) == 0
    assert [timers.run(at=day + n * DAY) for n in (3, 4, 7, 8, 60)] == [1, 0, 1, 0, 0]
    assert proof(shipment) == WAITS
    assert OrderEvent.objects.filter(kind="shipment.pickup_reminded").count() == 2


def test_nobody_is_reminded_at_night(sent):
    sent(M.VISIT)
    assert timers.run(at=NOW.replace(hour=21) + 3 * DAY) == 0
    assert timers.run(at=NOW.replace(hour=20) + 3 * DAY) == 1


def wrong(handover):
    return f"{(int(pickup_code(handover)) + 1) % 10**6:06d}"


def test_five_wrong_codes_close_the_door_to_codes_until_a_new_one_is_sent(sent, staff):
    shipment = sent(M.VISIT)
    row = Handover.objects.get(shipment=shipment)
    facts = {"line_ids": ids(shipment), "name": "", "actor": staff, "at": NOW}
    said = [set(ending.receive(code=wrong(row), **facts).refused.values()) for _ in range(5)]
    assert said[0] == {ending.WRONG_CODE.format(left=4)}
    assert said[4] == {ending.TOO_MANY}
    assert set(ending.receive(code=pickup_code(row), **facts).refused.values()) == {ending.TOO_MANY}
    assert proof(shipment) == WAITS
    before = pickup_code(row)
    assert dispatching.tell_again(shipment_ids=[shipment.pk], actor=staff, at=NOW).changes
    row = reloaded(row)
    assert (row.tries, pickup_code(row) == before) == (0, False)
    assert ending.receive(code=before, **facts).refused
    assert ending.receive(code=pickup_code(row), **facts).refused == {}
    assert proof(shipment) == {(LineState.DELIVERED, DeliveredBy.CODE)}


def test_staff_write_down_who_came(sent, staff):
    shipment = sent(M.VISIT)
    assert ending.receive(line_ids=ids(shipment), code="", name="홍길동", actor=staff, at=NOW).refused == {}
    assert proof(shipment) == {(LineState.DELIVERED, DeliveredBy.STAFF)}
    assert Handover.objects.get(shipment=shipment).received_by == "홍길동"
    assert "홍길동" not in "".join(OrderEvent.objects.values_list("reason", flat=True))


def test_acts_refuse_the_other_methods_and_change_nothing(sent, make_sent, staff):
    quick, visit, [parcel] = sent(M.QUICK), sent(M.VISIT), make_sent()
    facts = {"actor": staff, "at": NOW}
    assert ending.hand_over(line_ids=ids(visit) + ids(parcel), memo="", **facts).refused.keys() == {
        *ids(visit),
        *ids(parcel),
    }
    assert ending.receive(line_ids=ids(quick), code="", name="홍", **facts).refused.keys() == set(ids(quick))
    done = dispatching.register_rider(shipment_ids=[visit.pk, parcel.pk], carried_by="", phone="", **facts)
    assert done.refused.keys() == {visit.pk, parcel.pk}
    assert dispatching.tell_again(shipment_ids=[quick.pk], **facts).refused.keys() == {quick.pk}
    assert [proof(one) for one in (quick, visit, parcel)] == [WAITS] * 3


def test_what_is_to_be_fetched_needs_its_own_proof_whoever_presses(sent, staff):
    visit, quick = sent(M.VISIT), sent(M.QUICK)
    done = shipments.deliver_by_hand(line_ids=ids(visit) + ids(quick), actor=staff, at=NOW, reason="전화 확인")
    assert done.refused == dict.fromkeys(ids(visit), shipments.BY_CODE_OR_NAME)
    assert proof(visit) == WAITS
    assert proof(quick) == {(LineState.DELIVERED, DeliveredBy.STAFF)}


@pytest.mark.parametrize(("method", "wait"), [(M.QUICK, 24 * HOUR), (M.DIRECT, 3 * DAY)])
def test_the_clock_begins_anew_when_somebody_says_that_it_had_not_arrived(method, wait, sent, staff):
    shipment = sent(method)
    assert timers.deliver_overdue(at=NOW + wait) == 1
    back = NOW + wait + HOUR
    assert shipments.undeliver(line_ids=ids(shipment), actor=staff, at=back, reason="고객이 못 받음").refused == {}
    assert timers.deliver_overdue(at=back + wait - timedelta(seconds=1)) == 0
    assert proof(shipment) == WAITS
    assert timers.deliver_overdue(at=back + wait) == 1


def test_what_leaves_once_more_has_a_fresh_code_and_a_fresh_link(sent, staff):
    visit, quick = sent(M.VISIT), sent(M.QUICK)
    code = Handover.objects.get(shipment=visit)
    for _ in range(5):
        ending.receive(line_ids=ids(visit), code=wrong(code), name="", actor=staff, at=NOW)
    dispatching.register_rider(shipment_ids=[quick.pk], carried_by="한강퀵", phone="", actor=staff, at=NOW)
    ending.confirm_by_rider(token=link_token(Handover.objects.get(shipment=quick)), at=NOW)
    shipments.undeliver(line_ids=ids(quick), actor=staff, at=NOW, reason="다른 곳에 전달")
    for one in (visit, quick):
        shipments.unship(line_ids=ids(one), actor=staff, at=NOW + HOUR, reason="다시 보냄")
    send([visit, quick], at=NOW + 2 * HOUR, actor=staff)
    after = reloaded(code)
    assert (after.tries, pickup_code(after) == pickup_code(code)) == (0, False)
    fresh = Handover.objects.get(shipment=quick)
    assert (fresh.link_used_at, fresh.carried_by) == (None, "한강퀵")
    assert not ending.errand(token=link_token(fresh)).is_done


def test_a_rider_registered_before_the_dispatch_keeps_the_link(make_shipments, staff):
    [quick] = make_shipments(method=M.QUICK)
    dispatching.register_rider(shipment_ids=[quick.pk], carried_by="한강퀵", phone="", actor=staff, at=NOW)
    token = link_token(Handover.objects.get(shipment=quick))
    send([quick], actor=staff)
    assert not ending.errand(token=token).is_done


def test_a_link_works_once_and_a_new_rider_ends_the_old_one(sent):
    shipment = sent(M.QUICK)
    old = link_token(Handover.objects.get(shipment=shipment))
    dispatching.register_rider(shipment_ids=[shipment.pk], carried_by="한강퀵", phone="", actor=None, at=NOW)
    with pytest.raises(NotFound):
        ending.errand(token=old)
    token = link_token(Handover.objects.get(shipment=shipment))
    assert ending.errand(token=token) == ending.Errand("서울 강남구", 1, is_done=False)
    for bad in (token[:-1], token + "A", f"{shipment.pk + 1}_{token.partition('_')[2]}", "x", "0_", str(shipment.pk)):
        with pytest.raises(NotFound):
            ending.confirm_by_rider(token=bad, at=NOW)
    ending.confirm_by_rider(token=token, at=NOW)
    with pytest.raises(Conflict):
        ending.confirm_by_rider(token=token, at=NOW)
    assert proof(shipment) == {(LineState.DELIVERED, DeliveredBy.RIDER)}
    assert OrderEvent.objects.filter(kind="line.delivered").count() == 1


def test_a_link_of_what_came_back_opens_nothing(sent, staff):
    shipment = sent(M.QUICK)
    token = link_token(Handover.objects.get(shipment=shipment))
    shipments.unship(line_ids=ids(shipment), actor=staff, at=NOW, reason="다시")
    with pytest.raises(NotFound):
        ending.confirm_by_rider(token=token, at=NOW)
    assert proof(shipment) == {(LineState.READY, "")}


def test_the_public_page_shows_no_person_and_opening_it_changes_nothing(sent, client):
    shipment = sent(M.QUICK)
    address = f"/rider/{link_token(Handover.objects.get(shipment=shipment))}/"
    for _ in range(2):
        page = client.get(address)
    text = page.content.decode()
    assert page.status_code == 200
    assert "서울 강남구" in text
    order = shipment.order
    for secret in (order.recipient_name, order.recipient_phone, "테헤란로", order.number, order.buyer_name):
        assert secret not in text
    assert (page["Referrer-Policy"], page["X-Robots-Tag"]) == ("no-referrer", "noindex")
    assert "no-store" in page["Cache-Control"]
    assert proof(shipment) == WAITS
    assert "전달 완료했습니다" in client.post(address).content.decode()
    again_ = client.post(address)
    assert again_.status_code == 409
    # Whoever presses twice reads that it is done, not that something went wrong.
    assert "전달 완료했습니다" in again_.content.decode()
    assert client.get("/rider/1_aaaa/").status_code == 404


def test_a_method_changes_before_the_dispatch_only(make_shipments, sent, staff):
    [waits] = make_shipments()
    left = sent(M.QUICK)
    facts = {"method": M.VISIT, "actor": staff, "at": NOW}
    done = methods.change_method(shipment_ids=[waits.pk, left.pk], **facts)
    assert done.refused == {left.pk: methods.LEFT}
    assert [one.method for one in again([waits, left])] == [M.VISIT, M.QUICK]


def test_each_method_has_its_words_for_the_buyer(sent, make_sent):
    for method in (M.QUICK, M.VISIT, M.DIRECT, M.NONE):
        sent(method)
    make_sent()
    relay.run_once(at=NOW + HOUR)
    told = sorted(Message.objects.values_list("template", flat=True))
    assert told == ["order_handed", "order_left", "order_left", "order_shipped", "pickup_ready"]
    row = Handover.objects.get(shipment__method=M.VISIT)
    assert pickup_code(row) in Message.objects.get(template="pickup_ready").body
