"""The storefront hears of a virtual account in the same words whichever PG opens it, at once or by the relay."""

from datetime import timedelta

import pytest
from django.utils import timezone

from payments.models import PgAccount
from payments.services.gateway import issuing
from tests.fixtures.pg_shop import BANKS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("pg", "code", "name"),
    [("toss", "020", "우리은행"), ("portone", "088", "신한은행"), ("inicis", "088", "신한은행")],
)
def test_an_account_is_told_with_the_code_of_the_clearing_house_and_the_name_of_its_bank(cards, pg, code, name):
    account = cards.account(pg)
    PgAccount.objects.filter(pk=account.pk).update(issues_accounts=True, bank=BANKS[pg])
    answer = cards.post("VA-1", pg=None, method="VIRTUAL_ACCOUNT")
    assert answer.status_code == 201, answer.json()
    said = answer.json()
    assert said["account_state"] == "issued"
    found = said["account"]
    assert (found["bank"], found["bank_name"]) == (code, name)
    assert found["number"].isdigit()
    assert found["holder"]


@pytest.mark.parametrize("kind", ["status", "drop"])
def test_without_an_answer_of_the_pg_the_order_is_taken_and_the_relay_completes_it(cards, kind):
    account = cards.account("toss")
    PgAccount.objects.filter(pk=account.pk).update(issues_accounts=True, bank=BANKS["toss"])
    fault = cards.shop.pgs.fault(kind, pg="toss", method="POST", times=None)
    answer = cards.post("VA-2", pg=None, method="VIRTUAL_ACCOUNT")
    said = answer.json()
    assert (answer.status_code, said["account"], said["account_state"]) == (201, None, "pending")
    issuing.issue_due(at=timezone.now() + timedelta(hours=1))
    assert cards.read(said["number"])["account_state"] == "pending"
    cards.shop.pgs.request("DELETE", f"/control/faults?id={fault['id']}")
    issuing.issue_due(at=timezone.now() + timedelta(hours=2))
    found = cards.read(said["number"])
    assert found["account_state"] == "issued"
    assert set(found["account"]) == {"bank", "bank_name", "number", "holder", "due_at"}
    assert found["account"]["due_at"][:10] >= said["ordered_at"][:10]
