"""조회 지연: what 배송중 관리 and 오늘 할 일 say of couriers that nobody hears from, and when they are silent again."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from shipping.models import AccountState, CourierRoute, TrackingAccount, TrackingBudget, TrackingLane
from shipping.services.couriers import note_refused_code
from shipping.services.tracking import telling

pytestmark = pytest.mark.django_db
AT = timezone.now().replace(hour=6, minute=0, second=0, microsecond=0)
"""15:00 in Seoul."""
BEFORE = AT - timedelta(minutes=30)


def account(code, **facts):
    facts = {"name": code, "base_url": "http://127.0.0.1:1", "kind": "tracker_delivery"} | facts
    return TrackingAccount.objects.create(code=code, **facts)


def lane(owner, courier, **facts):
    return TrackingLane.objects.create(account=owner, courier=courier, **facts)


def counted(owner, *couriers):
    counts = {courier: {"MOVING": 3} for courier in couriers}
    TrackingBudget.objects.update_or_create(account=owner, defaults={"counts": counts, "planned_at": AT})


def delays():
    return telling.delays(at=AT)


BLOCKED = {"state": AccountState.BLOCKED, "blocked_at": BEFORE}


def test_a_refused_key_is_told_for_the_couriers_that_no_other_account_asks():
    first = account("tracker_delivery", **BLOCKED)
    own = account("hanjin", kind="hanjin")
    for courier in ("CJGLS", "HYUNDAI", "HANJIN"):
        lane(first, courier, last_ok_at=BEFORE)
    lane(own, "HANJIN")
    counted(first, "CJGLS", "HYUNDAI")
    counted(own, "HANJIN")
    [text] = delays()
    assert text.startswith("배송조회 인증이 거절되어 14:30부터 CJ대한통운, 롯데택배의 배송 현황을")
    # Nobody may ask 한진 but the account whose key is refused.
    CourierRoute.objects.create(courier="HANJIN", rank=0, account=first)
    assert "한진택배" in delays()[0]
    TrackingAccount.objects.filter(pk=first.pk).update(state=AccountState.OK, blocked_at=None)
    assert delays() == []


def test_many_couriers_of_one_refused_key_are_one_short_sentence():
    first, other = account("tracker_delivery", **BLOCKED), account("own")
    couriers = ["CJGLS", "HYUNDAI", "HANJIN", "KGB", "EPOST"]
    for courier in couriers:
        lane(first, courier)
    counted(first, *couriers)
    assert len(delays()) == 1
    assert re.search(r"부터 \S+ 등 5개 택배사의 배송 현황을", delays()[0])
    TrackingAccount.objects.filter(pk=other.pk).update(**BLOCKED)
    assert delays() == [telling.BLOCKED.format(since="14:30", couriers="")]


def test_a_courier_that_is_late_is_told_until_another_account_has_answered():
    first, second = account("tracker_delivery"), account("own")
    lane(first, "CJGLS", failing_since=BEFORE, last_ok_at=BEFORE)
    mine = lane(second, "CJGLS")
    counted(first, "CJGLS")
    assert delays() == ["CJ대한통운 조회가 14:30부터 지연되고 있습니다."]
    mine.last_ok_at = AT - timedelta(minutes=5)
    mine.save()
    assert delays() == []
    CourierRoute.objects.create(courier="CJGLS", rank=0, account=first)
    assert len(delays()) == 1, "the second account may not ask any more: what it answered counts for nothing"


def test_a_courier_that_carries_nothing_any_more_is_not_late():
    first = account("tracker_delivery")
    lane(first, "HANJIN", failing_since=BEFORE)
    assert len(delays()) == 1, "nobody has counted yet"
    counted(first, "CJGLS")
    assert delays() == []
    note_refused_code(slug="HANJIN", system="tracker_delivery", at=AT)
    assert "한진택배를 조회하는 곳에서 택배사 코드를 거절해" in delays()[0]


def test_a_wait_that_a_source_named_is_told_when_it_is_long_and_nobody_else_may_ask():
    first = account("tracker_delivery")
    mine = lane(first, "CJGLS", wait_until=AT + timedelta(minutes=10))
    counted(first, "CJGLS")
    assert delays() == [], "soon over"
    mine.wait_until = AT + timedelta(hours=3)
    mine.save()
    assert delays() == ["CJ대한통운 조회 한도를 다 써서 18:00까지 조회하지 못합니다."]
    lane(account("own"), "CJGLS")
    assert delays() == []


def test_it_costs_one_query(django_assert_num_queries):
    first, second = account("tracker_delivery", **BLOCKED), account("own")
    for courier in ("CJGLS", "HYUNDAI", "HANJIN"):
        lane(first, courier)
        lane(second, courier, failing_since=BEFORE)
    delays()
    with django_assert_num_queries(1):
        assert len(delays()) == 3


def card(shown, key):
    found = re.search(rf'href="([^"]+)" data-card="{key}">[^<]*<b[^>]*>([^<]+)</b>', shown)
    return found and (found[1], found[2])


@pytest.mark.parametrize("role", [Role.OWNER, Role.LOGISTICS])
def test_the_dashboard_counts_delays_and_shows_the_stretch_to_who_may_change_it(role, sign_in):
    client = sign_in(role)
    shown = client.get("/").content.decode()
    assert card(shown, "tracking-delays") is card(shown, "tracking-stretch") is None
    first = account("tracker_delivery")
    lane(first, "CJGLS", failing_since=BEFORE)
    lane(first, "HANJIN", failing_since=BEFORE)
    TrackingBudget.objects.create(account=first, stretch={"waiting": 4.0, "moving": 1.6, "out": 1.0})
    shown = client.get("/").content.decode()
    assert card(shown, "tracking-delays") == ("/orders/shipping/?period=all", "2곳")
    stretch = ("/settings/tracking/", "4.0배") if role == Role.OWNER else None
    assert card(shown, "tracking-stretch") == stretch
