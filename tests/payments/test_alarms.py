"""경보 (payments.md 5.9): each stands exactly as long as what causes it, is shown, logged and told once a day."""

import logging
from datetime import timedelta

import pytest

from accounts.roles import Role
from core.models import DeliveryState, Message
from core.settings_registry import set_setting
from oms.dashboard import ALARMS
from orders.models import Delivery
from payments import options
from payments.models import LedgerEntry, Payment, PgAccount, PgNotice, PgRequest, VirtualAccount
from payments.services.ledger import problems
from payments.services.watching.alarms import Alarm, AlarmKind, alarms, watch
from payments.states import EntryKind, NoticeState, ProblemKind, VirtualState
from payments.tasks import watch_money
from tests.fixtures.answers import body
from tests.fixtures.orders import NOW
from tests.payments.wire.golden_shop import effects

pytestmark = pytest.mark.django_db
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def account():
    one = PgAccount(code="toss", name="토스", provider="toss", merchant_id="m", base_url="https://pg.example")
    one.set_secrets("test_sk_1234567890")
    one.save()
    return one


def asked(account, *, count=1, status=401, reason="bad_secret", at=NOW):
    """So many requests of a PG, as the receiver keeps them."""
    facts = {"headers": {}, "body": b"{}", "size": 2, "body_hash": b"x" * 32}
    rows = [PgRequest(account=account, at=at, status=status, reason=reason, **facts) for _ in range(count)]
    PgRequest.objects.bulk_create(rows)


def told(account, *, count=1, state=NoticeState.PROCESSED, reason="", at=NOW):
    """So many notices that came to this end."""
    first = PgNotice.objects.count()
    facts = {"account": account, "kind": "DEPOSITED", "order_ref": "x", "is_proven": True, "body_hash": b"x" * 32}
    PgNotice.objects.bulk_create(
        PgNotice(event_key=str(first + n), state=state, reason=reason, due_at=at, received_at=at, **facts)
        for n in range(count)
    )


def standing(at=NOW):
    return [(one.kind, one.number) for one in alarms(at=at)]


def limit(setting, value):
    set_setting(key=setting.key, value=value, actor=None, at=NOW)


def test_when_all_is_well_there_is_none(account, make_order):
    make_order()
    asked(account, count=50, status=200, reason="")
    told(account, count=50)
    before = effects()
    assert standing() == []
    assert watch(at=NOW) == 0
    assert effects() == before
    assert not Message.objects.exists()


def test_more_than_five_refused_notices_in_ten_minutes(account):
    asked(account, count=5)
    assert standing() == []
    asked(account)
    assert alarms(at=NOW + 9 * MINUTE) == [Alarm(AlarmKind.REFUSED, 6, "건", account.pk, "토스")]
    assert standing(NOW + 10 * MINUTE) == []
    limit(options.REFUSED_FROM, 7)
    assert standing() == []


def test_six_refused_notices_of_two_accounts_are_no_burst(account):
    other = PgAccount.objects.create(code="b", name="b", provider="toss", merchant_id="m", base_url="https://b.example")
    asked(account, count=3)
    asked(other, count=3)
    assert standing() == []


@pytest.mark.parametrize(("status", "reason"), [(401, "account_mismatch"), (403, "ip_not_allowed")])
def test_a_notice_of_another_shop_or_address_says_that_the_settings_may_be_wrong(account, status, reason):  # A17
    asked(account, status=status, reason=reason)
    assert standing() == [(AlarmKind.FOREIGN, 1)]
    assert standing(NOW + 24 * HOUR) == []
    limit(options.FOREIGN_FROM, 2)
    assert standing() == []


def rejected(account, *, count=1, at=NOW):
    """So many notices of payments that the PG did not know when it was asked."""
    known = set(PgNotice.objects.values_list("pk", flat=True))
    told(account, count=count, state=NoticeState.REJECTED, reason="not_at_pg", at=at - MINUTE)
    PgNotice.objects.exclude(pk__in=known).update(finished_at=at)


def test_more_than_five_notices_in_ten_minutes_of_payments_that_the_pg_does_not_know(account):  # A66
    rejected(account, count=5)
    assert standing() == []
    rejected(account)
    assert alarms(at=NOW + 9 * MINUTE) == [Alarm(AlarmKind.UNKNOWN_AT_PG, 6, "건", account.pk, "토스")]
    assert standing(NOW + 10 * MINUTE) == []
    limit(options.REFUSED_FROM, 7)
    assert standing() == []


