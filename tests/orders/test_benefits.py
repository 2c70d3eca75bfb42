"""쿠폰과 적립금: used when an order comes, given back once when it ends unpaid, used again when it is revived."""

from importlib import import_module
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import InternalError

from accounts.roles import Role
from core.jobs.undo import open_undo
from core.models import JobState
from orders.models import BenefitEntry, OrderEvent
from orders.services import benefits, progress
from orders.services.locking import locked_orders
from orders.states import BenefitKind, CanceledBy, LineState
from orders.timeline import timeline
from payments.actions.payments import CancelUnpaid
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.work import confirmed, previewed

AMOUNTS = {"coupon_amount": 3_001, "points_amount": 700}
USED = [("COUPON", "USED", 1, 3_001), ("POINTS", "USED", 1, 700)]
BACK = [("COUPON", "RESTORED", 1, 3_001), ("POINTS", "RESTORED", 1, 700)]
AGAIN = [("COUPON", "USED", 2, 3_001), ("POINTS", "USED", 2, 700)]


def ledger(order: Any) -> list[tuple[Any, ...]]:
    return list(BenefitEntry.objects.filter(order=order).order_by("pk").values_list("kind", "act", "seq", "amount"))


def cancel(order: Any, *, actor: Any = None, by: CanceledBy = CanceledBy.STAFF) -> Any:
    return progress.cancel_unpaid(order_ids=[order.pk], actor=actor, at=NOW, by=by, reason="고객 요청")


def said(order: Any) -> list[tuple[str, str]]:
    return [(one.label, one.what) for one in timeline(order, order.lines.all())]


@pytest.fixture
def two_lines(make_order, make_variant):
    return make_order(lines=[(make_variant(on_hand=5), 1), (make_variant(on_hand=5), 2)], **AMOUNTS)


def test_an_order_with_coupon_and_points_writes_what_it_used(two_lines, make_order):
    plain = make_order()
    paid = make_order(paid=True, coupon_amount=1_000)
    assert ledger(two_lines) == USED
    assert ledger(plain) == []
    assert ledger(paid) == [("COUPON", "USED", 1, 1_000)]
    assert broken() == []


def test_a_cancel_by_staff_gives_back_and_the_page_and_the_shares_say_so(two_lines, staff):
    cancel(two_lines, actor=staff)
    assert ledger(two_lines) == USED + BACK
    row = BenefitEntry.objects.filter(act="RESTORED").first()
    assert (row.at, row.actor, row.reason) == (NOW, staff, "고객 요청")
    shares = [event.data["benefits"] for event in OrderEvent.objects.filter(kind="line.canceled_unpaid")]
    assert [one["act"] for one in shares] == ["RESTORED", "RESTORED"]
    assert sum(one["coupon"] for one in shares) == 3_001
    assert sum(one["points"] for one in shares) == 700
    assert said(two_lines)[0] == ("입금전취소", "쿠폰 3,001원, 적립금 700원을 돌려주었습니다")
    assert broken() == []


def test_a_refused_cancel_gives_nothing_back(make_order, staff):
    order = make_order(paid=True, **AMOUNTS)
    assert cancel(order, actor=staff).moved == []
    assert ledger(order) == USED


def test_a_preview_gives_nothing_back(two_lines, staff):
    previewed(CancelUnpaid(), list(two_lines.lines.all()), actor=staff)
    assert ledger(two_lines) == USED


def test_reviving_uses_them_again_and_the_next_end_gives_them_back_again(two_lines, staff):
    cancel(two_lines)
    progress.revive(order_ids=[two_lines.pk], actor=staff, at=NOW, reason="늦은 입금")
    assert ledger(two_lines) == USED + BACK + AGAIN
    assert said(two_lines)[0] == ("되살리기", "쿠폰 3,001원, 적립금 700원을 다시 사용했습니다")
    assert broken() == []
    cancel(two_lines, by=CanceledBy.BUYER)
    assert ledger(two_lines)[6:] == [("COUPON", "RESTORED", 2, 3_001), ("POINTS", "RESTORED", 2, 700)]
    assert broken() == []


