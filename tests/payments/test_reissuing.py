"""가상계좌 발급 that was refused: a wrong key is nobody's last word, and staff can ask once more."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from core import drains, relay
from orders.models import Order, OrderEvent
from orders.services import progress
from orders.states import CanceledBy, PaymentMethod
from payments.models import Payment, PgAccount, VirtualAccount
from payments.services.gateway import issuing, reissuing
from payments.services.manual import confirm_manually
from payments.states import VirtualState
from tests.fixtures.orders import broken, reloaded

pytestmark = pytest.mark.django_db(transaction=True)
WRONG = "test_sk_of_somebody_else_00001"
REFUSAL = {"code": "INVALID_REQUEST", "message": "은행 점검 중입니다."}


def virtual(order):
    return VirtualAccount.objects.get(payment__order=order)


def opened(pg_shop, order, pg="toss"):
    """References of accounts that the PG has opened for an order."""
    return [ref for ref in (f"{order.number}-{n}" for n in (1, 2, 3)) if pg_shop.pgs.payment(pg, ref)]


def page_of(client, order):
    return client.get(f"/orders/{order.number}/").content.decode()


@pytest.fixture
def locked_out(pg_shop):
    """(account with a wrong key, its right key, an order whose virtual account the PG would not open)."""
    account = pg_shop.account("toss")
    [right] = account.secrets()
    account.set_secrets(WRONG)
    account.save()
    return account, right, pg_shop.opened(account)


@pytest.fixture
def refused(pg_shop):
    """An order whose virtual account the PG has refused for a reason of its own."""
    account = pg_shop.account("toss")
    fault = pg_shop.pgs.fault(
        "status", pg="toss", method="POST", path="*virtual-accounts*", status=400, body=json.dumps(REFUSAL)
    )
    order = pg_shop.opened(account)
    assert (virtual(order).state, virtual(order).last_error) == (VirtualState.FAILED, REFUSAL["message"])
    pg_shop.pgs.request("DELETE", f"/control/faults?id={fault['id']}")
    return order


def test_a_wrong_key_leaves_the_account_waiting_and_the_page_says_what_happens(locked_out, pg_shop, sign_in):
    account, _, order = locked_out
    waiting = virtual(order)
    assert PgAccount.objects.get(pk=account.pk).last_error == waiting.last_error
    assert (waiting.state, waiting.number) == (VirtualState.PENDING, "")
    assert waiting.last_error.startswith(issuing.KEY_REFUSED)
    assert waiting.next_try_at > timezone.now()
    page = page_of(sign_in(Role.CS), order)
    assert "가상계좌를 발급하지 못했습니다. PG가 우리 키나 설정을 받지 않았습니다." in page
    assert "설정의 PG 계정에서 키를 고치면 저절로 다시 발급합니다." in page
    assert 'data-action="reissue-account"' in page
    listed = sign_in(Role.CS).get("/orders/awaiting-payment/?period=all").content.decode()
    assert "PG 계정의 키 확인" in listed
    assert issuing.issue_due(at=timezone.now() + timedelta(hours=1)) == 1
    assert virtual(order).state == VirtualState.PENDING
    assert opened(pg_shop, order) == []


def test_a_mended_key_wakes_what_waits_and_opens_one_account(locked_out, pg_shop, sign_in):
    account, right, order = locked_out
    now = PgAccount.objects.get(pk=account.pk)
    given = {
        "name": now.name, "merchant_id": now.merchant_id, "base_url": now.base_url, "is_sandbox": "on",
        "charset": now.charset, "is_active": "on", "issues_accounts": "on", "bank": "20", "key": right,
        "seen": now.updated_at.isoformat(),
    }  # fmt: skip
    answer = sign_in(Role.OWNER).post(f"/settings/pg/{account.pk}/", given, follow=True)
    assert "에 연결했습니다. 키가 맞습니다." in answer.content.decode()
    drains.run_all()
    found = virtual(order)
    assert (found.state, bool(found.number), found.last_error) == (VirtualState.ISSUED, True, "")
    assert opened(pg_shop, order) == [f"{order.number}-1"]
    assert broken() == []


def test_the_connection_test_wakes_them_too_once_the_pg_takes_the_key(locked_out, pg_shop, sign_in):
    account, right, order = locked_out
    client, url = sign_in(Role.OWNER), f"/settings/pg/{account.pk}/"
    client.post(url, {"part": "check"})
    drains.run_all()
    assert virtual(order).state == VirtualState.PENDING
    account = PgAccount.objects.get(pk=account.pk)
    account.set_secrets(right)
    account.save()
    client.post(url, {"part": "check"})
    drains.run_all()
    assert virtual(order).state == VirtualState.ISSUED
    assert opened(pg_shop, order) == [f"{order.number}-1"]


def test_settings_that_are_not_complete_wait_like_a_wrong_key(pg_shop):
    account = pg_shop.account("portone")
    options, keys = account.options(), account.secrets()
    account.set_secrets(*keys, options={name: text for name, text in options.items() if name != "channel_key"})
    account.save()
    order = pg_shop.opened(account)
    assert virtual(order).state == VirtualState.PENDING
    assert virtual(order).last_error.startswith(issuing.KEY_REFUSED)
    account = PgAccount.objects.get(pk=account.pk)
    account.set_secrets(*keys, options=options)
    account.save()
    issuing.wake(account_id=account.pk, at=timezone.now())
    drains.run_all()
    assert virtual(order).state == VirtualState.ISSUED


def test_one_that_is_being_asked_for_is_not_woken(locked_out):
    account, _, order = locked_out
    at = timezone.now() + timedelta(hours=1)
    assert len(issuing._claim(at, [])) == 1
    lease = virtual(order).next_try_at
    assert issuing.wake(account_id=account.pk, at=at) == 0
    assert virtual(order).next_try_at == lease


def test_staff_ask_again_for_what_the_pg_refused_under_a_new_reference(refused, pg_shop, sign_in, press):
    client = sign_in(Role.CS)
    page = page_of(client, refused)
    assert "가상계좌를 발급하지 못했습니다. 은행 점검 중입니다." in page
    assert 'data-action="reissue-account"' in page.split("data-reissue")[1][:300]
    version = reloaded(refused).version
    preview, answer = press(client, "reissue-account", "awaiting-payment", [(refused.pk, version)])
    assert "가상계좌를 PG에 다시 요청합니다" in preview.content.decode()
    assert answer.status_code == 200
    drains.run_all()
    relay.run_once(at=timezone.now())
    assert virtual(refused).state == VirtualState.ISSUED
    assert Payment.objects.get(order=refused).order_ref == f"{refused.number}-2"
    assert opened(pg_shop, refused) == [f"{refused.number}-2"]
    event = OrderEvent.objects.get(kind="virtual.asked")
    assert (event.order, event.actor is not None) == (refused, True)
    page = page_of(client, refused)
    assert "data-reissue" not in page
    assert "가상계좌 다시 발급 요청" in page
    pg_shop.deposit(refused)
    pg_shop.heard()
    assert pg_shop.state(refused)[1] == 33_000
    assert broken() == []


def test_an_order_that_was_made_while_no_account_issued_gets_one(pg_shop, make_order, staff):
    account, at = pg_shop.account("toss"), timezone.now()
    order = make_order(price=33_000, payment_method=PaymentMethod.VIRTUAL_ACCOUNT, at=at)
    outcome = reissuing.reissue(order_ids=[order.pk], actor=staff, at=at)
    assert set(outcome.refused.values()) == {reissuing.NO_PG}
    assert not VirtualAccount.objects.exists()
    PgAccount.objects.filter(pk=account.pk).update(issues_accounts=True, bank="20")
    assert reissuing.reissue(order_ids=[order.pk], actor=staff, at=at).refused == {}
    drains.run_all(at=timezone.now() + timedelta(minutes=1))
    assert virtual(order).state == VirtualState.ISSUED
    assert opened(pg_shop, order) == [f"{order.number}-1"]


def test_nothing_is_asked_for_where_an_account_stands_or_none_is_wanted(pg_shop, make_order, staff):
    account, at = pg_shop.account("toss"), timezone.now()
    has_one, paid, canceled, late = (pg_shop.opened(account) for _ in range(4))
    other = make_order(price=33_000, at=at)
    confirm_manually(order_ids=[paid.pk], actor=staff, at=at)
    progress.cancel_unpaid(order_ids=[canceled.pk], actor=staff, at=at, by=CanceledBy.STAFF, reason="고객 요청")
    Order.objects.filter(pk=late.pk).update(deposit_by=at - timedelta(minutes=1))
    orders = [has_one, paid, canceled, late, other]
    before = list(VirtualAccount.objects.order_by("pk").values())
    outcome = reissuing.reissue(order_ids=[one.pk for one in orders], actor=staff, at=at)
    said = [outcome.refused[one.lines.get().pk] for one in orders]
    wanted = [reissuing.HAS_ONE, reissuing.NOT_WAITING, reissuing.NOT_WAITING, reissuing.OVER, reissuing.OTHER_METHOD]
    assert said == wanted
    assert outcome.moved == []
    assert list(VirtualAccount.objects.order_by("pk").values()) == before
    assert not OrderEvent.objects.filter(kind="virtual.asked").exists()


def test_who_may_not_ask_sees_no_button_and_is_refused(refused, sign_in, press):
    client = sign_in(Role.LOGISTICS)
    assert "data-reissue" not in page_of(client, refused)
    preview, _ = press(client, "reissue-account", "awaiting-payment", [(refused.pk, reloaded(refused).version)])
    assert preview.status_code == 403
    assert virtual(refused).state == VirtualState.FAILED
    assert not OrderEvent.objects.filter(kind="virtual.asked").exists()


@pytest.mark.parametrize("pg", ["toss", "portone", "nicepay", "nicepay-form", "inicis"])
def test_whatever_pg_refuses_the_key_the_order_gets_its_account_once_it_is_mended(pg_shop, sign_in, pg):
    account = pg_shop.account(pg)
    keys, options = account.secrets(), account.options()
    account.set_secrets(
        *(one[::-1] for one in keys), options={name: text[::-1] for name, text in options.items() if name != "kind"}
    )
    account.save()
    order = pg_shop.opened(account)
    waiting = virtual(order)
    assert (waiting.state, waiting.number) == (VirtualState.PENDING, "")
    assert waiting.last_error.startswith(issuing.KEY_REFUSED)
    assert "설정의 PG 계정에서 키를 고치면 저절로 다시 발급합니다." in page_of(sign_in(Role.CS), order)
    account = PgAccount.objects.get(pk=account.pk)
    account.set_secrets(*keys, options=options)
    account.save()
    assert issuing.wake(account_id=account.pk, at=timezone.now()) == 1
    drains.run_all()
    assert virtual(order).state == VirtualState.ISSUED
    assert Payment.objects.get(order=order).order_ref == f"{order.number}-1"