def test_a_burst_is_one_whether_the_door_or_the_pg_refused_it(account):
    rejected(account, count=2)
    asked(account, count=3)
    assert standing() == []
    asked(account)
    assert standing() == [(AlarmKind.REFUSED, 4), (AlarmKind.UNKNOWN_AT_PG, 2)]


def test_notices_that_were_looked_at_late_count_when_they_were_rejected(account):
    told(account, count=6, state=NoticeState.REJECTED, reason="not_at_pg", at=NOW - 2 * HOUR)
    PgNotice.objects.update(finished_at=NOW)
    assert standing() == [(AlarmKind.UNKNOWN_AT_PG, 6)]


def undelivered(order, *, subscriber, state=DeliveryState.DEAD):
    return Delivery.objects.create(order=order, subscriber=subscriber, event_ids=[1], state=state, due_at=NOW)


def test_what_should_have_followed_the_money_and_failed_every_time(account, make_order):
    order = make_order()
    undelivered(order, subscriber="orders.handlers.tell_paid")
    undelivered(order, subscriber="payments.handlers.close_account", state=DeliveryState.PENDING)
    assert standing() == []
    undelivered(order, subscriber="payments.handlers.close_account")
    assert standing() == [(AlarmKind.UNDELIVERED, 1)]
    assert standing(NOW + timedelta(days=30)) == [(AlarmKind.UNDELIVERED, 1)]
    limit(options.ALARM_TO, "010-1234-5678")
    assert watch(at=NOW) == 1
    assert "끝내지 못한 입금·환불 후속 처리 1건" in Message.objects.get().body
    limit(options.DEAD_FROM, 2)
    assert standing() == []
    limit(options.DEAD_FROM, 1)
    Delivery.objects.update(state=DeliveryState.DONE)
    assert standing() == []


def waiting(make_order, account, *, since):
    order = make_order(at=since, payment_method="VIRTUAL_ACCOUNT")
    payment = Payment.objects.get(order=order)
    Payment.objects.filter(pk=payment.pk).update(account=account, order_ref=f"{order.number}-1")
    facts = {"bank": "20", "number": "123", "holder": "x", "issued_at": since, "state": VirtualState.ISSUED}
    VirtualAccount.objects.update_or_create(payment=payment, defaults={**facts, "due_at": since + 72 * HOUR})


def test_a_day_of_silence_while_virtual_accounts_are_open(account, make_order):
    waiting(make_order, account, since=NOW - 25 * HOUR)
    assert standing() == [(AlarmKind.SILENT, 24)]
    asked(account, status=200, reason="", at=NOW - 23 * HOUR)
    assert standing() == []
    assert standing(NOW + HOUR) == [(AlarmKind.SILENT, 24)]
    limit(options.SILENT_HOURS, 30)
    assert standing(NOW + HOUR) == []
    limit(options.SILENT_HOURS, 24)
    VirtualAccount.objects.update(state=VirtualState.CLOSED, closed_at=NOW)
    assert standing(NOW + HOUR) == [], "nobody waits for news"


def test_accounts_that_were_opened_today_have_no_news_yet(account, make_order):
    waiting(make_order, account, since=NOW - 23 * HOUR)
    assert standing() == []


def test_a_case_that_is_open_for_longer_than_a_business_day(make_order):
    payment = Payment.objects.get(order=make_order())
    problems.open_for(payment, ProblemKind.UNDERPAID, amount=3_000, at=NOW)
    payment.problems.update(found_at=NOW - timedelta(days=10))
    assert standing() == [(AlarmKind.OLD_CASES, 1)]
    limit(options.OLD_CASE_DAYS, 20)
    assert standing() == []
    limit(options.OLD_CASE_DAYS, 1)
    payment.problems.update(found_at=NOW)
    assert standing(NOW + 5 * HOUR) == []
    assert standing(NOW + timedelta(days=7)) == [(AlarmKind.OLD_CASES, 1)]


def test_a_weekend_is_no_business_day(make_order):
    payment = Payment.objects.get(order=make_order())
    problems.open_for(payment, ProblemKind.UNDERPAID, amount=3_000, at=NOW)
    friday = NOW + timedelta(days=25)
    payment.problems.update(found_at=friday)
    assert standing(friday + timedelta(days=2)) == []
    assert standing(friday + timedelta(days=3, minutes=1)) == [(AlarmKind.OLD_CASES, 1)]


