"""What tracking sources and issuers share: how a call fails, and how broken answers are read (shipping.md 4.4).

Nothing here raises on account of an answer: a failure is a TrackResult, which `not_issued` turns into an Issued.
"""

import json as jsonlib
import re
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from datetime import time as clock
from email.utils import parsedate_to_datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from core.http import BadResponse, Client, HttpProblem, Response, Timeout, TooLarge
from core.masking import PHONE
from shipping.adapters.base import SAMPLE_LIMIT, Cause, TrackOutcome, TrackResult
from shipping.adapters.issuing import Issued, IssueOutcome

SEOUL: Final = ZoneInfo("Asia/Seoul")
TEXT_LIMIT: Final = 300
_LONGEST_WAIT: Final = 86_400
_ONLY_200: Final = frozenset({200})

_RATE_LIMIT = re.compile(r"rate.?limit|too many requests", re.IGNORECASE)
# Messages of services whose code numbers nobody published are told apart by their words (shipping.md 1.2).
_ABOUT_QUOTA = re.compile(
    r"rate.?limit|too many|quota|limited.?number|한도|초과|호출\s*횟수|사용\s*건수", re.IGNORECASE
)
_ABOUT_ACCOUNT = re.compile(
    r"key|access.?denied|unregistered.?ip|deadline.?has.?expired|인증|권한|보안키|고객번호|계약", re.IGNORECASE
)
_ABOUT_SHAPE = re.compile(r"자리|형식|숫자")
_ABOUT_NUMBER = re.compile(r"운송장|송장|등기|조회\s*결과|조회된|미등록|no.?data|nodata", re.IGNORECASE)
# Fields about people, and what they bought, in the answers of every source that we know (shipping.md 1.2 to 1.5, 8).
_PEOPLE = (
    r"[\w.-]{0,30}(?:send|rece?i?v|rcv|recip|rec(?:nm|tel|mob|addr)|acptr|emp_?n|emp_?t|mann|manp|itemn|gds_?nm|goodsn"
    r"|product|addr|tel|mobile|phone|contact)[\w.-]{0,30}"
)
_IN_JSON = re.compile(rf'("{_PEOPLE}"\s*:\s*)(?:"(?:[^"\\]|\\.)+"?|\{{[^}}]*\}}?)', re.IGNORECASE)
_IN_XML = re.compile(rf"(<{_PEOPLE}>)(?:<!\[CDATA\[.*?(?:\]\]>|$)|[^<]+)", re.IGNORECASE | re.DOTALL)
# "(담당사원:홍길동 010-1234-5678)" in a sentence; what follows such a word may be a state as well (담당자: 미배정).
_ROLE = r"(?:담당(?:사원|기사|직원|자)?|(?:배송|배달|집하|집배|택배)(?:사원|기사|원)|사원|기사|직원|인수자)(?:명|님)?"
_NAME = r"(?!부재|미|없|배정|등록|변경|완료|예정|취소|본인|가족|경비|문\s?앞)[가-힣*]{2,5}(?![가-힣])"
_PERSON = re.compile(rf"({_ROLE}(?:\s?[:：]\s?|\s(?={_NAME}[\s(]{{0,2}}(?:{PHONE}))))({_NAME})")
_PHONE = re.compile(PHONE)
_TIME = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})?")


def unavailable(cause: Cause, detail: str, sample: str = "") -> TrackResult:
    """No answer, or none of use."""
    return TrackResult(outcome=TrackOutcome.UNAVAILABLE, cause=cause, detail=detail[:TEXT_LIMIT], sample=sample)


def malformed(
    detail: str, told: Response | Mapping[str, Any] | None = None, *, secrets: Collection[str] = ()
) -> TrackResult:
    """An answer that cannot be read; its start is kept, without the `secrets` of the account and without people.

    `told` is the answer, or the document that was read of it.
    """
    if told is None:
        return unavailable(Cause.MALFORMED, detail)
    text = readable_text(told) if isinstance(told, Response) else jsonlib.dumps(told, ensure_ascii=False)
    return unavailable(Cause.MALFORMED, detail, without_people(hidden(text[:SAMPLE_LIMIT], secrets)))


def refused(detail: str) -> TrackResult:
    """The account is not welcome."""
    return TrackResult(outcome=TrackOutcome.AUTH, detail=detail[:TEXT_LIMIT])


