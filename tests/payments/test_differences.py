"""차액 인정 by two people: one asks, another accepts the same sum within three days (reliability.md 4.1, 4.2)."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from accounts.roles import Role
from core.settings_registry import set_setting
from orders.models import OrderEvent, OrderLine
from orders.states import LineState
from payments.models import LedgerEntry, MoneyProblem, Payment
from payments.services.cases import resolving
from payments.services.ledger import problems
from payments.states import EntryKind, ProblemKind, Resolution
from tests.fixtures.orders import NOW, broken, reloaded
from tests.infra.races import race

K = ProblemKind


@pytest.fixture
def short(make_order, deposit):
    """`short()`: 7,000 of 10,000 won came in, and a person is to decide."""

    def make():
        order = deposit(make_order(price=10_000), 7_000)
        payment = Payment.objects.get(order=order)
        problems.open_for(payment, K.UNDERPAID, amount=3_000, at=NOW)
        return MoneyProblem.objects.get(payment=payment)

    return make


@pytest.fixture
def other(make_staff):
    return make_staff(Role.OWNER)


def ask(one, actor, *, at=NOW):
    outcome = resolving.ask_to_accept(problem_ids=[one.pk], actor=actor, at=at, reason="배송 지연")
    return outcome.refused.get(one.pk, "")


def accept(one, actor, *, at=NOW):
    outcome = resolving.accept_difference(problem_ids=[one.pk], actor=actor, at=at, reason="인정")
    return outcome.refused.get(one.pk, "")


def assert_open(one):
    fresh = reloaded(one)
    assert (fresh.resolved_at, fresh.resolution) == (None, "")
    assert OrderLine.objects.get(order=one.order).state == LineState.AWAITING_PAYMENT
    assert not LedgerEntry.objects.filter(kind=EntryKind.SHORTFALL).exists()
    assert not OrderEvent.objects.filter(kind="problem.resolved").exists()
    assert broken() == []


def test_one_person_alone_cannot_accept_it(short, staff):
    one = short()
    assert accept(one, staff) == resolving.ASK_FIRST
    assert ask(one, staff) == ""
    assert accept(one, staff) == resolving.OTHER_PERSON
    assert ask(one, staff) == resolving.ASKED_ALREADY
    assert_open(one)


def test_another_person_accepts_what_was_asked(short, staff, other):
    one = short()
    ask(one, staff)
    assert accept(one, other) == ""
    fresh = reloaded(one)
    assert (fresh.resolution, fresh.asked_by, fresh.resolved_by) == (Resolution.ACCEPTED, staff, other)
    assert OrderLine.objects.get(order=one.order).state == LineState.PREPARING
    events = OrderEvent.objects.filter(subject="problem").order_by("pk").values_list("kind", "actor", "reason")
    assert list(events) == [("problem.asked", staff.pk, "배송 지연"), ("problem.resolved", other.pk, "인정")]
    assert "이미 처리한 예외입니다" in ask(one, staff)
    assert broken() == []


def test_a_request_is_of_one_sum_and_of_three_days(short, staff, other):
    one = short()
    ask(one, staff)
    assert accept(one, other, at=NOW + timedelta(hours=72)) == resolving.ASK_FIRST
    problems.open_for(one.payment, K.UNDERPAID, amount=2_500, at=NOW)
    assert accept(one, other) == resolving.ASK_FIRST
    assert ask(one, staff) == "", "the new sum is asked for anew"
    assert reloaded(one).asks == 2
    assert_open(one)


def test_from_a_sum_on_as_the_shop_says(short, staff):
    one = short()
    set_setting(key="difference_second_from", value=3_000, actor=staff, at=NOW)
    assert accept(one, staff) == resolving.ASK_FIRST
    set_setting(key="difference_second_from", value=3_001, actor=staff, at=NOW)
    assert accept(one, staff) == ""
    assert broken() == []


def test_only_differences_are_asked_for(short, staff):
    one = short()
    MoneyProblem.objects.update(kind=K.LATE_AFTER_CANCEL)
    assert ask(one, staff) == resolving.NOT_A_GAP
    assert reloaded(one).asked_by is None


def test_the_database_refuses_one_person_for_both(short, staff):
    one = short()
    ask(one, staff)
    with pytest.raises(IntegrityError, match="problem_two_people"), transaction.atomic():
        MoneyProblem.objects.filter(pk=one.pk).update(
            resolution=Resolution.ACCEPTED, resolved_at=NOW, resolved_by=staff
        )
    assert_open(one)


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_many_clicks_of_two_people_book_it_once(short, staff, other):
    one = short()
    asked = race([lambda: ask(one, staff)] * 3)
    assert sorted(asked) == ["", resolving.ASKED_ALREADY, resolving.ASKED_ALREADY]
    accepted = race([lambda who=who: accept(one, who) for who in (other, other, staff)])
    assert accepted.count("") == 1
    assert LedgerEntry.objects.filter(kind=EntryKind.SHORTFALL).count() == 1
    assert reloaded(one).resolved_by == other
    assert broken() == []


def test_the_screen_offers_both_and_names_who_asked(short, staff, make_staff, sign_in, press):
    one = short()
    assert 'data-action="ask-difference"' in sign_in(Role.OWNER).get(f"/payments/problems/{one.pk}/").content.decode()
    _, answer = press(sign_in(Role.FINANCE), "ask-difference", "problems", [(one.pk, 0)], reason="배송 지연")
    assert answer.status_code == 200
    asker = reloaded(one).asked_by
    assert asker is not None
    client = sign_in(Role.OWNER)
    page = client.get(f"/payments/problems/{one.pk}/").content.decode()
    assert f"{asker.display_name} 님" in page
    assert 'data-action="accept-difference"' in page
    assert 'data-action="ask-difference"' not in page
    _, answer = press(client, "accept-difference", "problems", [(one.pk, 1)], reason="인정")
    assert answer.status_code == 200
    assert reloaded(one).resolution == Resolution.ACCEPTED


def test_who_may_accept_and_asked_first_is_helped_by_another_who_asks(short, sign_in, press):
    one = short()
    owner = sign_in(Role.OWNER)
    press(owner, "ask-difference", "problems", [(one.pk, 0)], reason="배송 지연")
    press(owner, "accept-difference", "problems", [(one.pk, 1)], reason="인정")
    assert reloaded(one).resolved_at is None
    finance = sign_in(Role.FINANCE)
    assert 'data-action="ask-difference"' in finance.get(f"/payments/problems/{one.pk}/").content.decode()
    press(finance, "ask-difference", "problems", [(one.pk, 1)], reason="배송 지연")
    assert 'data-action="ask-difference"' not in finance.get(f"/payments/problems/{one.pk}/").content.decode()
    press(owner, "accept-difference", "problems", [(one.pk, 2)], reason="인정")
    assert reloaded(one).resolution == Resolution.ACCEPTED


def test_the_screen_and_the_act_go_by_one_rule_for_how_long_a_request_stands(
    short, staff, other, sign_in, monkeypatch, time_machine
):
    one = short()
    assert ask(one, staff) == ""
    for hours, minutes, is_over in ((72, 71 * 60, False), (1, 59, False), (1, 60, True)):
        monkeypatch.setattr(resolving, "ASK_LIFE", timedelta(hours=hours))
        time_machine.move_to(NOW + timedelta(minutes=minutes), tick=False)
        page = sign_in(Role.OWNER).get(f"/payments/problems/{one.pk}/").content.decode()
        assert ('data-action="ask-difference"' in page) == is_over
    assert accept(one, other, at=NOW + timedelta(hours=1)) == resolving.ASK_FIRST
    assert_open(one)
