"""웹훅 원문 보관: bodies lose personal data in time, requests go after five years, and never a day earlier."""

import json
import re
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.utils import InternalError
from django.utils import timezone

from accounts.roles import Role
from core.settings_registry import set_setting
from oms.celery import PERIODIC
from payments.invariants import check_refunds
from payments.models import PgAccount, PgNotice, PgRequest
from payments.options import ACCOUNT_DAYS, BODY_DAYS, REQUEST_YEARS
from payments.services.notices import retaining
from payments.services.refunds import by_hand, requesting
from payments.states import NoticeState, RefundState
from payments.tasks import retain_requests
from tests.fixtures.answers import body
from tests.fixtures.orders import NOW, reloaded

DAY = timedelta(days=1)
FORM = "P_UNAME=홍길동&P_OID=20260908-0000001-1&P_AMT=33000".encode("cp949")
JSON = json.dumps({"orderId": "20260908-0000001-1", "depositor": "홍길동", "status": "DONE"}).encode()


@pytest.fixture
def came(db):
    """`came(91, body)`: a request that came so many days ago, read and answered."""
    account = PgAccount(code="toss", name="토스", provider="toss", merchant_id="m", base_url="https://pg.example")
    account.set_secrets("test_sk_1234567890")
    account.save()

    def make(days, body=JSON, **facts):
        values = {"status": 200, "headers": {"x": "y"}, "client_ip": "10.0.0.1"} | facts
        return PgRequest.objects.create(
            account=account, at=timezone.now() - days * DAY, body=body, size=len(body), body_hash=b"x" * 32, **values
        )

    return make


def as_it_is(row):
    fresh = reloaded(row)
    return {f.attname: getattr(fresh, f.attname) for f in fresh._meta.concrete_fields} | {"body": bytes(fresh.body)}


def as_retention(sql):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('oms.retention', 'on', true)")
        cursor.execute(sql)


def test_a_body_of_ninety_one_days_is_masked_and_one_of_eighty_nine_is_as_it_came(came):
    old, form, young = came(91), came(91, FORM), came(89)
    before = as_it_is(old)
    at = timezone.now()
    assert retain_requests(at=at) == 2
    after = as_it_is(old)
    assert after.pop("body").decode().splitlines() == [
        "orderId: 20260908-0000001-1", "depositor: 홍*동", "status: DONE",
    ]  # fmt: skip
    assert after.pop("masked_at") == at
    assert after == {name: value for name, value in before.items() if name not in {"body", "masked_at"}}
    text = as_it_is(form)["body"].decode()
    assert ("홍길동" in text, "P_AMT: 33000" in text) == (False, True)
    assert (as_it_is(young)["body"], as_it_is(young)["masked_at"]) == (JSON, None)
    assert retain_requests(at=at) == 0
    assert as_it_is(old)["body"].decode().startswith("orderId")


def test_more_than_one_portion_is_masked_in_one_run(came, monkeypatch):
    rows = [came(100 + n) for n in range(5)]
    monkeypatch.setattr(retaining, "AT_ONCE", 2)
    assert retaining.mask_old(at=timezone.now()) == 5
    assert all(reloaded(row).masked_at for row in rows)


def test_what_nobody_has_read_keeps_its_body(came):
    row = came(91, status=None)
    assert retain_requests(at=timezone.now()) == 0
    assert as_it_is(row)["body"] == JSON


def test_a_request_goes_after_five_years_and_its_notice_stays(came):
    gone, kept = came(5 * 366 + 1), came(5 * 366 - 1)
    notice = PgNotice.objects.create(
        account=gone.account, event_key="e1", kind="DEPOSITED", order_ref="20260908-0000001-1", is_proven=True,
        body_hash=b"x", state=NoticeState.PROCESSED, due_at=gone.at, received_at=gone.at, finished_at=gone.at,
    )  # fmt: skip
    PgRequest.objects.filter(pk=gone.pk).update(notice=notice)
    retain_requests(at=timezone.now())
    assert list(PgRequest.objects.all()) == [kept]
    assert PgNotice.objects.get() == notice


def test_staff_may_keep_longer(came, staff):
    at = timezone.now()
    set_setting(key=BODY_DAYS.key, value=365, actor=staff, at=at)
    set_setting(key=REQUEST_YEARS.key, value=6, actor=staff, at=at)
    body, row = came(300), came(5 * 366 + 10)
    assert retain_requests(at=at) == 1
    assert as_it_is(body)["body"] == JSON
    assert reloaded(row).masked_at == at


