"""오류 화면: what, why and what to do, in Korean, for everything that goes wrong; a sentence alone for fragments."""

import logging
import re
import secrets
import sys
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost, RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render
from django.template.loader import render_to_string

from channels.api import errors as api_errors
from core.exceptions import DomainError
from core.jobs.retry import is_connection_lost

log = logging.getLogger("oms.errors")

HANGUL = re.compile("[가-힣]")
PAGES = frozenset({400, 403, 404, 405, 409, 413})
SENTENCES = {
    405: "주소를 직접 열거나 다른 방법으로 보낸 요청입니다. 화면의 단추를 눌러 처리하세요.",
    413: "한 번에 {megabytes}MB까지 보낼 수 있어 처리하지 않았습니다. 내용을 줄여 다시 보내세요.",
}
API = "/api/"
AWAY = "지금은 데이터베이스에 연결할 수 없어 처리하지 못했습니다. 잠시 뒤 다시 시도하세요."
GONE_FORM = "화면을 연 지 오래되었습니다. 처리하지 않았으니 화면을 새로 고친 뒤 다시 시도하세요."
LOST_FORM = "보낸 내용을 읽을 수 없어 처리하지 않았습니다. 화면을 새로 고친 뒤 다시 시도하세요."
LONG_NAME = "파일 이름이 너무 길어 올리지 않았습니다. 파일 이름을 짧게 바꾸고 다시 올려 주세요."
TOO_MANY = "한 번에 보낸 항목이 너무 많아 처리하지 않았습니다. 항목을 나누어 다시 보내세요."
WRONG_HOST = "이 서버에서 쓰지 않는 주소입니다. 관리자가 알려 준 주소로 다시 접속하세요."
UNREADABLE = "주소나 입력값이 이 화면에서 쓰는 형식이 아닙니다. 조건을 지우고 다시 조회하세요."


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


def error_page(request: HttpRequest, status: int, text: str = "", *, template: str = "") -> HttpResponse:
    """오류 응답: a page, or the sentence alone when htmx or a program asked."""
    text = text or _sentence(status)
    if text and wants_sentence(request):
        return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
    template = template or f"{status if status in PAGES else 400}.html"
    return render(request, template, {"error_text": text}, status=status)


def _sentence(status: int) -> str:
    return SENTENCES.get(status, "").format(megabytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE >> 20)


def wants_sentence(request: HttpRequest) -> bool:
    """문장만: whether htmx or a program asks, to whom a page is of no use."""
    accepted = request.headers.get("Accept", "text/html")
    return bool(request.headers.get("HX-Request")) or not ("text/html" in accepted or "*/*" in accepted)


def _wrong_method(request: HttpRequest, empty: HttpResponse) -> HttpResponse:
    """405 with words: Django's own is an empty page."""
    answer = error_page(request, 405)
    answer["Allow"] = empty.headers.get("Allow", "")
    return answer


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: an address or a form that we never made; 413 for one that is too large; JSON for the API."""
    status = 413 if isinstance(exception, RequestDataTooBig) else 400
    text = _refusal(request, exception) if status == 400 else ""
    if request.path.startswith(API):
        code = "too_large" if status == 413 else "bad_request"
        return api_errors.answer(status, code, text or _sentence(status))
    return error_page(request, status, text)


def _refusal(request: HttpRequest, exception: Exception) -> str:
    """What Django turned away before any view saw it, and what to do."""
    if isinstance(exception, DisallowedHost):
        return WRONG_HOST
    if isinstance(exception, TooManyFieldsSent | TooManyFilesSent):
        return TOO_MANY
    if isinstance(exception, MultiPartParserError):
        # The one header of a part that people can make long is the name of their file.
        return LONG_NAME if "header size" in str(exception) else LOST_FORM
    return UNREADABLE if request.method in {"GET", "HEAD"} else LOST_FORM


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403."""
    return error_page(request, 403, _ours(exception))


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404, with a search box; JSON below the API."""
    if f"{request.path}/".startswith(API):
        return api_errors.not_found(request)
    return error_page(request, 404, _ours(exception))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 of a form whose token is missing or old."""
    return error_page(request, 403, GONE_FORM, template="403_csrf.html")


def server_error(request: HttpRequest) -> HttpResponse:
    """500: a number that staff can name and the log holds; rendered without menu, because anything may be broken.

    Django calls this while it handles the exception. A database that is away is none of our mistakes: 503.
    """
    cause = sys.exception()
    if isinstance(cause, Exception) and is_connection_lost(cause):
        return _database_away(request, cause)
    number = secrets.token_hex(4)
    log.error("error page shown", extra={"data": {"error_id": number, "path": request.path}})
    context = {"error_id": number, "is_change": request.method not in {"GET", "HEAD"}}
    return HttpResponse(render_to_string("500.html", context), status=500)


def _database_away(request: HttpRequest, cause: Exception) -> HttpResponse:
    log.warning("database is away: %s", type(cause).__name__, extra={"data": {"path": request.path}})
    if request.path.startswith(API):
        answer: HttpResponse = api_errors.answer(503, "busy", AWAY)
    elif wants_sentence(request):
        answer = HttpResponse(AWAY, content_type="text/plain; charset=utf-8")
    else:
        answer = HttpResponse(render_to_string("503.html", {"error_text": AWAY}))
    answer.status_code = 503
    answer["Retry-After"] = "5"
    answer["Cache-Control"] = "no-store"
    # One line a request is enough while nothing works; Django would add a traceback to each.
    answer._has_been_logged = True  # type: ignore[attr-defined]
    return answer


def _ours(exception: Exception) -> str:
    """The sentence of an exception, when a person wrote it for people."""
    text = exception.args[0] if exception.args else ""
    return text if isinstance(text, str) and HANGUL.search(text) else ""
