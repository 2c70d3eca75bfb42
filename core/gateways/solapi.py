"""Solapi: sends a text as SMS or LMS over its HTTP API.

`OMS_MESSAGE_BACKEND=core.gateways.solapi.send_text` switches it on; it needs OMS_SOLAPI_KEY, OMS_SOLAPI_SECRET and
OMS_SOLAPI_FROM (a sender's number that is registered there).
"""

import hashlib
import hmac
import os
import secrets
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.utils import timezone

from core.http import Client, HttpProblem, Response
from core.messaging import GatewayRefused
from core.models import Message

LIVE_URL = "https://api.solapi.com"
PATH = "/messages/v4/send-many/detail"
TIMEOUT = (5, 20)


def send_text(message: Message) -> str:
    """문자 발송; the number of the group that Solapi made of it.

    Raises GatewayRefused when surely nothing went out; anything else means that nobody knows.
    """
    number = "".join(char for char in message.to if char in "0123456789")
    if "@" in message.to or not number:
        raise GatewayRefused("휴대전화 번호가 아닙니다.")
    text = {"to": number, "from": _setting("FROM"), "text": message.body, "customFields": {"key": message.key}}
    body = {"messages": [text], "allowDuplicates": False}
    try:
        answer = _client(_url()).request("POST", PATH, json=body, headers={"Authorization": _signed()})
    except HttpProblem as problem:
        if not problem.sent:
            raise GatewayRefused("발송사에 연결하지 못했습니다.") from problem
        raise
    return _group_of(answer)


def _group_of(answer: Response) -> str:
    if 400 <= answer.status < 500:
        raise GatewayRefused(_words(answer))
    if answer.status != 200:
        raise RuntimeError(f"Solapi answered {answer.status}")
    found = answer.json()
    if failed := found.get("failedMessageList"):
        raise GatewayRefused(str(failed[0].get("statusMessage") or failed[0].get("statusCode")))
    return str(found["groupInfo"]["groupId"])


def _words(answer: Response) -> str:
    try:
        found: Any = answer.json()
        return f"{found['errorCode']}: {found['errorMessage']}"
    except (HttpProblem, KeyError, TypeError):
        return f"HTTP {answer.status}"


def _signed() -> str:
    """HMAC-SHA256 over date and salt, by our secret."""
    date, salt = timezone.now().isoformat(timespec="milliseconds"), secrets.token_hex(16)
    signature = hmac.new(_setting("SECRET").encode(), (date + salt).encode(), hashlib.sha256).hexdigest()
    return f"HMAC-SHA256 apiKey={_setting('KEY')}, date={date}, salt={salt}, signature={signature}"


def _setting(name: str) -> str:
    found = os.environ.get(f"OMS_SOLAPI_{name}", "")
    if not found:
        raise GatewayRefused(f"환경 변수 OMS_SOLAPI_{name}가 없습니다.")
    return found


def _url() -> str:
    return os.environ.get("OMS_SOLAPI_BASE_URL", LIVE_URL)


@lru_cache(maxsize=4)
def _client(url: str) -> Client:
    # Plain HTTP means our own sandbox on loopback.
    return Client(url, timeout=TIMEOUT, allow_loopback=urlsplit(url).scheme == "http")
