"""Memos under many hands: one press is one memo, one deletion is one event."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core.exceptions import DomainError
from orders.models import OrderEvent, StaffMemo
from orders.services.changes import SAME_PRESS, add_memo, delete_memo
from tests.fixtures.orders import reloaded
from tests.infra.races import race

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


def test_of_three_deletions_at_once_one_counts(make_order, staff):
    order = make_order()
    memo = add_memo(order_id=order.pk, text="확인", is_pinned=False, actor=staff, at=timezone.now())

    def delete():
        try:
            delete_memo(memo_id=memo.pk, order_number=order.number, actor=staff, at=timezone.now())
        except DomainError as error:
            return error.code
        return "deleted"

    assert sorted(race([delete] * 3)) == ["deleted", "memo_not_found", "memo_not_found"]
    assert OrderEvent.objects.filter(kind="order.memo_deleted").count() == 1
    assert reloaded(order).version == order.version + 2
    assert not reloaded(order).has_memo


def test_three_equal_memos_at_once_are_one(make_order, staff):
    order = make_order()

    def add():
        return add_memo(order_id=order.pk, text="문 앞", is_pinned=False, actor=staff, at=timezone.now()).pk

    assert len(set(race([add] * 3))) == 1
    assert StaffMemo.objects.count() == OrderEvent.objects.filter(kind="order.memo_added").count() == 1
    assert reloaded(order).version == order.version + 1


def test_the_same_words_count_again_later_by_somebody_else_or_after_a_deletion(make_order, staff, make_staff):
    order, at = make_order(), timezone.now()
    facts = {"order_id": order.pk, "text": "전화함", "is_pinned": False}
    first = add_memo(**facts, actor=staff, at=at)
    add_memo(**facts, actor=staff, at=at + SAME_PRESS + timedelta(seconds=1))
    add_memo(**facts, actor=make_staff(), at=at)
    assert StaffMemo.objects.count() == 3
    StaffMemo.objects.exclude(pk=first.pk).delete()
    delete_memo(memo_id=first.pk, order_number=order.number, actor=staff, at=at)
    assert add_memo(**facts, actor=staff, at=at).pk != first.pk