def rate_limited(response: Response) -> TrackResult:
    """Too many calls; the wait is what the answer's header names."""
    wait = _seconds(response.headers.get("retry-after", ""))
    return TrackResult(outcome=TrackOutcome.RATE_LIMITED, retry_after=wait, detail=f"HTTP {response.status}")


def call(
    client: Client,
    method: str,
    path: str,
    *,
    is_repeatable: bool,
    readable: Collection[int] = _ONLY_200,
    secrets: Collection[str] = (),
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str | int] | None = None,
    json: Any = None,
    fields: Mapping[str, str | int] | None = None,
    timeout: tuple[float, float] | None = None,
) -> Response | TrackResult:
    """호출: an answer whose status is `readable`, or the failure; `is_repeatable` as in `sent`."""
    response = sent(
        client, method, path, is_repeatable=is_repeatable,
        headers=headers, params=params, json=json, fields=fields, timeout=timeout,
    )  # fmt: skip
    if isinstance(response, TrackResult):
        return response
    return failure_of_status(response, readable=readable, secrets=secrets) or response


def sent(client: Client, method: str, path: str, *, is_repeatable: bool, **request: Any) -> Response | TrackResult:
    """보내기: an answer of whatever status, or why there is none; `request` is what `Client.request` takes.

    `is_repeatable` only for a call that changes nothing there: a connection that was closed while idle is tried again.
    """
    try:
        return client.request(method, path, is_repeatable=is_repeatable, **request)
    except HttpProblem as problem:
        return failure_of_connection(problem)


def failure_of_connection(problem: HttpProblem) -> TrackResult:
    """The outcome of a call that got no usable answer."""
    if isinstance(problem, Timeout):
        return unavailable(Cause.TIMEOUT, str(problem))
    if isinstance(problem, BadResponse | TooLarge):
        return malformed(str(problem))
    return unavailable(Cause.UNREACHABLE, str(problem))


def failure_of_status(
    response: Response, *, readable: Collection[int] = _ONLY_200, secrets: Collection[str] = ()
) -> TrackResult | None:
    """The outcome of a status that says enough by itself; None where the body must be read."""
    status = response.status
    if status == 429 or (status == 403 and _RATE_LIMIT.search(response.text()[:SAMPLE_LIMIT])):
        return rate_limited(response)
    if status in {401, 403}:
        return refused(f"HTTP {status}")
    if status >= 500:
        return unavailable(Cause.SERVER, f"HTTP {status}")
    return None if status in readable else malformed(f"HTTP {status}", response, secrets=secrets)


def is_rate_limit(message: str) -> bool:
    """Does an error text speak of too many calls?"""
    return _RATE_LIMIT.search(message) is not None


def failure_of_message(message: str, response: Response | None = None, *, code: str = "") -> TrackResult:
    """The outcome of an error that only its words explain; `message` and `code` hold no secrets any more.

    A `response` may name the wait in its header.
    """
    detail = f"{code}: {message}" if code else message
    if _ABOUT_QUOTA.search(message):
        wait = rate_limited(response).retry_after if response else None
        return TrackResult(outcome=TrackOutcome.RATE_LIMITED, retry_after=wait, detail=detail[:TEXT_LIMIT])
    if _ABOUT_ACCOUNT.search(message):
        return refused(detail)
    if _ABOUT_SHAPE.search(message):
        return TrackResult(outcome=TrackOutcome.BAD_NUMBER, detail=detail[:TEXT_LIMIT])
    # A number that is "not valid" may only be not scanned yet: asking goes on.
    if _ABOUT_NUMBER.search(message):
        return TrackResult(outcome=TrackOutcome.NOT_FOUND, detail=detail[:TEXT_LIMIT])
    return unavailable(Cause.SERVER, detail or "an error without words")


def not_issued(failure: TrackResult, *, message: str = "") -> Issued:
    """발급 실패: the same failure as an issuer tells it; whatever may have been done is UNKNOWN."""
    outcomes = {TrackOutcome.RATE_LIMITED: IssueOutcome.LIMITED, TrackOutcome.AUTH: IssueOutcome.AUTH}
    return Issued(
        outcome=outcomes.get(failure.outcome, IssueOutcome.UNKNOWN),
        retry_after=failure.retry_after,
        message=message,
        detail=failure.detail,
        sample=failure.sample,
    )


