"""How long the door stays shut after repeated failed log-ins; django-axes keeps the books."""

import math
from datetime import datetime

from axes.helpers import get_cool_off
from axes.models import AccessAttempt
from django.http import HttpRequest, HttpResponse


def minutes_left(username: str, *, at: datetime) -> int:
    """남은 잠금 시간: whole minutes, at least 1, until a locked name may try again."""
    last = AccessAttempt.objects.filter(username=username).order_by("-attempt_time", "-pk").first()
    cool_off = get_cool_off()
    if last is None or cool_off is None:
        return 1
    return max(1, math.ceil((last.attempt_time + cool_off - at).total_seconds() / 60))


def keep_response(request: HttpRequest, response: HttpResponse, credentials: object) -> HttpResponse:
    """잠금 응답: the log-in view has already said it; axes asks for a function that answers."""
    return response
