"""환불계좌 보기: masked in the pages, whole for a reason, logged, and only for the roles of reliability.md 4.1."""

import pytest

from accounts.models import AccessAction, AccessLog
from accounts.roles import Role
from payments.models import Refund
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.refunds import ACCOUNT

REASON = {"reason": "이체 전에 예금주 확인"}


def views_logged():
    return AccessLog.objects.filter(action=AccessAction.VIEW)


@pytest.mark.parametrize("role", [Role.OWNER, Role.CS, Role.FINANCE])
def test_number_and_holder_are_shown_for_a_reason_and_logged(paid_refund, sign_in, role):
    refund, client = paid_refund(), sign_in(role)
    page = client.get(f"/orders/{refund.order.number}/").content.decode()
    assert "환불계좌 보기" in page
    assert "신한은행" in page
    assert ACCOUNT.number not in page
    assert f"예금주 {ACCOUNT.holder}" not in page
    url = f"/payments/refunds/{refund.pk}/account/"
    asked = client.get(url)
    refused = client.post(url, {"reason": " "})
    assert (asked.status_code, refused.status_code) == (200, 422)
    assert ACCOUNT.number not in asked.content.decode() + refused.content.decode()
    assert not views_logged().exists()
    shown = client.post(url, REASON)
    assert ACCOUNT.number in shown.content.decode()
    assert ACCOUNT.holder in shown.content.decode()
    assert shown["Cache-Control"] == "no-store"
    logged = views_logged().get()
    assert (logged.subjects, logged.purpose) == ([refund.order.number], REASON["reason"])
    assert logged.detail == {"fields": ["refund_account"], "refund": refund.pk}
    assert reloaded(refund).version == refund.version


@pytest.mark.parametrize("role", [Role.LOGISTICS, Role.VIEWER, Role.AUDITOR])
def test_the_account_is_refused_to_everybody_else(paid_refund, sign_in, role):
    refund, client = paid_refund(), sign_in(role)
    assert "환불계좌 보기" not in client.get(f"/orders/{refund.order.number}/").content.decode()
    answer = client.post(f"/payments/refunds/{refund.pk}/account/", REASON)
    assert answer.status_code == 403
    assert ACCOUNT.number not in answer.content.decode()
    assert not views_logged().exists()


def test_an_account_that_was_wiped_says_so_and_cannot_be_asked_for(paid_refund, sign_in):
    refund, client = paid_refund(), sign_in(Role.FINANCE)
    Refund.objects.filter(pk=refund.pk).update(sealed_account="", account_wiped_at=NOW)
    page = client.get(f"/orders/{refund.order.number}/").content.decode()
    assert "보관 기간이 지나 지움" in page
    assert "환불계좌 보기" not in page
    for pk in (refund.pk, 999_999):
        assert client.post(f"/payments/refunds/{pk}/account/", REASON).status_code == 404
    assert not views_logged().exists()