@pytest.mark.parametrize("days", [29, 91])
def test_nobody_else_changes_or_deletes_a_request(came, days):
    row = came(days)
    before = as_it_is(row)
    for sql in ("UPDATE payments_pgrequest SET body = '', masked_at = now()", "DELETE FROM payments_pgrequest"):
        with pytest.raises(InternalError, match="Cannot"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
    assert as_it_is(row) == before


@pytest.mark.parametrize(
    ("days", "sql"),
    [
        (29, "UPDATE payments_pgrequest SET body = '', masked_at = now()"),
        (91, "UPDATE payments_pgrequest SET body = ''"),
        (91, "UPDATE payments_pgrequest SET body = '', masked_at = now(), size = 0"),
        (91, "UPDATE payments_pgrequest SET client_ip = NULL"),
        (5 * 365, "DELETE FROM payments_pgrequest"),
    ],
)
def test_the_retention_itself_may_do_no_more_than_it_should(came, days, sql):
    row = came(days)
    before = as_it_is(row)
    with pytest.raises(InternalError, match="Cannot"):
        as_retention(sql)
    assert as_it_is(row) == before


def test_a_masked_body_is_masked_once(came):
    row = came(91)
    retain_requests(at=timezone.now())
    before = as_it_is(row)
    with pytest.raises(InternalError, match="Cannot update"):
        as_retention("UPDATE payments_pgrequest SET body = '', masked_at = now() + interval '1 second'")
    assert as_it_is(row) == before


def test_it_runs_every_night():
    [job] = [one for one in PERIODIC if one.work == "payments.tasks.retain_requests"]
    assert job.name == "retain-requests"


# What was read out of a request


@pytest.fixture
def told(came):
    """`told(91)`: an event that came so many days ago and is done with."""

    def make(days, **facts):
        request = came(days)
        values = {"kind": "DEPOSITED", "state": NoticeState.PROCESSED, "finished_at": request.at} | facts
        notice = PgNotice.objects.create(
            account=request.account, event_key=f"e{request.pk}", order_ref="20260908-0000001-1", is_proven=True,
            body_hash=b"x", due_at=request.at, received_at=request.at, depositor="홍길동", amount=33_000,
            fields={"memo": "홍길동 010-1234-5678", "balance": 33_000}, **values,
        )  # fmt: skip
        PgRequest.objects.filter(pk=request.pk).update(notice=notice)
        return notice

    return make


def as_told(notice):
    fresh = reloaded(notice)
    return {f.attname: getattr(fresh, f.attname) for f in fresh._meta.concrete_fields} | {"body_hash": b""}


def test_an_event_of_ninety_one_days_names_nobody_and_one_of_eighty_nine_is_as_it_was_read(told):
    old, young = told(91), told(89)
    before, kept = as_told(old), as_told(young)
    retain_requests(at=timezone.now())
    assert as_told(old) == before | {"depositor": "홍*동", "fields": {}}
    assert as_told(young) == kept
    retain_requests(at=timezone.now())
    assert as_told(old)["depositor"] == "홍*동"


def test_an_event_that_waits_to_be_applied_keeps_what_was_read(told):
    waiting = told(91, state=NoticeState.RETRY, finished_at=None)
    before = as_told(waiting)
    retain_requests(at=timezone.now())
    assert as_told(waiting) == before


def test_more_than_one_portion_of_events_is_masked_in_one_run(told, monkeypatch):
    notices = [told(100 + n) for n in range(5)]
    monkeypatch.setattr(retaining, "AT_ONCE", 2)
    retaining.mask_old(at=timezone.now())
    assert {reloaded(one).depositor for one in notices} == {"홍*동"}
    assert [reloaded(one).fields for one in notices] == [{}] * 5


def test_a_body_is_masked_by_the_charset_it_came_in(came):
    row = came(91, "nm_input=홍길동&nm_inputbank=신한은행".encode(), content_type="application/x-www-form-urlencoded")
    assert row.account.charset == "cp949"
    retain_requests(at=timezone.now())
    assert as_it_is(row)["body"].decode().splitlines() == ["nm_input: 홍*동", "nm_inputbank: 신한은행"]


# Accounts of refunds


@pytest.fixture
def ended(paid_refund, finance):
    """`ended()`: a refund by bank transfer that was paid out at NOW."""

    def make():
        refund = paid_refund()
        if refund.state == RefundState.DRAFT:
            requesting.approve(refund_ids=[refund.pk], actor=finance, at=NOW)
        assert by_hand.pay_out(refund_ids=[refund.pk], actor=finance, at=NOW).refused == {}
        return reloaded(refund)

    return make


def test_the_account_of_an_ended_refund_goes_after_its_time_and_nothing_else(ended, sign_in):
    done = ended()
    before, at = {**vars(done)}, NOW + 5 * 365 * DAY
    assert retaining.wipe_accounts(at=at) == 0
    assert reloaded(done).sealed_account == done.sealed_account != ""
    at += timedelta(seconds=1)
    assert retain_requests(at=at) == 1
    after = {**vars(reloaded(done))}
    changed = {name for name in before if name != "_state" and after[name] != before[name]}
    assert changed == {"sealed_account", "account_wiped_at", "updated_at"}
    assert (after["sealed_account"], after["account_wiped_at"]) == ("", at)
    assert reloaded(done).account is None
    assert retain_requests(at=at + DAY) == 0
    assert list(check_refunds()) == []
    page = body(sign_in(Role.OWNER).get("/payments/refunds/?tab=all&period=all"))
    assert "보관 기간이 지나 지움" in page
    assert "110" not in re.findall(r"지움.{0,80}", page)[0]


def test_the_shop_may_shorten_it(ended):
    done = ended()
    set_setting(key=ACCOUNT_DAYS.key, value=30, actor=None, at=NOW)
    assert retaining.wipe_accounts(at=NOW + 30 * DAY) == 0
    assert retaining.wipe_accounts(at=NOW + 31 * DAY) == 1
    assert reloaded(done).sealed_account == ""


def test_a_refund_that_is_not_ended_keeps_its_account_for_ever(paid_refund):
    waiting = paid_refund()
    before = {**vars(waiting)} | {"_state": None}
    assert retaining.wipe_accounts(at=NOW + 20 * 365 * DAY) == 0
    assert {**vars(reloaded(waiting))} | {"_state": None} == before


def test_a_withdrawn_refund_loses_it_too(paid_refund, staff):
    gone = paid_refund()
    assert requesting.withdraw(refund_ids=[gone.pk], actor=staff, at=NOW, reason="고객 변심").refused == {}
    assert retaining.wipe_accounts(at=NOW + 6 * 365 * DAY) == 1
    assert (reloaded(gone).state, reloaded(gone).sealed_account) == (RefundState.WITHDRAWN, "")