def test_undoing_a_batch_of_cancels_takes_them_back(two_lines, staff):
    batch = confirmed(previewed(CancelUnpaid(), list(two_lines.lines.all()), actor=staff), actor=staff)
    assert (batch.state, ledger(two_lines)) == (JobState.DONE, USED + BACK)
    assert set(BenefitEntry.objects.filter(act="RESTORED").values_list("batch", flat=True)) == {batch.pk}
    confirmed(open_undo(job=batch, actor=staff, at=batch.finished_at), actor=staff)
    assert reloaded(two_lines.lines.first()).state == LineState.AWAITING_PAYMENT
    assert ledger(two_lines) == USED + BACK + AGAIN
    assert broken() == []


def entry(order, act, amount, *, seq=1, kind="COUPON"):
    with transaction.atomic():
        return BenefitEntry.objects.create(order=order, kind=kind, act=act, seq=seq, amount=amount, at=NOW)


def test_asking_again_gives_nothing_back_again(two_lines):
    cancel(two_lines)
    with locked_orders([two_lines.pk]) as (_, lines):
        assert benefits.follow(lines=lines, at=NOW) == {}
    assert ledger(two_lines) == USED + BACK


def test_the_database_refuses_a_second_restoring_and_any_change(two_lines):
    cancel(two_lines)
    with pytest.raises(IntegrityError, match="benefit_once"):
        entry(two_lines, "RESTORED", 3_001)
    with pytest.raises(IntegrityError, match="more than it used"):
        entry(two_lines, "RESTORED", 1, seq=2)
    for sql in ("UPDATE orders_benefitentry SET amount = 1", "DELETE FROM orders_benefitentry"):
        with pytest.raises(InternalError, match="Cannot update or delete"), transaction.atomic():
            connection.cursor().execute(sql)
    assert ledger(two_lines) == USED + BACK


def test_the_database_refuses_a_restoring_without_a_use_and_an_empty_row(make_order):
    order = make_order()
    with pytest.raises(IntegrityError, match="more than it used"):
        entry(order, "RESTORED", 500)
    for seq, kind, amount in ((0, BenefitKind.COUPON, 5), (1, BenefitKind.COUPON, 0), (1, "CASH", 5)):
        with pytest.raises(IntegrityError, match="benefit_"):
            entry(order, "USED", amount, seq=seq, kind=kind)
    assert not BenefitEntry.objects.exists()


def test_the_check_finds_an_order_that_keeps_what_it_gave_back_and_one_that_lost_it(two_lines, make_order):
    cancel(two_lines)
    other = make_order(coupon_amount=1_000)
    entry(two_lines, "USED", 3_001, seq=2)
    entry(other, "RESTORED", 400)
    found = sorted(one.detail for one in broken() if one.invariant == "INV-03")
    assert found == ["COUPON 1000, ledger says 600", "COUPON 3001, canceled, ledger says 3001"]


def test_placing_many_orders_takes_one_statement_more(channel, django_assert_num_queries, make_order):
    orders = [make_order(**AMOUNTS) for _ in range(3)]
    with pytest.raises(IntegrityError, match="benefit_once"), transaction.atomic():
        benefits.use(orders=orders, at=NOW)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE orders_benefitentry")
    with transaction.atomic(), django_assert_num_queries(1):
        benefits.use(orders=orders, at=NOW)
    assert [ledger(order) for order in orders] == [USED] * 3
    with django_assert_num_queries(0):
        benefits.use(orders=[make_order() for _ in range(0)], at=NOW)


def test_the_order_page_names_what_was_given_back(two_lines, sign_in):
    client = sign_in(Role.OWNER)
    page = client.get(f"/orders/{two_lines.number}/").content.decode()
    assert "돌려" not in page
    cancel(two_lines)
    page = client.get(f"/orders/{two_lines.number}/").content.decode()
    assert "쿠폰 (돌려줌)" in page
    assert "적립금 (돌려줌)" in page
    assert "쿠폰 3,001원, 적립금 700원을 돌려주었습니다" in page


def test_orders_from_before_the_ledger_get_the_rows_that_it_would_have(two_lines, make_order):
    cancel(two_lines)
    living = make_order(points_amount=900)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE orders_benefitentry")
        assert len(broken()) == 1
        cursor.execute(import_module("orders.migrations.0011_benefit_ledger").OPENING)
    assert sorted(ledger(two_lines)) == sorted(USED + BACK)
    assert ledger(living) == [("POINTS", "USED", 1, 900)]
    assert set(BenefitEntry.objects.filter(act="RESTORED").values_list("at", flat=True)) == {NOW}
    assert broken() == []
