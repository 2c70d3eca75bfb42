"""Every list of money asks the database a fixed number of times, however many rows it shows."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.lists import lists
from core.lists.presenter import present
from orders.models import Order
from payments.models import (
    BankDeposit,
    CashReceipt,
    MoneyProblem,
    Payment,
    PgAccount,
    PgNotice,
    PgReconciliation,
    PgRequest,
    Refund,
)
from payments.services.deposits.bank import BankRow, take_in
from payments.services.ledger import problems
from payments.services.manual import confirm_manually
from payments.services.refunds import requesting
from payments.services.refunds.requesting import Ask
from payments.states import DepositSource, NoticeState, ProblemKind, ReceiptPurpose
from tests.fixtures.orders import NOW
from tests.fixtures.refunds import ACCOUNT

COUNTS = json.loads((Path(settings.BASE_DIR) / "tests" / "query_counts.json").read_text())["lists"]
MONEY = ("deposits", "refunds", "notices", "refused-requests", "problems", "receipts", "reconciliations")
MODELS = {
    "deposits": BankDeposit, "refunds": Refund, "notices": PgNotice, "refused-requests": PgRequest,
    "problems": MoneyProblem, "receipts": CashReceipt, "reconciliations": PgReconciliation,
}  # fmt: skip
FEW, MANY = 3, 25


@pytest.fixture
def payments(make_order, staff):
    """`payments(3)`: so many payments that staff confirmed by hand."""

    def make(many):
        orders = [make_order() for _ in range(many)]
        confirm_manually(order_ids=[order.pk for order in orders], actor=staff, at=NOW)
        return list(Payment.objects.filter(order__in=orders))

    return make


@pytest.fixture
def account(db):
    found = PgAccount(code="toss", name="토스", provider="toss", merchant_id="m", base_url="https://pg.example")
    found.set_secrets("test_sk_1234567890")
    found.save()
    return found


@pytest.fixture
def filled(payments, account, bank_account, matched, staff):
    """`filled("refunds", 3)`: one more list with so many rows more, each about another order."""

    def deposits(many):
        first = BankDeposit.objects.count()
        rows = [
            BankRow(NOW + timedelta(minutes=n), 10_000 + n, "홍길동", "", 1_000 * n) for n in range(first, first + many)
        ]
        take_in(account=bank_account, rows=rows, source=DepositSource.FILE, at=NOW + timedelta(hours=many))
        matched(at=NOW + timedelta(hours=many))

    def ask_back(many):
        asks = [Ask(payment_id=one.pk, amount=1_000, account=ACCOUNT) for one in payments(many)]
        requesting.request(asks=asks, reason="환불", actor=staff, at=NOW)

    def notices(many):
        before = PgNotice.objects.count()
        refs = Order.objects.filter(pk__in=[one.order_id for one in payments(many)]).values_list("number", flat=True)
        for n, number in enumerate(refs, start=before):
            notice = PgNotice.objects.create(
                account=account, event_key=f"e{n}", kind="DEPOSITED", order_ref=f"{number}-1", amount=10_000,
                is_proven=True, body_hash=b"x", state=NoticeState.PARKED, reason="unknown_order", due_at=NOW,
                received_at=NOW, finished_at=NOW, attempts=1,
            )  # fmt: skip
            asked(notice)

    def asked(notice=None):
        PgRequest.objects.create(
            account=account, at=NOW, peer_ip="127.0.0.1", body=b"{}", size=2, body_hash=b"x",
            status=200 if notice else 401, reason="" if notice else "bad_secret", notice=notice,
        )  # fmt: skip

    def strange(many):
        for payment in payments(many):
            problems.open_for(payment, ProblemKind.UNDERPAID, amount=3_000, at=NOW)

    def receipts(many):
        first = CashReceipt.objects.count()
        for n, payment in enumerate(payments(many), start=first):
            CashReceipt.objects.create(
                payment=payment, reference=f"R{n}", purpose=ReceiptPurpose.INCOME, masked_number="****5678",
                amount=10_000, found_at=NOW,
            )  # fmt: skip

    def reconciled(many):
        first = PgReconciliation.objects.count()
        for n in range(first, first + many):
            PgReconciliation.objects.create(
                ran_on=NOW.date(), account=account, day=NOW.date() - timedelta(days=n), payments=3, unanswered=0,
                changed=0, mismatches=0, pg_sum=1_000, ledger_sum=1_000, order_sum=1_000, finished_at=NOW,
            )  # fmt: skip

    makers = {
        "deposits": deposits, "refunds": ask_back, "notices": notices, "problems": strange,
        "receipts": receipts, "reconciliations": reconciled,
        "refused-requests": lambda many: [asked() for _ in range(many)],
    }  # fmt: skip
    return lambda name, many: makers[name](many)


@pytest.mark.parametrize("name", MONEY)
def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(filled, make_staff, name):
    user, before = make_staff(), 0
    for many in (FEW, MANY):
        filled(name, many - before)
        before = many
        assert MODELS[name].objects.exclude(**({"status": 200} if name == "refused-requests" else {})).count() == many
        for params, expected in COUNTS[name].items():
            with CaptureQueriesContext(connection) as captured:
                view = present(lists.page(name).query(f"{params}&size=50", user=user, at=NOW))
            assert len(view.rows) == many, (name, params)
            asked = [one["sql"][:140] for one in captured.captured_queries]
            assert len(asked) == expected, (name, params, asked)


def test_every_list_of_money_has_its_numbers():
    ours = {page.name for page in lists.pages() if page.url.startswith("/payments/")}
    assert ours == set(MONEY) <= set(COUNTS)