def rejected(message: str, *, detail: str = "") -> Issued:
    """발급 거절: `message` says in Korean what is wrong and what to do."""
    return Issued(outcome=IssueOutcome.REJECTED, message=message, detail=detail)


def hidden(text: str, secrets: Collection[str]) -> str:
    """The text without the keys of the account, which some services repeat in their errors."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text


def without_people(text: str) -> str:
    """The start of a body, which may end anywhere, without what its fields about people hold."""
    return _IN_XML.sub(r"\1***", _IN_JSON.sub(r'\1"***"', text))


def checked_secret(name: str, value: str, *, least: int = 1) -> str:
    """A key as it can be sent: printable ASCII of at least so many signs. Raises ValueError, without showing it."""
    if len(value) < least or not value.isascii() or not value.isprintable():
        raise ValueError(f"{name} must be printable ASCII of {least} signs or more")
    return value


def readable_text(response: Response) -> str:
    """The body as text: UTF-8, else the Korean charset, else what can be read of it."""
    for charset in ("utf-8-sig", "cp949"):
        try:
            return response.body.decode(charset)
        except UnicodeDecodeError:
            continue
    return response.text()


def document_of(response: Response) -> Any:
    """The body as JSON, in whichever charset. Raises BadResponse."""
    try:
        return jsonlib.loads(readable_text(response))
    except (ValueError, RecursionError):
        raise BadResponse("the answer is not JSON") from None


def is_same_number(told: Any, number: str) -> bool:
    """False when an answer names another number than the one that was asked about."""
    text = clean(told)
    return not text or re.sub(r"[^0-9A-Z]", "", text.upper()) == number.upper()


def is_code(number: str) -> bool:
    """ASCII letters and digits only, as every number is that can be asked about."""
    return number.isascii() and number.isalnum()


def clean(value: Any) -> str:
    """Text on one line without control characters and broken surrogates, cut; numbers as text, all else empty."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return ""
    return one_line(value[: TEXT_LIMIT * 4])[:TEXT_LIMIT].strip()


def sentence(value: Any) -> str:
    """What a courier says of a scan: clean, without the driver's name and without telephone numbers."""
    return _PHONE.sub("***", _PERSON.sub(r"\1***", clean(value)))


def one_line(text: str) -> str:
    """The whole text on one line, without control characters and broken surrogates."""
    plain = " ".join(text.split())
    return plain if plain.isprintable() else "".join(char for char in plain if char.isprintable()).strip()


def digits_in(value: Any) -> str:
    """The ASCII digits of a text or number."""
    return "".join(char for char in clean(value) if char in "0123456789")


def moment(value: Any) -> datetime | None:
    """Aware time in UTC of ISO 8601; without an offset Korean time; None for anything else or outside this century."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value.strip())
        found = (found if found.tzinfo else found.replace(tzinfo=SEOUL)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if 2000 <= found.year < 2100 else None


def epoch_moment(value: Any) -> datetime | None:
    """Aware time in UTC of milliseconds since 1970, as number or digits; None for anything unusable."""
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value.strip()[:20])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = datetime.fromtimestamp(value / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found if 2000 <= found.year < 2100 else None


def korean_moment(day: Any, at: Any) -> tuple[datetime | None, bool]:
    """Aware time in UTC of a Korean date and time in any spelling of their digits, and whether only the date is known.

    `20261120`, `2026.11.20` or `2026-11-20` with `1830`, `18:30`, `183000`; a time such as `------` leaves the date.
    """
    date_digits, time_digits = digits_in(day), digits_in(at)
    try:
        date = datetime.strptime(date_digits, "%Y%m%d").date() if len(date_digits) == 8 else None
    except ValueError:
        date = None
    if date is None or not 2000 <= date.year < 2100:
        return None, False
    found = _TIME.fullmatch(time_digits)
    try:
        hour = clock(int(found[1]), int(found[2]), int(found[3] or 0)) if found else None
    except ValueError:
        hour = None
    local = datetime.combine(date, hour or clock(), SEOUL)
    return local.astimezone(UTC), hour is None


def _seconds(text: str) -> int | None:
    """Retry-After as seconds, whichever of its two forms it takes."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), _LONGEST_WAIT)
    try:
        wait = parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return max(0, min(round(wait), _LONGEST_WAIT))
