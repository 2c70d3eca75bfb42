"""A08: shipments of one receiver become one under the earliest number, and apart again; both orders hear of it."""

from datetime import timedelta

import pytest

from accounts.roles import Role
from core import relay
from core.actions import get_action
from core.invariants import find_violations
from core.jobs import runner, start
from core.jobs.selection import by_ids, open_act
from core.jobs.undo import open_undo
from core.lists import lists
from core.models import JobState, Message
from orders.models import OrderEvent, OrderLine
from orders.services import locks
from orders.services.changes import Recipient, change_recipient
from products.models import StockLevel
from shipping.lists import fetch_waybills
from shipping.models import Parcel, Shipment, ShipmentLine
from shipping.services import shipments
from shipping.services.files.drafts import save_draft
from shipping.services.files.keys import resolve
from shipping.services.merges import merging
from shipping.services.merges.finding import groups
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from shipping.states import DeliveryMethod
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.shipments import again, waybill_number


def ids(made):
    return [one.pk for one in made]


def merge(made, staff):
    outcome = merging.merge_shipments(shipment_ids=ids(made), actor=staff, at=NOW)
    assert outcome.refused == {}
    return again(made)


def inside(shipment):
    return set(ShipmentLine.objects.filter(shipment=shipment, is_live=True).values_list("line__order_id", flat=True))


def snapshot():
    return (
        list(Shipment.objects.order_by("pk").values_list("pk", "version", "step", "merged_into", "line_count")),
        list(ShipmentLine.objects.order_by("pk").values_list("shipment_id", "line_id", "is_live")),
        OrderEvent.objects.count(),
        list(OrderLine.objects.order_by("pk").values_list("pk", "version", "state")),
    )


def test_a08_only_the_same_door_is_offered_and_merging_gives_one_number_and_one_label(make_shipments, staff, sign_in):
    same = make_shipments(2, address1="서울 중구 세종대로 110", address2="101동 1203호")
    [other] = make_shipments(1, address1="서울 중구 세종대로 110", address2="101동 1204호")
    offered = [[row.pk for row in group.rows] for group in groups()]
    assert offered == [ids(same)]
    page = sign_in(Role.LOGISTICS).get("/shipping/waybills/merges/").content.decode()
    assert "합포 가능 1묶음" in page
    listed = sign_in(Role.LOGISTICS).get("/orders/ready/").content.decode()
    assert 'hx-get="/shipping/waybills/merges/count/"' in listed
    assert sign_in(Role.LOGISTICS).get("/shipping/waybills/merges/count/").content.decode() == "1"
    assert sign_in(Role.VIEWER).get("/shipping/waybills/merges/count/").status_code == 403
    assert other.number not in page
    stock = list(StockLevel.objects.values_list("pk", "on_hand", "allocated"))

    first, second = merge(same, staff)
    assert (first.step, first.line_count, second.step, second.line_count) == ("READY", 2, "CLOSED", 0)
    assert second.merged_into_id == first.pk
    assert inside(first) == {first.order_id, second.order_id}
    assert list(StockLevel.objects.values_list("pk", "on_hand", "allocated")) == stock
    assert OrderEvent.objects.filter(kind="shipment.merged").values_list("order_id", flat=True).count() == 2
    done = waybills.register_waybills(entries={first.pk: WaybillEntry("CJGLS", waybill_number(0))}, actor=staff, at=NOW)
    assert done.refused == {}
    assert Parcel.objects.get().items.count() == 2
    assert fetch_waybills([first.order_id, second.order_id]) == {
        first.order_id: [("CJGLS", waybill_number(0))], second.order_id: [("CJGLS", waybill_number(0))],
    }  # fmt: skip
    assert find_violations() == []
    for one in (first, second):
        html = sign_in(Role.LOGISTICS).get(f"/orders/{one.order.number}/").content.decode()
        assert waybill_number(0) in html
        assert "합포장" in html


def test_apart_again_everything_stands_as_before(make_shipments, staff):
    made = make_shipments(3)
    before = [(one.number, inside(one)) for one in made]
    first, *_ = merge(made, staff)
    outcome = merging.unmerge(shipment_ids=[first.pk], actor=staff, at=NOW)
    assert outcome.refused == {}
    now = again(made)
    assert [(one.number, inside(one)) for one in now] == before
    assert [(one.step, one.line_count, one.merged_into_id) for one in now] == [("READY", 1, None)] * 3
    found = resolve([line.number for line in OrderLine.objects.filter(order__in=[one.order_id for one in made])])
    assert sorted(found.shipments.values()) == sorted(ids(made))
    assert find_violations() == []


