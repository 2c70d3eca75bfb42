"""The edge of the API: keys, limits of bad keys and bodies, and bodies that are honest JSON."""

import json
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponseBase, UnreadablePostError
from django.utils import timezone
from ninja.parser import Parser
from ninja.security import HttpBearer

from accounts.clients import client_of
from channels.api.errors import BAD_JSON, ApiRefused, answer, not_found, refused
from channels.models import ApiKey
from channels.services.keys import find_key
from core.exceptions import DomainError
from core.text import REPLACED

MOST_BODY = 1 << 20
MOST_DEPTH = 20
BAD_KEYS_A_MINUTE = 20
ADDRESSES = 10_000

BAD_TEXT = ApiRefused(400, "bad_text", "쓸 수 없는 글자(NUL, 짝 없는 대리 문자)가 있습니다. 지우고 다시 보내세요.")
BROKEN_TEXT = ApiRefused(400, "broken_text", "글자가 깨져 있습니다(U+FFFD). 올바른 UTF-8로 고쳐 다시 보내세요.")
TOO_BIG = ApiRefused(413, "too_large", "요청 본문은 1MB까지 보낼 수 있습니다. 내용을 줄여 다시 보내세요.")
NO_LENGTH = ApiRefused(
    411, "length_required", "Transfer-Encoding: chunked는 받지 않습니다. Content-Length 머리글과 함께 다시 보내세요."
)
NOT_JSON = ApiRefused(415, "not_json", "Content-Type은 application/json이어야 합니다.")
TOO_OFTEN = ApiRefused(429, "too_many_bad_keys", "잘못된 API 키를 너무 많이 보냈습니다. 1분 뒤에 다시 보내세요.")
BAD_KEY = ApiRefused(401, "bad_key", "API 키가 올바르지 않거나 폐기되었습니다. 설정의 판매채널에서 확인하세요.")
CHANNEL_OFF = ApiRefused(
    403, "channel_off", "사용하지 않는 판매채널의 API 키입니다. 설정의 판매채널에서 사용으로 바꾼 뒤 다시 보내세요."
)


class BadKeys:
    """잘못된 키 세기: per address and minute, in this process; the oldest addresses are forgotten first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    def are_too_many(self, address: str) -> bool:
        """Whether the address has used up its tries of the last minute."""
        with self._lock:
            return len(self._recent(address)) >= BAD_KEYS_A_MINUTE

    def add(self, address: str) -> None:
        """One more bad key."""
        with self._lock:
            tries = self._recent(address)
            tries.append(time.monotonic())
            self._seen[address] = tries
            self._seen.move_to_end(address)
            while len(self._seen) > ADDRESSES:
                self._seen.popitem(last=False)

    def forget(self) -> None:
        """Start over."""
        with self._lock:
            self._seen.clear()

    def _recent(self, address: str) -> deque[float]:
        tries = self._seen.get(address, deque(maxlen=BAD_KEYS_A_MINUTE))
        while tries and tries[0] < time.monotonic() - 60:
            tries.popleft()
        return tries


bad_keys = BadKeys()


class ChannelKey(HttpBearer):
    """API 키: `Authorization: Bearer oms_…`; the request then acts for the key's channel only."""

    def authenticate(self, request: HttpRequest, token: str) -> ApiKey:
        key = find_key(token, at=timezone.now())
        if key is None:
            # Only failures are counted and slowed down: several shops may share an address with whoever guesses.
            address = client_of(request).ip or ""
            if bad_keys.are_too_many(address):
                raise TOO_OFTEN
            bad_keys.add(address)
            raise BAD_KEY
        if not key.channel.is_active:
            raise CHANNEL_OFF
        return key


class HonestParser(Parser):
    """JSON without NaN, NUL, lone surrogates, absurd numbers and endless nesting."""

    def parse_body(self, request: HttpRequest) -> Any:
        try:
            data = json.loads(request.body, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise ApiRefused(400, "bad_json", BAD_JSON) from error
        _check(data, depth=0)
        return data


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _check(value: Any, *, depth: int) -> None:
    if depth > MOST_DEPTH:
        raise ApiRefused(400, "too_deep", f"JSON은 {MOST_DEPTH}단계까지 보낼 수 있습니다.")
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, dict):
        for name, one in value.items():
            check_text(name)
            _check(one, depth=depth + 1)
    elif isinstance(value, list):
        for one in value:
            _check(one, depth=depth + 1)


def check_text(text: str) -> None:
    """글자 확인: what PostgreSQL and UTF-8 cannot hold, and what was lost before. Raises ApiRefused."""
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise BAD_TEXT
    if REPLACED in text:
        raise BROKEN_TEXT


def guarded(view: Callable[..., HttpResponseBase], *, reads_body: bool = True) -> Callable[..., HttpResponseBase]:
    """문: size, type and text of a request are checked before anything reads it; every refusal is JSON.

    Where nothing `reads_body` it is not judged: that there is no such address, or method, is said first.
    """

    @wraps(view)
    def gate(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            _check_address(request)
            if reads_body:
                _check_body(request)
            found = view(request, *args, **kwargs)
        except DomainError as error:
            return refused(error)
        except Http404:
            return not_found(request)
        except (RequestDataTooBig, UnreadablePostError):
            return refused(TOO_BIG)
        if found.status_code == 405:
            allowed = found.headers.get("Allow", "")
            response = answer(405, "method_not_allowed", f"이 주소에서는 {allowed}만 쓸 수 있습니다.")
            response["Allow"] = allowed
            return response
        found.headers.setdefault("Cache-Control", "no-store")
        return found

    gate.csrf_exempt = True  # type: ignore[attr-defined]
    return gate


def _check_body(request: HttpRequest) -> None:
    # Without a length Django reads no body at all, and the caller would be told that it sent nothing.
    if "HTTP_TRANSFER_ENCODING" in request.META:
        raise NO_LENGTH
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > MOST_BODY:
        raise TOO_BIG
    if request.method == "POST" and int(length) and request.content_type != "application/json":
        raise NOT_JSON


def _check_address(request: HttpRequest) -> None:
    check_text(request.path)
    for name, values in request.GET.lists():
        check_text(name)
        for value in values:
            check_text(value)
