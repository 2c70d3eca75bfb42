"""Undo of the acts that go back: line, parcel, money and messages stand exactly as before (architecture.md 3, Undo)."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Sum

from accounts.roles import Role
from core import relay
from core.actions import ACTIONS
from core.exceptions import NotAllowed
from core.jobs import items
from core.jobs.shown import BY_ANOTHER, CAN_UNDO, CANNOT_UNDO, preview_of
from core.jobs.undo import open_undo
from core.models import JobState, Message
from orders.models import LineLock, OrderEvent, OrderLine
from orders.services import locks, progress
from orders.states import CanceledBy, ConfirmedBy, DeliveredBy, LineState
from payments.models import LedgerEntry, Payment
from payments.services.manual import confirm_manually
from products.models import StockLevel
from shipping.models import Parcel
from shipping.services import shipments
from shipping.states import ParcelState
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.work import confirmed, previewed

S = LineState
LATER = NOW + timedelta(days=2)
REASON = {"reason": ["잘못 눌렀습니다"]}
MONEY = {
    "accept-difference", "approve-refund", "ask-difference", "attach-notice", "cancel-refund",
    "close-problem", "confirm-payout", "mark-test", "pay-refund", "reopen-deposit", "reopen-problem",
    "replay-notice", "report-bounce", "retry-refund", "revive-order", "unallocate-deposit", "withdraw-refund",
}  # fmt: skip
"""Acts on money that others hear of (a PG, a bank, the buyer), or whose way back is another act with its own reason."""
EXCEPTIONS = {
    "ask-courier-again", "assign-exception", "come-back", "inquire-exception", "note-exception", "resend",
    "resume-parcel",
}  # fmt: skip
"""Acts on boxes and cases that are set right by the next decision, not by taking one back."""
BY_ANOTHER_BUTTON = {
    "hold-refund": "환불보류 해제", "release-refund": "환불보류", "unmerge-shipments": "합포장",
    "close-exception": "다시 열기", "reopen-exception": "처리 완료", "lose-parcel": "다시 배송",
    "correct-waybill": "송장 정정", "correct-case": "송장 정정",
}  # fmt: skip
REMARKED = {
    "print-labels", "print-packing", "print-picking", "reprint-labels", "ask-couriers", "tell-buyers", "tell-case",
}  # fmt: skip
"""They move no row, and say themselves what stays of them: paper, a question, a message."""
NO_UNDO = (
    {"acknowledge", "notify-delay", "resend-account", "reissue-account", "void-waybill", "force-waybill"}
    | MONEY | EXCEPTIONS | {"pickup-again", "register-rider"}
)  # fmt: skip


def facts(row: Any) -> dict[str, Any]:
    """Every stored fact of a row but its version and the time of writing."""
    row = reloaded(row)
    left_out = {"version", "updated_at"}
    return {f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields if f.attname not in left_out}


def pressed(name: str, lines: list[OrderLine], *, actor: Any, form: Any = REASON) -> Any:
    act = ACTIONS[name]
    job = confirmed(previewed(act, lines, actor=actor), actor=actor, form=form if act.form_class else None)
    assert job.state == JobState.DONE, items.reasons(job)
    return job


def undone(job: Any, *, actor: Any) -> Any:
    found = confirmed(open_undo(job=job, actor=actor, at=job.finished_at), actor=actor)
    assert found.state == JobState.DONE, items.reasons(found)
    return found


def lines_in(made: list[Any]) -> list[OrderLine]:
    return list(OrderLine.objects.filter(order__in=[one.order_id for one in made]).order_by("pk"))


@pytest.fixture
def sent(make_sent):
    """Lines of two shipments in 배송중, two lines each."""
    return lines_in(make_sent(2, lines=2))


@pytest.fixture
def delivered(sent):
    """The same in 배송완료 by the courier's word, with their parcels."""
    ids = [line.pk for line in sent]
    shipments.deliver_by_hand(line_ids=ids, actor=None, at=LATER, reason="수령 확인")
    return sent


