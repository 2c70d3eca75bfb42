"""What came in is kept as it came; sandboxes and addresses without TLS are not for production."""

import pytest
from django.db import connection, transaction
from django.db.utils import InternalError

from accounts.roles import Role
from core.exceptions import DomainError
from core.models import SettingChange
from payments.adapters.base import Ref, Unavailable
from payments.models import PgAccount, PgRequest, VirtualAccount
from payments.services import pg_accounts
from payments.services.gateway import pg_settings
from payments.services.gateway.pg_settings import NO_SANDBOX, facts
from payments.services.pg_accounts import endpoint
from payments.states import VirtualState
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.pg_shop import BANKS

at_pgs = pytest.mark.django_db(transaction=True)
URL = "/settings/pg/"
GIVEN = {
    "code": "toss-main", "name": "토스 본점", "merchant_id": "omsmall", "key": "test_sk_first_1234567890",
    "base_url": "https://pg.example", "charset": "utf-8", "is_active": "on",
}  # fmt: skip


@pytest.fixture
def account(db):
    one = PgAccount(code="toss-box", name="시험", provider="toss", merchant_id="omsmall", is_sandbox=True)
    one.base_url = "http://127.0.0.1:9/toss"
    one.set_secrets("test_sk_first_1234567890")
    one.save()
    return one


@pytest.fixture
def request_row(account):
    return PgRequest.objects.create(account=account, at=NOW, body=b"{}", size=2, body_hash=b"x" * 32)


@pytest.mark.parametrize("change", ["body = 'x'", "headers = '{\"a\": 1}'", "at = now()", "client_ip = '10.0.0.1'"])
def test_a_request_is_kept_as_it_came(request_row, change):
    with pytest.raises(InternalError, match="Cannot update"), transaction.atomic():
        connection.cursor().execute(f"UPDATE payments_pgrequest SET {change}")
    with pytest.raises(InternalError, match="Cannot delete"), transaction.atomic():
        PgRequest.objects.all().delete()
    fresh = reloaded(request_row)
    assert (bytes(fresh.body), fresh.headers, fresh.at, fresh.client_ip) == (b"{}", {}, NOW, None)


def test_its_verdict_may_follow(request_row):
    PgRequest.objects.update(status=200, reason="done", milliseconds=3)
    assert reloaded(request_row).status == 200


@pytest.mark.parametrize("wrong", [{"is_sandbox": "on"}, {"is_sandbox": "on", "base_url": "http://127.0.0.1:9/"}])
def test_production_takes_no_sandbox_account(sign_in, settings, wrong):
    settings.OMS_ENV = "production"
    client = sign_in(Role.OWNER)
    answer = client.post(f"{URL}new/?provider=toss", GIVEN | wrong)
    assert answer.status_code == 422
    assert NO_SANDBOX in answer.content.decode()
    assert not PgAccount.objects.exists()
    assert not SettingChange.objects.filter(key__startswith="pg_account").exists()
    settings.OMS_ENV = "demo"
    assert client.post(f"{URL}new/?provider=toss", GIVEN | wrong).status_code == 302


def test_the_service_refuses_it_too_but_lets_it_be_switched_off(account, staff, settings):
    settings.OMS_ENV = "production"
    kept = {"account_id": account.pk, "key": "", "options": {}, "actor": staff, "at": NOW}
    with pytest.raises(DomainError, match="운영 환경에서는 샌드박스 계정을 쓸 수 없습니다"):
        pg_settings.edit_account(given=facts(account), seen_at=account.updated_at, **kept)
    assert PgAccount.objects.get().updated_at == account.updated_at
    off = pg_settings.AccountFacts(
        **{name: getattr(facts(account), name) for name in pg_settings.AccountFacts.__dataclass_fields__}
        | {"is_active": False}
    )
    assert not pg_settings.edit_account(given=off, seen_at=account.updated_at, **kept).is_active


def test_a_sandbox_row_in_production_hears_nothing_and_shows_its_keys_to_nobody(account, settings):
    assert endpoint(account.endpoint_token) == account
    settings.OMS_ENV = "production"
    pg_accounts._clients.clear()
    assert endpoint(account.endpoint_token) is None
    client = pg_accounts.client_of(account)
    with pytest.raises(Unavailable):
        pg_accounts.pg_of(account).fetch(
            client, account=pg_accounts.facts_of(account), ref=Ref(order_ref="20260921-0000001-1")
        )
    pg_accounts._clients.clear()


@at_pgs
def test_the_longest_bank_of_portone_fits(pg_shop, monkeypatch):
    monkeypatch.setitem(BANKS, "portone", "STANDARD_CHARTERED")
    order = pg_shop.order(pg_shop.account("portone"))
    virtual = VirtualAccount.objects.get(payment__order=order)
    assert (virtual.state, virtual.bank) == (VirtualState.ISSUED, "STANDARD_CHARTERED")
