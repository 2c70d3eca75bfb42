"""What ends a session, and what browsers may keep of its pages."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.models import User

OPENED_AT, EPOCH = "opened_at", "epoch"
LONGEST_SESSION = timedelta(hours=12)
ENDED = "로그인이 풀렸습니다. 다시 로그인하세요."


def mark_session(session: SessionBase, user: User, *, at: datetime) -> None:
    """세션 표시: note in a fresh session when it was opened and under which epoch of its owner."""
    session[OPENED_AT] = int(at.timestamp())
    session[EPOCH] = user.session_epoch


class StaffSessionMiddleware:
    """로그인 유지: ends a session after 12 hours, when its owner was logged out everywhere, or disabled.

    Pages of a session are kept by no cache. Idle sessions end by SESSION_COOKIE_AGE.
    Source: reliability.md R-01, R-04, T21.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        has_session = settings.SESSION_COOKIE_NAME in request.COOKIES
        if has_session and SESSION_KEY in request.session and not _is_alive(request, at=timezone.now()):
            logout(request)
            messages.info(request, ENDED)
        response = self.get_response(request)
        if has_session:
            response.headers["Cache-Control"] = "no-store"
        return response


def _is_alive(request: HttpRequest, *, at: datetime) -> bool:
    user = request.user
    if not isinstance(user, User) or request.session.get(EPOCH) != user.session_epoch:
        return False
    opened_at = request.session.get(OPENED_AT, 0)
    return at.timestamp() - opened_at < LONGEST_SESSION.total_seconds()
