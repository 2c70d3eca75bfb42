"""데모 PG 계정: an account at every sandbox PG, with the keys of its demo shop; the sandbox learns where we listen.

Orders of the seed that wait for a virtual account get one there, so that they can be paid on the sandbox's page.
"""

import os
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from core.http import Client, HttpProblem
from oms.seed.demo_cards import seed_card_orders
from oms.seed.loader import Say
from orders.models import Order
from orders.states import LineState, PaymentMethod
from payments.adapters.registry import PGS
from payments.models import Payment, PgAccount, VirtualAccount
from payments.services.gateway.issuing import ask_for_accounts
from payments.states import PaymentState

URL_SETTING = "OMS_PG_SANDBOX_URL"
ISSUER = "toss"
LENIENT, LENIENT_BANK = "inicis", "88"
"""The PG of every fourth account, whose bank takes any sum: too little and too much can be tried out."""
AT_ONCE = 30
"""Accounts that one start asks for: the sandbox answers each by itself."""
LONG_ENOUGH = timedelta(hours=1)


def connect_pgs(*, port: int, at: datetime, say: Say) -> None:
    """샌드박스 PG 연결: accounts that are missing, and our address for the notices of each, anew on every start."""
    url = os.environ.get(URL_SETTING, "")
    if not url:
        return
    client = Client(url, allow_loopback=True)
    try:
        shops = client.request("GET", "/control/shops").json()
        for shop in shops:
            account = _account(shop, url)
            notice_url = f"http://127.0.0.1:{port}/payments/webhooks/{account.endpoint_token}/"
            options = dict(shop.get("options") or {}) | ({"is_exact_amount": False} if shop["pg"] == LENIENT else {})
            client.request("POST", "/control/shops", json=shop | {"notice_url": notice_url, "options": options})
    except HttpProblem as problem:
        say(f"샌드박스 PG를 연결하지 못했습니다: {problem}")
        return
    _open_accounts(at)
    try:
        seed_card_orders(client, at=at)
    except HttpProblem as problem:
        say(f"카드 주문을 만들지 못했습니다: {problem}")


def _open_accounts(at: datetime) -> None:
    """가상계좌 of seeded orders that still wait; the relay asks the PG for them."""
    waiting = Order.objects.filter(
        stage=LineState.AWAITING_PAYMENT,
        payment_method=PaymentMethod.VIRTUAL_ACCOUNT,
        deposit_by__gt=at + LONG_ENOUGH,
        payments__account=None,
        payments__state=PaymentState.PENDING,
    )
    lenient = PgAccount.objects.filter(code=LENIENT, is_active=True).first()
    with transaction.atomic():
        asked = ask_for_accounts(orders=list(waiting.order_by("-ordered_at", "-pk")[:AT_ONCE]), at=at)
        if lenient is not None:
            some = sorted(asked)[::4]
            Payment.objects.filter(pk__in=some).update(account=lenient)
            VirtualAccount.objects.filter(pk__in=some).update(bank=LENIENT_BANK)


def _account(shop: dict[str, Any], url: str) -> PgAccount:
    code = str(shop["pg"])
    provider = code.replace("-", "_")
    found = PgAccount.objects.filter(code=code).first()
    if found is not None:
        return found
    account = PgAccount(
        code=code,
        name=f"{PGS[provider].label} 샌드박스",
        provider=provider,
        merchant_id=str(shop["merchant_id"]),
        base_url=f"{url}/{code}",
        charset="utf-8" if "application/json" in PGS[provider].media_types else "cp949",
        is_sandbox=True,
        issues_accounts=code == ISSUER,
        bank="20" if code == ISSUER else "",
    )
    keys, options = keys_of(shop)
    account.set_secrets(*keys, options=options)
    account.save()
    return account


def keys_of(shop: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """키: what signs and what else is needed, out of a shop of the sandbox.

    PortOne signs notices with other keys than it is called with; the older NICEPAY is called through the newer one.
    """
    options = dict(shop.get("options") or {})
    options.pop("is_exact_amount", None)
    signing = options.pop("webhook_secrets", None)
    if signing:
        options["api_secret"] = shop["secrets"][0]
    if shop["pg"] == "nicepay-form":
        options["rest_secret"] = shop["secrets"][0]
    return list(map(str, signing or shop["secrets"])), {name: str(value) for name, value in options.items()}
