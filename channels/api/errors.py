"""Errors of the API: always {"code", "message"}, the right 4xx, and nothing of our insides."""

import logging
import re
import uuid
from typing import Any

from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from core.exceptions import DomainError
from core.locks import QueueTimeout

log = logging.getLogger("channels.api")

IDEMPOTENCY_HEADER = "Idempotency-Key"
NO_BODY = "요청 본문이 비어 있습니다. /api/v1/openapi.json의 형식에 맞는 JSON 객체를 본문에 넣어 다시 보내세요."
BAD_JSON = "요청 본문이 올바른 JSON이 아닙니다. UTF-8 JSON 객체로 고쳐 같은 키로 다시 보내세요."

_SENTENCES = {
    "missing": "값이 없습니다. 이 항목을 넣어 다시 보내세요.",
    "extra_forbidden": "알 수 없는 항목입니다. 지우고 다시 보내세요.",
    "string_type": "글자여야 합니다.",
    "int_type": "정수여야 합니다.",
    "int_parsing": "정수여야 합니다.",
    "int_from_float": "정수여야 합니다.",
    "int_parsing_size": "너무 큰 수입니다.",
    "bool_type": "true나 false여야 합니다.",
    "list_type": "목록이어야 합니다.",
    "enum": "정해진 값 가운데 하나여야 합니다: {expected}",
    "literal_error": "정해진 값 가운데 하나여야 합니다: {expected}",
    "string_too_short": "{min_length}자 이상이어야 합니다.",
    "string_too_long": "{max_length}자까지 보낼 수 있습니다.",
    "string_pattern_mismatch": "형식이 맞지 않습니다.",
    "too_short": "{min_length}개 이상이어야 합니다.",
    "too_long": "{max_length}개까지 보낼 수 있습니다.",
    "greater_than_equal": "{ge} 이상이어야 합니다.",
    "less_than_equal": "{le} 이하여야 합니다.",
    "timezone_aware": "시간대가 있는 일시여야 합니다. 예: 2026-09-21T10:00:00+09:00",
    "model_attributes_type": "객체여야 합니다.",
    "model_type": "객체여야 합니다.",
    "value_error": "{error}",
}
_DATES = "ISO 8601 일시여야 합니다. 예: 2026-09-21T10:00:00+09:00"


class ApiRefused(DomainError):
    """요청 거절: what the edge of the API turns away before any service is asked."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message, code=code)
        self.status = status


def answer(status: int, code: str, message: str, **more: Any) -> JsonResponse:
    """오류 응답."""
    body = {"code": code, "message": message} | more
    response = JsonResponse(body, status=status, json_dumps_params={"ensure_ascii": False})
    response["Cache-Control"] = "no-store"
    return response


def refused(error: DomainError) -> HttpResponse:
    """업무 오류 응답; whoever only had to wait too long is asked to come again."""
    if isinstance(error, QueueTimeout):
        return _again(answer(503, error.code, error.message))
    response = answer(error.status, error.code, error.message)
    if error.status in {401, 429}:
        response["WWW-Authenticate" if error.status == 401 else "Retry-After"] = (
            "Bearer" if error.status == 401 else "60"
        )
    return response


def install(api: NinjaAPI) -> None:
    """오류 처리 연결: one handler per kind of failure; anything unexpected is logged with a number."""
    api.add_exception_handler(DomainError, lambda request, error: refused(error))  # type: ignore[arg-type]
    api.add_exception_handler(AuthenticationError, _unauthorized)
    api.add_exception_handler(ValidationError, _invalid)
    api.add_exception_handler(HttpError, _http_error)
    api.add_exception_handler(Http404, lambda request, error: not_found(request))
    api.add_exception_handler(OperationalError, _busy)
    api.add_exception_handler(Exception, _unexpected)


def not_found(request: HttpRequest) -> HttpResponse:
    """없는 주소."""
    return answer(404, "not_found", "없는 주소입니다. /api/v1/openapi.json을 확인하세요.")


def _unauthorized(request: HttpRequest, error: Any) -> HttpResponse:
    return refused(ApiRefused(401, "unauthorized", "API 키를 Authorization: Bearer 머리글로 보내세요."))


def _invalid(request: HttpRequest, error: Any) -> HttpResponse:
    problems = [{"field": _field(one["loc"]), "message": _sentence(one)} for one in error.errors[:20]]
    if any(one["field"].replace("-", "_").lower() == "idempotency_key" for one in problems):
        text = f"{IDEMPOTENCY_HEADER} 머리글에 1자부터 200자까지의 키를 보내세요."
        return answer(400, "idempotency_key_required", text)
    if any(one["type"] == "missing" and not _field(one["loc"]) for one in error.errors):
        return answer(422, "invalid", NO_BODY, errors=[{"field": "", "message": NO_BODY}])
    first = problems[0] if problems else {"field": "", "message": "요청을 읽을 수 없습니다."}
    message = f"{first['field']}: {first['message']}" if first["field"] else first["message"]
    return answer(422, "invalid", message, errors=problems)


def _field(place: Any) -> str:
    """`lines[0].quantity`, without the names of our own parameters."""
    text = ""
    for part in list(place)[1:]:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part != "payload":
            text += f".{part}" if text else str(part)
    return text[:100]


def _sentence(error: dict[str, Any]) -> str:
    kind = str(error.get("type", ""))
    if kind.startswith(("datetime", "date")):
        return _DATES
    context = {name: str(value) for name, value in (error.get("ctx") or {}).items()}
    if "expected" in context:
        # Pydantic writes "'CARD', 'EASY_PAY' or 'MARKET'".
        context["expected"] = ", ".join(re.findall(r"'([^']*)'", context["expected"]))
    template = _SENTENCES.get(kind, "값이 올바르지 않습니다.")
    try:
        return template.format(**context)
    except (KeyError, IndexError):
        return "값이 올바르지 않습니다."


def _http_error(request: HttpRequest, error: Any) -> HttpResponse:
    if isinstance(error.__cause__, DomainError):
        return refused(error.__cause__)
    if error.status_code == 400:
        return answer(400, "bad_json", BAD_JSON)
    text = "요청을 처리할 수 없습니다. /api/v1/openapi.json의 형식과 비교해 고쳐 보내세요."
    return answer(error.status_code, "refused", text)


def _busy(request: HttpRequest, error: Any) -> HttpResponse:
    log.warning("database is busy: %s", type(error).__name__)
    return _again(answer(503, "busy", "지금은 처리할 수 없습니다. 같은 키로 잠시 뒤 다시 보내세요."))


def _again(response: JsonResponse) -> JsonResponse:
    response["Retry-After"] = "5"
    return response


def _unexpected(request: HttpRequest, error: Any) -> HttpResponse:
    number = uuid.uuid4().hex[:8]
    log.error("API request failed, number %s", number, exc_info=error)
    return answer(500, "server", f"처리하지 못했습니다. 같은 키로 다시 보내고, 계속되면 알려 주세요. (번호 {number})")
