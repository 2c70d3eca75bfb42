"""오류 화면: what, why and what to do, in Korean, for everything that goes wrong; a sentence alone for fragments."""

import logging
import re
import secrets
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from core.exceptions import DomainError

log = logging.getLogger("oms.errors")

HANGUL = re.compile("[가-힣]")
PAGES = frozenset({400, 403, 404, 405, 409})
SENTENCES = {405: "주소를 직접 열거나 다른 방법으로 보낸 요청입니다. 화면의 단추를 눌러 처리하세요."}
GONE_FORM = "화면을 연 지 오래되어 보낸 내용을 확인할 수 없습니다. 화면을 새로 고친 뒤 다시 시도하세요."


class ExpectedErrors:
    """예상한 오류: a DomainError that no view caught becomes its own sentence and status instead of a 500."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer: HttpResponse = self.get_response(request)
        if answer.status_code == 405 and not answer.streaming and not answer.content:
            return _wrong_method(request, answer)
        return answer

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Django calls this for an exception of a view."""
        if not isinstance(exception, DomainError):
            return None
        return error_page(request, exception.status, exception.message)


def error_page(request: HttpRequest, status: int, text: str = "") -> HttpResponse:
    """오류 응답: a page, or the sentence alone when htmx or a program asked."""
    is_page = "text/html" in request.headers.get("Accept", "text/html") or "*/*" in request.headers.get("Accept", "")
    text = text or SENTENCES.get(status, "")
    if text and (request.headers.get("HX-Request") or not is_page):
        return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
    template = f"{status if status in PAGES else 400}.html"
    return render(request, template, {"error_text": text}, status=status)


def _wrong_method(request: HttpRequest, empty: HttpResponse) -> HttpResponse:
    """405 with words: Django's own is an empty page."""
    answer = error_page(request, 405)
    answer["Allow"] = empty.headers.get("Allow", "")
    return answer


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: an address or a form that we never made."""
    return error_page(request, 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403."""
    return error_page(request, 403, _ours(exception))


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404, with a search box."""
    return error_page(request, 404, _ours(exception))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 of a form whose token is missing or old."""
    return error_page(request, 403, GONE_FORM)


def server_error(request: HttpRequest) -> HttpResponse:
    """500: a number that staff can name and the log holds; rendered without menu, because anything may be broken."""
    number = secrets.token_hex(4)
    log.error("error page shown", extra={"data": {"error_id": number, "path": request.path}})
    return HttpResponse(render_to_string("500.html", {"error_id": number}), status=500)


def _ours(exception: Exception) -> str:
    """The sentence of an exception, when a person wrote it for people."""
    text = exception.args[0] if exception.args else ""
    return text if isinstance(text, str) and HANGUL.search(text) else ""
