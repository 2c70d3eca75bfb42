"""The world of the golden notices: a shop whose account, order and payment at the sandbox PG are theirs.

So every notice that the adapters are proven with (tests/payments/pg/*_case.py) can be sent over a real socket, and what
it says can be confirmed or denied by the sandbox.
"""

import http.client
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import time_machine
from django.utils import timezone

from core import drains
from core.sealing import seal
from orders.models import Order, OrderEvent, OrderLine
from orders.states import PaymentMethod
from payments.adapters.base import Inbound
from payments.models import LedgerEntry, MoneyProblem, Payment, PgAccount
from payments.models.account import PURPOSE
from payments.services.notices.draining import apply_each
from payments.services.notices.fetching import fetch
from payments.services.snapshots.applying import Fetched
from tests.fixtures.pg_shop import PRICE, PgShop, empty_inbox
from tests.payments.pg.cases import AT, Case

SENT_BY = "X-Sandbox-Client-Ip"


@dataclass
class GoldenShop:
    """Our side of the golden notices of one PG."""

    shop: PgShop
    case: Case
    account: PgAccount
    order: Order

    @property
    def payment(self) -> Payment:
        """As it is now."""
        return Payment.objects.select_related("account").get(order=self.order)

    def act(self, name: str, **facts: Any) -> Any:
        """Something happens at the PG, which tells nobody."""
        return self.shop.act(name, self.payment, **facts)

    def send(self, request: Inbound, *, now: datetime = AT, **extra: str) -> tuple[int, str, bytes]:
        """One golden notice over a real socket at the time of the golden notices; status, content type, body."""
        headers = {name: value.encode("utf-8", "surrogateescape") for name, value in request.headers.items()}
        # What a client of HTTP cannot write at all never reaches a server.
        readable = {name: value for name, value in headers.items() if not any(byte < 32 for byte in value)}
        with time_machine.travel(now, tick=False):
            return raw(self.shop.url, self.path, request.body, readable | {SENT_BY: request.client_ip} | extra)

    @property
    def path(self) -> str:
        """Where the PG finds us."""
        return f"/payments/webhooks/{self.account.endpoint_token}/"

    def pay(self) -> None:
        """The buyer pays; nobody tells us."""
        self.act("deposit", amount=PRICE)

    def take_back(self) -> None:
        """The bank takes the money back, we learn it by asking, and the inbox is empty again."""
        self.act("reverse")
        answers = [one for one in fetch([self.payment]).values() if isinstance(one, Fetched)]
        apply_each(answers, at=timezone.now())
        Payment.objects.filter(order=self.order).update(synced_at=None, asked_at=None)
        self.empty_inbox()

    def empty_inbox(self) -> None:
        """Nothing was told so far."""
        MoneyProblem.objects.all().delete()
        empty_inbox()

    def settle(self) -> None:
        """Work on what was told, until nothing is due."""
        drains.run_all()


def golden_shop(pg_shop: PgShop, case: Case, **facts: Any) -> GoldenShop:
    """The world of one PG; the order is unpaid."""
    pg = case.pg.name.replace("_", "-")
    account = pg_shop.account(pg)
    options = account.options() | dict(case.account.options)
    account.merchant_id, account.charset = case.account.merchant_id, case.account.charset
    account.set_secrets(*(case.account.secrets or account.secrets()), options=options)
    for name, value in facts.items():
        setattr(account, name, value)
    account.save()
    pg_shop.pgs.shop(pg, notice_url="")
    order = pg_shop.make_order(price=PRICE, payment_method=PaymentMethod.VIRTUAL_ACCOUNT, at=timezone.now())
    ref = case.expected["order_ref"]
    facts = {"order_ref": ref, "payment_ref": case.expected.get("payment_ref", "")}
    opened = pg_shop.pgs.control("payments", pg=pg, amount=PRICE, buyer="홍길동", **facts)
    Payment.objects.filter(order=order).update(
        account=account,
        order_ref=ref,
        payment_ref=opened["payment_ref"],
        sealed_secret=seal(case.secrets.get(ref, ""), purpose=PURPOSE),
    )
    return GoldenShop(pg_shop, case, account, order)


def raw(url: str, path: str, body: bytes, headers: dict[str, Any], *, method: str = "POST") -> tuple[int, str, bytes]:
    """One request of any bytes; status, content type, body."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read()
    finally:
        connection.close()


def effects() -> dict[str, list[Any]]:
    """Everything that a notice could change about money and orders; equal before and after what may change nothing."""
    return {
        "orders": list(Order.objects.order_by("pk").values_list("pk", "stage", "version", "paid_amount", "due_amount")),
        "lines": list(OrderLine.objects.order_by("pk").values_list("pk", "state", "version", "open_locks")),
        "payments": list(Payment.objects.order_by("pk").values_list("pk", "state", "version", "balance", "refunded")),
        "ledger": list(LedgerEntry.objects.order_by("pk").values_list("pk", "kind", "amount")),
        "problems": list(MoneyProblem.objects.order_by("pk").values_list("pk", "kind", "amount", "resolved_at")),
        "events": [OrderEvent.objects.filter(order__isnull=False).count()],
    }
