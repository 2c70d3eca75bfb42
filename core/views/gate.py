"""The gate of core's own pages: accounts decides, by the function that settings.OMS_GATE names."""

from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.module_loading import import_string
from django.views import View

from core.exceptions import DomainError
from core.jobs.shown import refusal_result
from core.models import Job

LOGIN_ONLY = ""


class UnknownCondition(DomainError):
    """조회 조건 오류: a parameter that the page does not know, or a value it cannot have."""

    code = "unknown_condition"


def refusal(request: HttpRequest, code: str) -> HttpResponse | None:
    """거절 응답: None when the person may go on; `code` is a permission or LOGIN_ONLY."""
    answer: HttpResponse | None = import_string(settings.OMS_GATE)(request, code)
    return answer


def is_fragment(request: HttpRequest) -> bool:
    """조각 요청: whether htmx asks."""
    return bool(request.headers.get("HX-Request"))


class GatedView(View):
    """문지기: log-in first, then the right; expected errors become answers in Korean."""

    permission: ClassVar[str] = LOGIN_ONLY

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        refused = refusal(request, self.permission)
        if refused is not None:
            return refused
        try:
            return super().dispatch(request, *args, **kwargs)
        except DomainError as error:
            return refuse(request, error)


def refuse(request: HttpRequest, error: DomainError, *, job: Job | None = None) -> HttpResponse:
    """거절: the sentence of an expected error in the strip, or as a page; for htmx with a status that it swaps."""
    if is_fragment(request):
        status = error.status if error.status == 409 else 422
        return render(request, "generic/_strip.html", {"result": refusal_result(error.message, job=job)}, status=status)
    status = error.status if error.status in {400, 403, 404, 409} else 400
    context = {"error_text": error.message, "error_status": error.status}
    return render(request, f"{status}.html", context, status=error.status)
