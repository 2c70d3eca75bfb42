"""예외 다시 열기: money of a case that somebody closed by mistake waits for a decision again."""

import pytest

from accounts.roles import Role
from core.state import previewing
from orders.models import OrderEvent
from payments.models import MoneyProblem, Refund
from payments.services.cases import reopening, resolving
from payments.states import ProblemKind, RefundState, Resolution
from tests.fixtures.orders import broken, reloaded
from tests.fixtures.refunds import ACCOUNT

K, R = ProblemKind, RefundState


@pytest.fixture
def closed(at_pg, staff):
    """`closed(50_000)`: (the order of 40,000 at its PG, the case of that money, closed without acting)."""

    def make(*deposits):
        shop = at_pg()
        shop.tell(*deposits)
        problem = shop.open_problem()
        assert resolving.close(problem_ids=[problem.pk], actor=staff, at=shop.moment, reason="착오").refused == {}
        return shop, problem

    return make


def reopen(shop, *problems):
    ids = [one.pk for one in problems]
    return reopening.reopen(problem_ids=ids, actor=shop.staff, at=shop.moment, reason="잘못 닫음")


@pytest.mark.parametrize(
    ("won", "case"), [(50_000, (K.OVERPAID, 10_000)), (30_000, (K.UNDERPAID, 10_000))], ids=["more", "less"]
)
def test_what_was_closed_by_mistake_is_a_case_again_and_can_be_refunded(closed, won, case):
    shop, problem = closed(won)
    assert shop.problems() == []
    assert reopen(shop, problem).refused == {}
    assert shop.problems() == [case]
    assert (reloaded(problem).resolution, reloaded(problem).version) == (Resolution.NOTHING, 2)
    event = OrderEvent.objects.get(kind="problem.reopened")
    assert (event.reason, event.actor, event.version) == ("잘못 닫음", shop.staff, 2)
    facts = {"actor": shop.staff, "at": shop.moment, "reason": "환불", "account": ACCOUNT}
    assert resolving.refund(problem_ids=[shop.open_problem().pk], **facts).refused == {}
    assert [won for _, won in shop.refunds()] == [10_000 if won > 40_000 else 30_000]
    assert broken() == []


def test_money_of_an_order_that_was_canceled_meanwhile_has_its_refund_prepared(closed):
    shop, problem = closed(50_000)
    assert shop.cancel().refused == {}
    assert reopen(shop, problem).refused == {}
    assert shop.problems() == [(K.LATE_AFTER_CANCEL, 10_000)] or shop.problems() == []
    assert broken() == []


def test_only_money_that_nobody_decided_about_comes_back(closed, staff):
    shop, problem = closed(50_000)
    assert reopen(shop, problem).refused == {}
    assert reopen(shop, problem).refused == {problem.pk: reopening.OPEN_ALREADY}
    again = shop.open_problem()
    assert reopen(shop, again).refused == {again.pk: reopening.NOT_CLOSED}
    shop.accept()
    assert reopen(shop, again).refused == {again.pk: reopening.NOT_CLOSED}


def test_nothing_is_opened_where_the_money_has_gone(closed):
    shop, problem = closed(50_000)
    shop.tell(50_000, refunds=(10_000,))
    MoneyProblem.objects.filter(resolved_at=None).delete()
    events = OrderEvent.objects.count()
    assert reopen(shop, problem).refused == {problem.pk: reopening.NOTHING_LEFT}
    assert (shop.problems(), OrderEvent.objects.count()) == ([], events)


def test_a_preview_opens_nothing(closed):
    shop, problem = closed(50_000)
    with previewing():
        outcome = reopen(shop, problem)
    assert (outcome.possible, outcome.changes, shop.problems()) == ([problem], [], [])


@pytest.mark.django_db(transaction=True)
def test_the_button_stands_on_the_closed_case_and_works(closed, sign_in, press):
    shop, problem = closed(50_000)
    client = sign_in(Role.FINANCE)
    page = client.get(f"/payments/problems/{problem.pk}/").content.decode()
    assert 'data-action="reopen-problem"' in page
    assert 'data-action="close-problem"' not in page
    _, answer = press(client, "reopen-problem", "problems", [(problem.pk, reloaded(problem).version)], reason="착오")
    assert answer.status_code == 200
    assert shop.problems() == [(K.OVERPAID, 10_000)]
    assert "reopen-problem" not in client.get(f"/payments/problems/{shop.open_problem().pk}/").content.decode()
    assert not Refund.objects.exists()
