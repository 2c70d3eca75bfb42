"""Solapi: sends a text as 알림톡, SMS or LMS over its HTTP API.

`OMS_MESSAGE_BACKEND=core.gateways.solapi.send_text` switches it on; it needs OMS_SOLAPI_KEY, OMS_SOLAPI_SECRET and
OMS_SOLAPI_FROM (a sender's number that is registered there). A kind of message whose approved template staff have
entered in the settings goes out as 알림톡: the template's number and the values, never our own text, which would have
to be the approved one to the letter. Solapi itself sends an SMS or LMS instead where the buyer has no KakaoTalk.
"""

import hashlib
import hmac
import logging
import os
import secrets
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.utils import timezone

from core.http import Client, HttpProblem, Response
from core.messaging import GatewayRefused
from core.models import Message
from core.options import KAKAO_CHANNEL, KAKAO_OR_TEXT, KAKAO_TEMPLATES
from core.settings_registry import get_settings

log = logging.getLogger("core.solapi")

LIVE_URL = "https://api.solapi.com"
PATH = "/messages/v4/send-many/detail"
TIMEOUT = (5, 20)
LONGEST_FIELD = 100


class NotTaken(GatewayRefused):
    """접수 거절: Solapi understood the request and took no message out of it."""


def send_text(message: Message) -> str:
    """알림톡 or 문자 발송; the number of the group that Solapi made of it.

    Raises GatewayRefused when surely nothing went out; anything else means that nobody knows.
    """
    number = "".join(char for char in message.to if char in "0123456789")
    if "@" in message.to or not number:
        raise GatewayRefused("휴대전화 번호가 아닙니다.")
    envelope = {"to": number, "from": _setting("FROM"), "customFields": {"key": message.key[:LONGEST_FIELD]}}
    if kakao := _kakao_of(message):
        try:
            return _handed_over({**envelope, "kakaoOptions": kakao})
        except NotTaken as refused:
            if kakao["disableSms"]:
                raise
            # Nothing went out: a template that was withdrawn must not keep the news from the buyer.
            log.error("알림톡 %s was refused, it goes out as a text: %s", message.template, refused)
    return _handed_over({**envelope, "text": message.body})


def _kakao_of(message: Message) -> dict[str, Any] | None:
    """kakaoOptions of a message; None for a kind without an approved template."""
    template = KAKAO_TEMPLATES.get(message.template)
    if template is None:
        return None
    values = get_settings(KAKAO_CHANNEL.key, KAKAO_OR_TEXT.key, template.key)
    if not (values[KAKAO_CHANNEL.key] and values[template.key]):
        return None
    return {
        "pfId": values[KAKAO_CHANNEL.key],
        "templateId": values[template.key],
        "variables": {f"#{{{name}}}": value for name, value in message.variables.items()},
        "disableSms": not values[KAKAO_OR_TEXT.key],
    }


def _handed_over(text: dict[str, Any]) -> str:
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
        raise NotTaken(str(failed[0].get("statusMessage") or failed[0].get("statusCode")))
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
