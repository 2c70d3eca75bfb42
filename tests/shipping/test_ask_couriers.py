"""배송조회 on 배송중 관리: who may press it, what it says before and after, and that it asks for nothing twice."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from core.state import one_preview, previewing
from orders.states import DeliveryMethod
from shipping.models import TrackingAccount, TrackingBudget, TrackingPoll
from shipping.services import shipments
from shipping.services.polling import wanting
from shipping.services.polling.polls import AT_ONCE
from shipping.services.refusals import NOT_SENT
from tests.fixtures.orders import NOW
from tests.fixtures.shipments import again
from tests.flows.lane_rows import poll


@pytest.fixture
def account(db):
    return TrackingAccount.objects.create(code="tracker_delivery", name="배송조회", base_url="http://127.0.0.1:9")


def rows(made):
    return [(one.pk, one.version) for one in again(made)]


def body(answer):
    return answer.content.decode()


def wanted():
    return set(TrackingPoll.objects.filter(next_poll_at=AT_ONCE).values_list("parcel__shipment_id", flat=True))


def ask(made, *, at=NOW):
    return wanting.ask_couriers(shipment_ids=[one.pk for one in made], at=at)


def test_a_press_puts_the_parcels_first_once_and_tells_the_rest_why_not(press, sign_in, make_sent, account):
    made = make_sent(3, at=timezone.now())
    versions = rows(made)
    clerk = sign_in(Role.LOGISTICS)
    preview, done = press(clerk, "ask-couriers", "shipping", rows(made[:1]))
    assert "1건의 배송조회를 신청합니다" in body(preview)
    assert "1건의 배송조회를 신청했습니다. 답은 1분 안에 옵니다." in body(done)
    assert wanted() == {made[0].pk}

    preview, done = press(clerk, "ask-couriers", "shipping", rows(made))
    assert "2건의 배송조회를 신청합니다" in body(preview)
    assert "이미 조회를 신청했습니다" in body(preview)
    assert "3건 중 2건의 배송조회를 신청했습니다" in body(done)
    assert wanted() == {one.pk for one in made}
    assert rows(made) == versions, "asking changes no shipment"


def test_a_preview_promises_no_more_than_staff_have_and_takes_nothing(make_sent, account):
    account.per_day = 100
    account.save()
    made = make_sent(8)
    with one_preview():
        with previewing():
            first = ask(made[:4])
        with previewing():
            second = ask(made[4:])
    assert (len(first.possible), len(second.possible)) == (4, 1)
    assert set(second.refused.values()) == {wanting.NO_QUOTA}
    assert not wanted()
    assert not TrackingBudget.objects.filter(staff_used__gt=0).exists()
    done = ask(made)
    assert (len(done.possible), set(done.refused.values())) == (5, {wanting.NO_QUOTA})
    assert len(wanted()) == TrackingBudget.objects.get().staff_used == 5


def test_an_answer_that_comes_while_staff_press_is_not_asked_for_again(make_sent, account, monkeypatch):
    account.min_interval = 3600
    account.save()
    [shipment] = make_sent(1)
    take, next_at = wanting.budgets.take_for_staff, NOW + timedelta(hours=4)

    def take_late(*args, **kwargs):
        TrackingPoll.objects.update(last_ok_at=NOW - timedelta(seconds=1), next_poll_at=next_at)
        return take(*args, **kwargs)

    monkeypatch.setattr(wanting.budgets, "take_for_staff", take_late)
    assert [row.pk for row in ask([shipment]).possible] == [shipment.pk]
    assert TrackingPoll.objects.get().next_poll_at == next_at
    assert ask([shipment]).refused[shipment.pk].endswith("이미 조회를 신청했습니다. 10분 뒤에 다시 신청하세요.")


def test_who_comes_second_while_staff_press_is_told_why(make_sent, account, monkeypatch):
    """Between the look and the write one box is asked about by a colleague, and the questions of another one end."""
    first, second, third = made = make_sent(3)
    take = wanting.budgets.take_for_staff

    def take_late(*args, **kwargs):
        monkeypatch.setattr(wanting.budgets, "take_for_staff", take)
        ask([first])
        TrackingPoll.objects.filter(parcel__shipment=second).update(is_active=False)
        return take(*args, **kwargs)

    monkeypatch.setattr(wanting.budgets, "take_for_staff", take_late)
    outcome = ask(made)
    assert [one.pk for one in outcome.possible] == [third.pk]
    assert outcome.refused.keys() == {first.pk, second.pk}
    assert "이미 조회를 신청했습니다" in outcome.refused[first.pk]
    assert outcome.refused[second.pk] == wanting.NOT_ASKED
    assert wanted() == {first.pk, third.pk}


def test_what_no_courier_carries_or_has_not_left_is_refused(make_sent, make_numbered, make_shipments, account):
    [sent], [ready] = make_sent(1), make_numbered(1, first=7)
    [quick] = make_shipments(method=DeliveryMethod.QUICK)
    shipments.ship(line_ids=shipments.lines_of([quick.pk]), actor=None, at=NOW)
    TrackingPoll.objects.update(is_active=False)
    found = ask([sent, ready, quick])
    assert found.possible == []
    assert found.refused == {
        sent.pk: wanting.NOT_ASKED, ready.pk: NOT_SENT, quick.pk: wanting.NO_COURIER,
    }  # fmt: skip
    assert not wanted()


def test_what_was_asked_for_is_answered_by_the_next_round(make_sent, tracker, account):
    tracker.control("config", is_demo=False)
    account.base_url, account.is_sandbox = tracker.base_url, True
    account.save()
    made = make_sent(2)
    assert len(ask(made[:1]).possible) == 1
    assert poll(NOW + timedelta(seconds=5)) == 1
    assert TrackingPoll.objects.get(parcel__shipment=made[0]).last_ok_at is not None
    assert TrackingPoll.objects.get(parcel__shipment=made[1]).last_ok_at is None


@pytest.mark.parametrize("role", Role)
def test_looking_alone_spends_no_quota(role, press, sign_in, make_sent, account):
    made = make_sent(1, at=timezone.now())
    preview, _ = press(sign_in(role), "ask-couriers", "shipping", rows(made))
    is_allowed = role in {Role.OWNER, Role.CS, Role.LOGISTICS}
    assert preview.status_code == (200 if is_allowed else 403)
    assert wanted() == ({made[0].pk} if is_allowed else set())