@pytest.mark.parametrize("reason", ["no_answer", "denied", "failed"])
def test_questions_that_fail_too_often(account, reason):
    told(account, count=20)
    told(account, count=5, state=NoticeState.RETRY, reason=reason)
    assert standing() == [], "a fifth of them is not more than a fifth"
    told(account, state=NoticeState.RETRY, reason=reason)
    assert alarms(at=NOW) == [Alarm(AlarmKind.FAILING, 23, "%", account.pk, "토스")]
    assert standing(NOW + HOUR) == []
    limit(options.FAILING_PERCENT, 23)
    assert standing() == []


def test_few_failures_and_our_own_haste_are_no_rate(account):
    told(account, count=4, state=NoticeState.RETRY, reason="no_answer")
    told(account, count=50, state=NoticeState.RETRY, reason="waits_its_turn")
    assert standing() == []


def test_a_dead_notice(account):
    told(account, state=NoticeState.DEAD, reason="no_answer", at=NOW - timedelta(days=30))
    assert standing() == [(AlarmKind.DEAD, 1)]
    limit(options.DEAD_FROM, 2)
    assert standing() == []


def test_money_that_the_bank_took_back_and_not_what_staff_took_back(make_order, staff):  # A58
    first, second = (Payment.objects.get(order=make_order()) for _ in "ab")
    facts = {"kind": EntryKind.REVERSAL, "amount": -33_000, "at": NOW}
    LedgerEntry.objects.create(payment=second, reference="a", actor=staff, **facts)
    assert standing() == []
    LedgerEntry.objects.create(payment=first, reference="a", **facts)
    LedgerEntry.objects.create(payment=first, reference="b", **facts)
    assert standing() == [(AlarmKind.TAKEN_BACK, 1)]
    assert standing(NOW + 24 * HOUR) == []
    limit(options.TAKEN_BACK_HOURS, 48)
    assert standing(NOW + 24 * HOUR) == [(AlarmKind.TAKEN_BACK, 1)]


def test_the_watch_logs_every_time_and_tells_a_telephone_once_a_day(account, caplog):
    asked(account, status=403, reason="ip_not_allowed")
    told(account, state=NoticeState.DEAD)
    with caplog.at_level(logging.ERROR, "payments.alarms"):
        assert watch_money(at=NOW) == 2
    assert len(caplog.records) == 2
    assert not Message.objects.exists(), "nobody has entered a number"
    limit(options.ALARM_TO, "010-1234-5678")
    for minutes in (0, 5, 10):
        assert watch_money(at=NOW + minutes * MINUTE) == 2
    assert set(Message.objects.values_list("to", "body")) == {
        ("010-1234-5678", "[우리 쇼핑몰] 경보: 토스 다른 상점·IP의 알림 1건. 관리 화면의 오늘 할 일을 확인하세요."),
        ("010-1234-5678", "[우리 쇼핑몰] 경보: 처리하지 못한 알림 1건. 관리 화면의 오늘 할 일을 확인하세요."),
    }
    assert Message.objects.count() == 2
    watch_money(at=NOW + 24 * HOUR - MINUTE)
    assert Message.objects.count() == 4


@pytest.mark.parametrize("role", [Role.OWNER, Role.FINANCE, Role.LOGISTICS])
def test_the_dashboard_shows_alarms_with_the_list_that_explains_them(account, sign_in, role, time_machine):
    time_machine.move_to(NOW, tick=False)
    client = sign_in(role)
    assert "입금·환불 경보" not in body(client.get("/"))
    asked(account, count=6)
    told(account, state=NoticeState.DEAD)
    page = body(client.get("/"))
    sees = role is not Role.LOGISTICS
    assert ("입금·환불 경보" in page) == sees
    address = f"/payments/notices/refused/?period=7d&amp;account={account.pk}"
    assert (f'href="{address}" data-card="alarm-refused-{account.pk}">토스 알림 거절' in page) == sees
    if sees:
        assert client.get(address.replace("&amp;", "&")).status_code == 200
        assert client.get("/payments/notices/?period=all&state=DEAD").status_code == 200


def test_every_alarm_leads_to_a_page(account, sign_in):
    client = sign_in(Role.OWNER)
    assert set(ALARMS) == set(AlarmKind)
    for page, query in ALARMS.values():
        assert client.get(f"{page}{query}").status_code == 200