@pytest.mark.parametrize("what", ["held", "numbered", "typed", "name", "phone", "door", "method"])
def test_what_may_not_be_merged_stays_and_says_why(what, make_shipments, staff):
    [one] = make_shipments(1)
    facts = {
        "name": {"recipient_name": "다른 사람"}, "phone": {"recipient_phone": "01099998888"},
        "door": {"address2": "999호"}, "method": {"method": DeliveryMethod.VISIT},
    }.get(what, {})  # fmt: skip
    [two] = make_shipments(1, **facts)
    if what == "held":
        locks.hold(line_ids=shipments.lines_of([two.pk]), actor=staff, at=NOW, reason="고객 부재")
    elif what == "numbered":
        waybills.register_waybills(entries={two.pk: WaybillEntry("CJGLS", waybill_number(0))}, actor=staff, at=NOW)
    elif what == "typed":
        save_draft(shipment_id=two.pk, courier="CJGLS", text=waybill_number(0), actor=staff, at=NOW)
    before = snapshot()
    outcome = merging.merge_shipments(shipment_ids=[one.pk, two.pk], actor=staff, at=NOW)
    assert outcome.possible == []
    assert outcome.refused.keys() == {one.pk, two.pk}
    expected = {"held": merging.HELD, "numbered": merging.NUMBERED, "typed": merging.TYPED}.get(what, merging.ALONE)
    assert outcome.refused[two.pk] == expected
    assert snapshot() == before


def test_a_blank_or_a_hyphen_makes_no_other_door_but_a_digit_does(make_shipments, staff):
    written = ("101동 1203호", "101동1203호")
    people = zip(written, ("홍 길동", "홍길동"), strict=True)
    made = [make_shipments(1, address2=text, recipient_name=name)[0] for text, name in people]
    apart = [make_shipments(1, address2=text)[0] for text in ("101 1203", "1011 203")]
    assert merging.merge_shipments(shipment_ids=ids(made), actor=staff, at=NOW).refused == {}
    assert len(merging.merge_shipments(shipment_ids=ids(apart), actor=staff, at=NOW).refused) == 2


def test_the_button_merges_and_undo_takes_apart(make_shipments, staff):
    made = make_shipments(2)
    rows = ",".join(f"{one.pk}:{one.version}" for one in made)
    action = get_action("merge-shipments")
    job = open_act(action=action, page=lists.page("ready"), selection=by_ids(rows), actor=staff, at=NOW)
    runner.run(start.confirm(job_id=job.pk, actor=staff, at=job.created_at), patient=False)
    job = reloaded(job)
    assert (job.state, job.done) == (JobState.DONE, 2)
    undo = open_undo(job=job, actor=staff, at=job.finished_at)
    runner.run(start.confirm(job_id=undo.pk, actor=staff, at=job.finished_at), patient=False)
    assert (reloaded(undo).done, reloaded(job).state) == (2, JobState.UNDONE)
    assert [one.step for one in again(made)] == ["READY", "READY"]
    assert find_violations() == []


def test_either_number_finds_it_and_the_list_shows_lines_of_both(make_shipments, staff):
    first, second = merge(make_shipments(2), staff)
    for text in (first.order.number, second.order.number, first.number, second.number):
        page = lists.page("ready")
        query = page.query(f"q={text}", user=None, at=NOW)
        assert [group.record.shipment_number for group in query.rows()] == [first.number], text
    [group] = lists.page("ready").query("period=all", user=None, at=NOW).rows()
    assert {line.order_id for line in group.lines} == {first.order_id, second.order_id}
    assert resolve([second.number, second.order.number]).shipments == {
        second.number: first.pk, second.order.number: first.pk,
    }  # fmt: skip


def test_each_order_is_told_once_and_the_waybill_finds_both(make_shipments, staff):
    first, second = merge(make_shipments(2), staff)
    waybills.register_and_ship(entries={first.pk: WaybillEntry("CJGLS", waybill_number(0))}, actor=staff, at=NOW)
    relay.run_once(at=NOW + timedelta(hours=1))
    relay.run_once(at=NOW + timedelta(hours=2))
    texts = [one.variables["order_number"] for one in Message.objects.filter(template="order_shipped")]
    assert sorted(texts) == sorted([first.order.number, second.order.number])
    found = lists.page("orders").query(f"q={waybill_number(0)}", user=None, at=NOW).rows()
    assert {group.record.number for group in found} == {first.order.number, second.order.number}


def test_an_address_that_changes_after_merging_stops_the_number(make_shipments, staff):
    first, second = merge(make_shipments(2), staff)
    order = second.order
    order.refresh_from_db()
    recipient = Recipient(**{name: getattr(order, name) for name in Recipient.__slots__} | {"address2": "다른 동 1호"})
    change_recipient(order_id=order.pk, recipient=recipient, expected_version=order.version, actor=staff, at=NOW)
    done = waybills.register_waybills(entries={first.pk: WaybillEntry("CJGLS", waybill_number(0))}, actor=staff, at=NOW)
    assert done.refused[first.pk].startswith("합포장한 주문의 받는 분이 서로 다릅니다.")
    assert not Parcel.objects.exists()
