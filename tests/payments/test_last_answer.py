"""마지막 정상 통신 of a PG account: every good answer counts, once a minute, and nobody waits for it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connections, transaction
from django.utils import timezone

from accounts.roles import Role
from payments.models import Payment, PgAccount
from payments.services import pg_accounts
from payments.services.gateway import refund_sending
from payments.services.notices.fetching import fetch
from tests.fixtures.posts import all_at_once

pytestmark = pytest.mark.django_db(transaction=True)


def last_ok(account):
    return PgAccount.objects.get(pk=account.pk).last_ok_at


def forget(account, **ago):
    at = timezone.now() - timedelta(**ago) if ago else None
    PgAccount.objects.filter(pk=account.pk).update(last_ok_at=at)
    return at


def payment_of(order):
    return Payment.objects.select_related("account").get(order=order)


@pytest.mark.parametrize("pg", ["toss", "portone", "nicepay", "nicepay-form", "inicis"])
def test_an_account_that_was_opened_a_question_and_a_refund_are_good_answers(pg_shop, pg_refunds, pg):
    payment = pg_refunds.paid(pg)
    account = payment.account
    assert last_ok(account) is not None
    forget(account)
    fetch([payment_of(payment.order)])
    assert last_ok(account) is not None
    forget(account)
    pg_refunds.ask(payment)
    refund_sending.send_due(at=timezone.now())
    assert last_ok(account) is not None


def test_it_moves_once_a_minute(pg_shop):
    account = pg_shop.account("toss")
    order = pg_shop.order(account)
    fresh = forget(account, seconds=30)
    fetch([payment_of(order)])
    assert last_ok(account) == fresh
    old = forget(account, seconds=61)
    fetch([payment_of(order)])
    assert last_ok(account) > old


@pytest.mark.parametrize("fault", ["status", "drop", "truncated"])
def test_an_answer_that_is_none_does_not_count(pg_shop, fault):
    account = pg_shop.account("toss")
    order = pg_shop.order(account)
    forget(account)
    pg_shop.pgs.fault(fault, pg="toss", method="GET", times=None)
    fetch([payment_of(order)])
    assert last_ok(account) is None


def test_a_notice_counts_when_its_pg_has_proven_it_and_no_other(pg_shop, caught):
    account = pg_shop.account("nicepay")
    [post] = caught(pg_shop.order(account))
    forget(account)
    assert all_at_once([replace(post, body=post.body.replace(b"33000", b"43000"))], pg_shop.url) == [401]
    assert last_ok(account) is None
    assert all_at_once([post], pg_shop.url) == [200]
    assert last_ok(account) is not None


def test_whoever_holds_the_account_is_not_waited_for(pg_shop):
    account = pg_shop.account("toss")
    forget(account)

    def note():
        try:
            pg_accounts.note_answers([account], at=timezone.now())
        finally:
            connections.close_all()

    account.last_ok_at = None
    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        PgAccount.objects.select_for_update().get(pk=account.pk)
        pool.submit(note).result(timeout=5)
    assert last_ok(account) is None
    note()
    assert last_ok(account) is not None


def test_the_field_has_the_name_that_the_screens_show(pg_shop, sign_in):
    pg_shop.account("toss")
    label = PgAccount._meta.get_field("last_ok_at").verbose_name
    assert label == "마지막 정상 통신"
    assert label in sign_in(Role.OWNER).get("/settings/pg/").content.decode()