@pytest.mark.parametrize("by", [ConfirmedBy.BUYER, ConfirmedBy.STAFF])
def test_revoking_a_confirmation_is_undone_to_the_same_word_and_moment(delivered, staff, by):
    ids = [line.pk for line in delivered]
    progress.confirm_purchase(line_ids=ids, by=by, actor=None, at=LATER)
    before = [facts(line) for line in delivered]
    job = pressed("revoke-confirmation", delivered, actor=staff)
    assert {reloaded(line).state for line in delivered} == {S.DELIVERED}
    undone(job, actor=staff)
    assert [facts(line) for line in delivered] == before
    assert broken() == []


def test_a_confirmation_on_the_way_comes_back_too(sent, staff):
    progress.confirm_purchase(line_ids=[line.pk for line in sent], by=ConfirmedBy.BUYER, actor=None, at=LATER)
    before = [facts(line) for line in sent]
    job = pressed("revoke-confirmation", sent, actor=staff)
    assert {reloaded(line).state for line in sent} == {S.SHIPPING}
    undone(job, actor=staff)
    assert [facts(line) for line in sent] == before


def test_taking_back_a_delivery_is_undone_and_the_buyer_is_told_once(delivered, staff):
    relay.run_once(at=LATER + timedelta(hours=1))
    told = Message.objects.filter(template="order_delivered").count()
    parcels = list(Parcel.objects.order_by("pk"))
    before, boxes = [facts(line) for line in delivered], [facts(parcel) for parcel in parcels]
    assert {line["delivered_by"] for line in before} == {DeliveredBy.STAFF}
    job = pressed("undeliver", delivered, actor=staff)
    assert {reloaded(parcel).state for parcel in parcels} == {ParcelState.HANDED_OVER}
    undone(job, actor=staff)
    assert [facts(line) for line in delivered] == before
    assert [facts(parcel) for parcel in parcels] == boxes
    relay.run_once(at=LATER + timedelta(days=400))
    assert Message.objects.filter(template="order_delivered").count() == told == 2
    assert broken() == []


def test_the_courier_s_own_word_counts_again(delivered, staff):
    """What staff had refused of a courier's delivery is forgotten when they undo the refusal."""
    Parcel.objects.update(stage="DELIVERED")
    job = pressed("undeliver", delivered, actor=staff)
    assert set(Parcel.objects.values_list("refused_delivery_at", flat=True)) == {LATER}
    undone(job, actor=staff)
    assert set(Parcel.objects.values_list("refused_delivery_at", flat=True)) == {None}


def test_taking_back_a_shipment_is_undone_and_the_buyer_is_told_once(sent, staff):
    relay.run_once(at=NOW + timedelta(hours=1))
    before = [facts(line) for line in sent]
    stock = list(StockLevel.objects.order_by("pk").values_list("on_hand", "demand", "allocated"))
    job = pressed("unship", sent, actor=staff)
    assert {reloaded(line).state for line in sent} == {S.READY}
    undone(job, actor=staff)
    assert [facts(line) for line in sent] == before
    assert list(StockLevel.objects.order_by("pk").values_list("on_hand", "demand", "allocated")) == stock
    assert set(Parcel.objects.values_list("state", flat=True)) == {ParcelState.HANDED_OVER}
    relay.run_once(at=NOW + timedelta(days=400))
    assert Message.objects.filter(template="order_shipped").count() == 2
    assert broken() == []


def test_taking_back_a_deposit_is_undone_by_a_new_row_and_the_buyer_is_told_once(make_order, lines_of, staff):
    order = make_order()
    confirm_manually(order_ids=[order.pk], actor=staff, at=NOW)
    progress.acknowledge(line_ids=[line.pk for line in lines_of(order)], actor=staff, at=LATER)
    relay.run_once(at=LATER)
    [line] = lines_of(order)
    before = facts(line)
    job = pressed("revert-payment", [line], actor=staff)
    assert (reloaded(line).state, reloaded(line).ship_by, reloaded(order).paid_amount) == (S.AWAITING_PAYMENT, None, 0)
    undone(job, actor=staff)
    assert facts(line) == before
    assert (before["acknowledged_at"], before["paid_at"]) == (LATER, NOW)
    rows = LedgerEntry.objects.order_by("pk").values_list("kind", "amount")
    assert list(rows) == [("MANUAL", 10_000), ("MANUAL_REVERSAL", -10_000), ("MANUAL", 10_000)]
    assert (reloaded(order).paid_amount, Payment.objects.get().balance) == (10_000, 10_000)
    relay.run_once(at=LATER + timedelta(days=400))
    assert Message.objects.filter(template="payment_confirmed").count() == 1
    assert broken() == []


