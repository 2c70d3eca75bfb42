"""What ends a session, and what browsers may keep of its pages."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.clients import is_trusted
from accounts.models import User
from core.networks import address

OPENED_AT = "opened_at"
LONGEST_SESSION = timedelta(hours=12)
SEEN_AT = "seen_at"
SAVE_EVERY = 60
"""Seconds between two saves of a session that is in use; its 30 idle minutes are that exact."""
FORWARDED_PROTO = "HTTP_X_FORWARDED_PROTO"
BACKGROUND = ("/poll/", "/menu/counts/")
"""Endings of addresses that a page asks by itself: they keep nobody logged in."""
ENDED = "로그인이 풀렸습니다. 다시 로그인하세요."


def mark_session(session: SessionBase, *, at: datetime) -> None:
    """세션 표시: note in a fresh session when it was opened."""
    session[OPENED_AT] = session[SEEN_AT] = int(at.timestamp())


class ProxyMiddleware:
    """프록시: who is no proxy of ours cannot call plain HTTP encrypted. Stands before whatever looks at that."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if FORWARDED_PROTO in request.META and not is_trusted(address(request.META.get("REMOTE_ADDR", ""))):
            del request.META[FORWARDED_PROTO]
        return self.get_response(request)


class StaffSessionMiddleware:
    """로그인 유지: ends a session after 12 hours, when its owner was logged out everywhere, or disabled.

    Pages of a session are kept by no cache. Idle sessions end by SESSION_COOKIE_AGE; what a page asks by itself does
    not count as use.
    Source: reliability.md R-01, R-04, T21.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        has_session = settings.SESSION_COOKIE_NAME in request.COOKIES
        if has_session and SESSION_KEY in request.session and not _is_alive(request, at=timezone.now()):
            logout(request)
            messages.info(request, ENDED)
        elif has_session and SESSION_KEY in request.session:
            _note_use(request, at=timezone.now())
        response = self.get_response(request)
        if has_session:
            response.headers["Cache-Control"] = "no-store"
        return response


def _note_use(request: HttpRequest, *, at: datetime) -> None:
    seen = request.session.get(SEEN_AT, 0)
    if at.timestamp() - seen >= SAVE_EVERY and not request.path.endswith(BACKGROUND):
        request.session[SEEN_AT] = int(at.timestamp())


def _is_alive(request: HttpRequest, *, at: datetime) -> bool:
    # Django has compared the session with User.get_session_auth_hash() by now.
    if not isinstance(request.user, User):
        return False
    if OPENED_AT not in request.session:
        mark_session(request.session, at=at)
    return bool(at.timestamp() - request.session[OPENED_AT] < LONGEST_SESSION.total_seconds())
