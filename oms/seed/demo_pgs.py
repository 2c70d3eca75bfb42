"""데모 PG 계정: an account at every sandbox PG, with the keys of its demo shop; the sandbox learns where we listen."""

import os
from typing import Any

from core.http import Client, HttpProblem
from oms.seed.loader import Say
from payments.adapters.registry import PGS
from payments.models import PgAccount

URL_SETTING = "OMS_PG_SANDBOX_URL"
ISSUER = "toss"


def connect_pgs(*, port: int, say: Say) -> None:
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
            client.request("POST", "/control/shops", json=shop | {"notice_url": notice_url})
    except HttpProblem as problem:
        say(f"샌드박스 PG를 연결하지 못했습니다: {problem}")


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
    signing = options.pop("webhook_secrets", None)
    if signing:
        options["api_secret"] = shop["secrets"][0]
    if shop["pg"] == "nicepay-form":
        options["rest_secret"] = shop["secrets"][0]
    return list(map(str, signing or shop["secrets"])), {name: str(value) for name, value in options.items()}