def test_releasing_a_hold_is_undone_with_the_reason_and_the_date_it_had(make_order, lines_of, staff):
    first, second = (lines_of(make_order(paid=True))[0] for _ in range(2))
    locks.hold(line_ids=[first.pk], actor=staff, at=NOW, reason="고객 부재", until=LATER.date())
    locks.hold(line_ids=[second.pk], actor=staff, at=NOW, reason="주소 확인")
    before = [facts(first), facts(second)]
    job = pressed("release-hold", [first, second], actor=staff)
    assert [reloaded(line).hold_reason for line in (first, second)] == ["", ""]
    undone(job, actor=staff)
    assert [facts(first), facts(second)] == before
    open_locks = LineLock.objects.filter(released_at=None).order_by("line_id")
    assert list(open_locks.values_list("reason", "until")) == [("고객 부재", LATER.date()), ("주소 확인", None)]
    told = OrderEvent.objects.filter(kind="line.held").order_by("pk").values_list("reason", flat=True)
    assert list(told) == ["고객 부재", "주소 확인", "고객 부재", "주소 확인"]
    assert broken() == []


def test_reviving_is_undone_to_the_same_end_and_the_buyer_is_told_once(make_order, lines_of, staff):
    order = make_order(coupon_amount=1_000)
    progress.cancel_unpaid(order_ids=[order.pk], actor=None, at=NOW, by=CanceledBy.DEADLINE)
    relay.run_once(at=NOW + timedelta(hours=1))
    [line] = lines_of(order)
    before = facts(line)
    job = pressed("revive", [line], actor=staff)
    assert reloaded(line).state == S.AWAITING_PAYMENT
    undone(job, actor=staff)
    assert facts(line) == before
    assert (before["canceled_at"], before["canceled_by"]) == (NOW, CanceledBy.DEADLINE)
    net = order.benefits.values("act").annotate(won=Sum("amount")).order_by("act").values_list("act", "won")
    assert list(net) == [("RESTORED", 2_000), ("USED", 2_000)]
    relay.run_once(at=NOW + timedelta(days=400))
    assert Message.objects.filter(template="order_canceled").count() == 1
    assert broken() == []


def test_what_moved_on_since_is_left_alone(sent, staff):
    job = pressed("unship", sent, actor=staff)
    shipments.ship(line_ids=[line.pk for line in sent[:2]], actor=None, at=LATER)
    found = open_undo(job=job, actor=staff, at=job.finished_at)
    assert items.counts(found).refused == 2
    confirmed(found, actor=staff)
    assert {reloaded(line).shipped_at for line in sent[:2]} == {LATER}
    assert {reloaded(line).shipped_at for line in sent[2:]} == {NOW}


def test_somebody_else_s_way_back_needs_the_right_of_the_way_forth(make_order, lines_of, staff, make_staff):
    order = make_order()
    confirm_manually(order_ids=[order.pk], actor=staff, at=NOW)
    job = pressed("revert-payment", lines_of(order), actor=staff)
    with pytest.raises(NotAllowed):
        open_undo(job=job, actor=make_staff(Role.LOGISTICS), at=job.finished_at)
    assert reloaded(order).paid_amount == 0
    assert open_undo(job=job, actor=make_staff(Role.FINANCE), at=job.finished_at) is not None


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_the_dialog_of_every_act_says_whether_it_can_be_taken_back(make_order, staff, name):
    job = previewed(ACTIONS[name], list(make_order().lines.all()), actor=staff)
    said = preview_of(job, ACTIONS[name], items.counts(job)).undo_text
    if name in BY_ANOTHER_BUTTON:
        assert said == BY_ANOTHER.format(label=BY_ANOTHER_BUTTON[name])
    elif name in REMARKED:
        assert said == ACTIONS[name].remark
        assert not ACTIONS[name].is_undoable
    else:
        assert said == (CANNOT_UNDO if name in NO_UNDO else CAN_UNDO)
