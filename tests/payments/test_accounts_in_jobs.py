"""The account of a refund that a bulk act is given: nowhere in the clear, and not with the job once it has ended."""

import logging
import re

import pytest
from django.db import connection

from accounts.roles import Role
from core.actions import ACTIONS
from core.jobs import inputs, start
from core.models import Job, JobState
from orders.models import OrderLine
from orders.states import LineState, PaymentMethod
from payments.forms.refunds import AccountForm
from payments.models import Refund, RefundAccount
from payments.services.manual import confirm_manually
from payments.services.refunds import settling
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.work import work_on

NUMBER, HOLDER = "778899001122334", "남궁환불"
GIVEN = {"bank": "088", "number": "7788-9900-1122334", "holder": HOLDER}
CANCEL = {"reason": "고객 요청", "fault": "SELLER", **GIVEN}


@pytest.fixture
def paid_order(make_order, staff):
    order = make_order(payment_method=PaymentMethod.BANK_TRANSFER)
    confirm_manually(order_ids=[order.pk], actor=staff, at=NOW)
    return reloaded(order)


@pytest.fixture
def failed_refund(paid_refund):
    refund = paid_refund()
    settling.fail(refund, error="계좌 없음", at=NOW)
    return reloaded(refund)


def in_the_clear() -> list[str]:
    """Tables of which a row shows the account or its holder."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            rows = " ".join(text for [text] in cursor.fetchall())
            digits = rows.replace("-", "")
            if NUMBER in digits or HOLDER in rows or HOLDER.encode().hex() in rows:
                found.append(table)
    return found


def test_a_canceled_order_leaves_its_account_nowhere_in_the_clear(paid_order, sign_in, press, caplog):
    client = sign_in(Role.OWNER)
    caplog.set_level(logging.DEBUG)
    row = (paid_order.pk, paid_order.version)
    _, answer = press(client, "cancel-refund", "preparing", [row], **CANCEL)
    assert answer.status_code == 200
    assert Refund.objects.get().account == RefundAccount("088", NUMBER, HOLDER)
    assert in_the_clear() == []
    job = Job.objects.get(act="cancel-refund")
    assert (job.state, job.params["sealed"]) == (JobState.DONE, "")
    assert job.params["form"] == {"reason": ["고객 요청"], "fault": ["SELLER"]}
    pages = [f"/jobs/{job.uuid}/", "/jobs/", "/access-log/", f"/orders/{paid_order.number}/"]
    answers = [client.get(page) for page in pages]
    assert [one.status_code for one in answers] == [200] * 4
    shown = "".join(one.content.decode() for one in answers)
    for secret in (NUMBER, GIVEN["number"], HOLDER):
        assert secret not in shown
        assert secret not in answer.content.decode()
        assert secret not in caplog.text


def test_while_it_waits_for_a_worker_it_is_sealed(paid_order, sign_in, press, monkeypatch):
    monkeypatch.setattr(start, "IN_REQUEST", 0)
    row = (paid_order.pk, paid_order.version)
    press(sign_in(Role.OWNER), "cancel-refund", "preparing", [row], **CANCEL)
    job = Job.objects.get(act="cancel-refund")
    assert (job.state, in_the_clear()) == (JobState.QUEUED, [])
    assert work_on(job).state == JobState.DONE
    assert OrderLine.objects.get(order=paid_order).state == LineState.CANCELED
    assert Refund.objects.get().account == RefundAccount("088", NUMBER, HOLDER)
    assert (reloaded(job).params["sealed"], in_the_clear(), broken()) == ("", [], [])


def test_neither_does_a_refund_that_is_asked_for_again(failed_refund, sign_in, press):
    row = (failed_refund.pk, failed_refund.version)
    _, answer = press(sign_in(Role.OWNER), "retry-refund", "refunds", [row], way="", **GIVEN)
    assert answer.status_code == 200
    assert reloaded(failed_refund).account == RefundAccount("088", NUMBER, HOLDER)
    assert in_the_clear() == []
    assert Job.objects.get(act="retry-refund").params["sealed"] == ""


def test_every_act_that_asks_for_an_account_seals_it():
    asking = {act.name: set(act.form_class.base_fields) for act in ACTIONS.values() if act.form_class}
    named = {name for name, fields in asking.items() if re.search("number|holder|account|bank", " ".join(fields))}
    assert named == {"cancel-refund", "retry-refund"}
    for name in named:
        assert issubclass(ACTIONS[name].form_class, AccountForm)
        assert set(inputs._secret_of(ACTIONS[name])) == {"bank", "number", "holder"}
