"""The value that proves Inicis' notices changes without a notice lost; what staff see of failures shows no row."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.roles import Role
from core.models import SettingChange
from orders.states import LineState
from payments.adapters.inicis_notice import proof_of
from payments.models import Payment, PgAccount, PgNotice
from payments.services.notices import draining
from payments.states import NoticeState, PaymentState
from tests.fixtures.orders import reloaded
from tests.payments.wire.golden_shop import raw

pytestmark = pytest.mark.django_db(transaction=True)
OLD, NEW, LAST = "first-notice-key-1234", "second-notice-key-5678", "third-notice-key-9012"


@pytest.fixture
def inicis(pg_shop):
    return pg_shop.account("inicis")


def saved(client, account, **facts):
    known = PgAccount.objects.get(pk=account.pk)
    given = {
        "name": known.name, "merchant_id": known.merchant_id, "base_url": known.base_url, "is_sandbox": "on",
        "charset": known.charset, "is_active": "on", "seen": known.updated_at.isoformat(), "checks_ip": "on",
    }  # fmt: skip
    answer = client.post(f"/settings/pg/{account.pk}/", given | facts)
    assert answer.status_code == 302, answer.content.decode()
    return PgAccount.objects.get(pk=account.pk)


def tell(pg_shop, account, order, key, *, tid):
    """A mobile notice of the deposit, proven with that key, by socket."""
    payment = Payment.objects.get(order=order)
    proof = proof_of(key, merchant_id=account.merchant_id, order_ref=payment.order_ref, amount=33_000)
    body = (
        f"P_STATUS=02&P_TID={payment.payment_ref}&P_MID={account.merchant_id}&P_OID={payment.order_ref}&P_TYPE=VBANK"
        f"&P_AMT=33000&P_AUTH_DT=20261121115957&P_NOTI={proof}&P_IN_TID={tid}"
    )
    path = f"/payments/webhooks/{account.endpoint_token}/"
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Sandbox-Client-Ip": "203.238.37.15"}
    return raw(pg_shop.url, path, body.encode(), headers)[0]


def proven(tid):
    """Whether the notice of that deposit proves its sender; one that does not is for the inquiry to judge."""
    return PgNotice.objects.get(event_key__contains=f":{tid}:").is_proven


def test_notices_made_with_the_value_before_count_until_it_is_dropped(pg_shop, inicis, sign_in):
    client, url = sign_in(Role.OWNER), f"/settings/pg/{inicis.pk}/"
    orders = [pg_shop.order(inicis) for _ in range(3)]
    saved(client, inicis, option_notice_key=OLD)
    changed = saved(client, inicis, option_notice_key=NEW)
    assert (changed.options()["notice_key"], changed.options()["previous_notice_key"]) == (NEW, OLD)
    assert saved(client, inicis).options()["previous_notice_key"] == OLD
    page = client.get(url).content.decode()
    assert "이전 입금통보 확인값" in page
    assert "새 값을 넣어도 지금 값은 이전 값으로 남습니다." in page
    assert "이전 키 지우기" in page
    for secret in (OLD, NEW):
        assert secret not in page
        assert secret not in str(list(SettingChange.objects.values()))
    pg_shop.pgs.fault("hold", times=None)
    for order, key in zip(orders[:2], (OLD, NEW), strict=True):
        pg_shop.deposit(order)
        assert tell(pg_shop, inicis, order, key, tid=f"in{order.pk}") == 200
    pg_shop.heard()
    assert {pg_shop.state(order) for order in orders[:2]} == {(LineState.PREPARING, 33_000, PaymentState.PAID)}
    assert client.post(url, {"part": "drop"}).status_code == 302
    assert "previous_notice_key" not in PgAccount.objects.get(pk=inicis.pk).options()
    pg_shop.deposit(orders[2])
    assert [tell(pg_shop, inicis, orders[2], key, tid=f"in-{key}") for key in (OLD, NEW)] == [200, 200]
    assert (proven(f"in-{OLD}"), proven(f"in-{NEW}")) == (False, True)
    assert client.post(url, {"part": "drop"}).status_code == 409


def test_the_value_before_the_last_counts_no_more_and_other_keys_stay(pg_shop, inicis, sign_in):
    client, order = sign_in(Role.OWNER), pg_shop.order(inicis)
    before = inicis.options()
    for key in (OLD, NEW, LAST):
        saved(client, inicis, option_notice_key=key)
    options = PgAccount.objects.get(pk=inicis.pk).options()
    assert options == before | {"notice_key": LAST, "previous_notice_key": NEW}
    assert PgAccount.objects.get(pk=inicis.pk).secrets() == inicis.secrets()
    assert tell(pg_shop, inicis, order, OLD, tid="in1") == 200
    assert not proven("in1")
    pg_shop.heard()
    assert (PgNotice.objects.get().state, PgNotice.objects.get().reason) == (NoticeState.IGNORED, "not_confirmed")
    assert pg_shop.state(order) == (LineState.AWAITING_PAYMENT, 0, PaymentState.PENDING)


@pytest.fixture
def no_money_in(db):
    """A ledger that takes no deposit."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE payments_ledgerentry ADD CONSTRAINT for_a_test CHECK (amount < 0) NOT VALID")
    yield _lifted
    _lifted()


def _lifted():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE payments_ledgerentry DROP CONSTRAINT IF EXISTS for_a_test")


def test_staff_read_no_database_row_in_the_error_of_a_notice(pg_shop, no_money_in):
    order = pg_shop.order(pg_shop.account("toss"))
    pg_shop.deposit(order)
    pg_shop.heard()
    notices = PgNotice.objects.filter(kind="DEPOSITED")
    assert {(one.state, one.last_error) for one in notices} == {(NoticeState.RETRY, "IntegrityError")}
    assert pg_shop.state(order) == (LineState.AWAITING_PAYMENT, 0, PaymentState.PENDING)
    no_money_in()
    later = timezone.now() + timedelta(hours=1)
    while draining.drain(at=later):
        pass
    assert reloaded(order).stage == LineState.PREPARING
