"""Summaries: who follows the moves of a table, and that one act is summed up once."""

from collections import defaultdict
from typing import Any

import pytest
from django.db import transaction

from core import summaries
from core.state import Outcome, follow, move, previewing, summing_up_once
from orders.models import Order, OrderLine
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.work import LineMaker, locked_rows


def moved(ids: list[int], method: Any, **facts: Any) -> Outcome:
    with transaction.atomic():
        return move(locked_rows(ids), method, at=NOW, **facts)


def test_an_upper_app_may_follow_the_moves_of_a_table(make_lines: LineMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(summaries, "_followers", defaultdict(list))

    @follow(OrderLine)
    def keep(rows: Any, *, at: Any) -> None:
        seen.append(([row.pk for row in rows], [row.version for row in rows], at))

    lines = make_lines(2)
    ids = [line.pk for line in lines]
    moved(ids, OrderLine.acknowledge)
    assert seen == [(ids, [1, 1], NOW)]
    with previewing():
        move(locked_rows(ids), OrderLine.hold, at=NOW, reason="사유")
    assert len(seen) == 1, "a preview moves nothing"


def test_two_moves_of_one_act_are_summed_up_once(make_lines: LineMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(summaries, "_followers", defaultdict(list))
    follow(OrderLine)(lambda rows, *, at: seen.append([row.pk for row in rows]))
    first, second = make_lines(2)
    before = {order.pk: order.version for order in Order.objects.all()}
    with transaction.atomic(), summing_up_once(OrderLine, at=NOW):
        rows = locked_rows([first.pk, second.pk])
        move(rows, OrderLine.acknowledge, at=NOW)
        with summing_up_once(OrderLine, at=NOW):
            move(rows[:1], OrderLine.hold, at=NOW, reason="사유")
        assert seen == [], "an act within the act is part of it"
        assert dict(Order.objects.values_list("pk", "version")) == before
    assert seen == [[first.pk, second.pk]]
    assert dict(Order.objects.values_list("pk", "version")) == {pk: version + 1 for pk, version in before.items()}


def test_moves_that_fail_before_their_sum_leave_nothing_to_the_next(make_lines: LineMaker) -> None:
    [line] = make_lines(1)
    before = line.order.version

    def moved_in_vain() -> None:
        with transaction.atomic(), summing_up_once(OrderLine, at=NOW):
            move(locked_rows([line.pk]), OrderLine.acknowledge, at=NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        moved_in_vain()
    assert (reloaded(line).acknowledged_at, Order.objects.get(pk=line.order_id).version) == (None, before)
    moved([line.pk], OrderLine.acknowledge)
    assert Order.objects.get(pk=line.order_id).version == before + 1
