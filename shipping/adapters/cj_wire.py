"""CJ대한통운 택배 표준 API: one call, its day token, and what its answers mean (shipping.md 1.3).

Every call needs the day token twice, as header and in the body. The guide asks to wait a minute after a 401 before a
new token is asked for: this module never waits, it answers RATE_LIMITED with the seconds that the caller may wait.
"""

import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from core.http import BadResponse, Client, Response
from shipping.adapters.base import Cause, TrackOutcome, TrackResult
from shipping.adapters.wire import (
    SEOUL,
    checked_secret,
    clean,
    digits_in,
    document_of,
    failure_of_status,
    hidden,
    malformed,
    refused,
    sent,
    unavailable,
)

LIVE_URL: Final = "https://dxapi.cjlogistics.com:5052"
TOKEN_GAP: Final = 1.0
"""Seconds between two token calls of a contract: one guide blocks more than one, another more than two in a second."""
REFUSED_WAIT: Final = 60
"""Seconds after a 401 until a new token may be asked for."""
_MARGIN: Final = timedelta(seconds=5)
_LONGEST: Final = timedelta(hours=24)
_SHORTEST: Final = timedelta(minutes=10)
_PROVEN: Final = timedelta(minutes=10)
_BUSINESS_DIGITS: Final = 10
_CODE = re.compile(r"-200[0-9]{2}(?![0-9])")
_ORA = re.compile(r"ORA-[0-9]{5}")
_TOKEN_WORDS = re.compile(r"TOKEN|토큰", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class DayToken:
    """일일 토큰: the key of one day."""

    number: str = field(repr=False)
    got_at: datetime
    expires_at: datetime
    is_renewed: bool = False
    """It came after another one had been refused; when it is refused at once too, the account is not welcome."""


class TokenStore(Protocol):
    """토큰 보관: where the token of one contract is kept; processes that share a store share the token.

    Keep it out of logs and backups: whoever has the token can book parcels for a day.
    """

    def load(self) -> DayToken | None:
        """The newest token, also one that has expired; None after `refuse`."""
        ...

    def save(self, token: DayToken) -> None:
        """Keep a token in place of the last one."""
        ...

    def refuse(self, number: str, *, wait: float) -> None:
        """CJ refused this token: forget it, unless another one is kept, and give no turn for so many seconds."""
        ...

    def take_turn(self, *, gap: float) -> float:
        """May a token be asked for now? 0.0 and the turn is taken, for `gap` seconds; else the seconds to wait."""
        ...

    def was_refused(self) -> bool:
        """Was a token refused since the last `save`?"""
        ...


class MemoryTokenStore:
    """토큰 보관 of one process; CJ gives the same token again while it lives, so that several may each ask."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._token: DayToken | None = None
        self._is_refused = False
        self._next_turn = -math.inf

    def load(self) -> DayToken | None:
        """The newest token."""
        return self._token

    def save(self, token: DayToken) -> None:
        """Keep it."""
        with self._lock:
            self._token, self._is_refused = token, False

    def refuse(self, number: str, *, wait: float) -> None:
        """Forget it and give no turn for a while; a token that was replaced meanwhile stays."""
        with self._lock:
            if self._token is None or self._token.number != number:
                return
            self._token, self._is_refused = None, True
            self._next_turn = max(self._next_turn, self._clock() + wait)

    def take_turn(self, *, gap: float) -> float:
        """0.0 for one caller in `gap` seconds."""
        with self._lock:
            now = self._clock()
            if now < self._next_turn:
                return self._next_turn - now
            self._next_turn = now + gap
            return 0.0

    def was_refused(self) -> bool:
        """Since the last token was kept."""
        return self._is_refused


@dataclass(frozen=True)
class Said:
    """응답: a result that can be read; `is_done` when its code begins with S."""

    is_done: bool
    code: str
    """-200xx where the answer names one, in either field; ORA-xxxxx; else what stands in RESULT_CD."""
    detail: str
    """RESULT_DETAIL, cleaned."""
    data: Any
    response: Response


class CjWire:
    """CJ 통신: one contract customer. Nothing is raised; a failure is a TrackResult."""

    def __init__(
        self,
        client: Client,
        *,
        customer: str,
        business: str,
        tokens: TokenStore,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`business` is the business number that is billed. Raises ValueError for what cannot be sent."""
        self.customer = checked_secret("the customer id of CJ", customer)
        self._business = digits_in(business)
        if len(self._business) != _BUSINESS_DIGITS:
            raise ValueError("the business number of CJ must have ten digits")
        self._client, self._tokens, self.now = client, tokens, now
        # Threads that begin together wait for the one token instead of being told to come back.
        self._one_asks = threading.Lock()

    def call(
        self,
        operation: str,
        data: Mapping[str, Any],
        *,
        is_repeatable: bool,
        timeout: tuple[float, float] | None = None,
    ) -> Said | TrackResult:
        """호출: send `{"DATA": data}` with the token; `is_repeatable` only for a call that changes nothing at CJ."""
        with self._one_asks:
            token = self._token(timeout)
        if isinstance(token, TrackResult):
            return token
        document = {"DATA": {**data, "TOKEN_NUM": token.number}}
        headers = {"CJ-Gateway-APIKey": token.number}
        response = self._send(operation, document, headers, is_repeatable=is_repeatable, timeout=timeout)
        if isinstance(response, TrackResult):
            return response
        if response.status == 401:
            return self._refused(token)
        said = failure_of_status(response, secrets=self._secrets(token)) or _read(response, self._secrets(token))
        if isinstance(said, Said) and not said.is_done and _TOKEN_WORDS.search(said.detail):
            return self._refused(token)
        return said

    def _secrets(self, token: DayToken | None = None) -> tuple[str, ...]:
        return (self._business, token.number if token else "")

    def _send(
        self,
        operation: str,
        document: Mapping[str, Any],
        headers: Mapping[str, str],
        *,
        is_repeatable: bool,
        timeout: tuple[float, float] | None,
    ) -> Response | TrackResult:
        facts: dict[str, Any] = {"headers": headers, "json": document, "timeout": timeout}
        return sent(self._client, "POST", f"/{operation}", is_repeatable=is_repeatable, **facts)

    def _refused(self, token: DayToken) -> TrackResult:
        """A token that worked is renewed after a wait; a new one that never worked means the account."""
        self._tokens.refuse(token.number, wait=REFUSED_WAIT)
        if token.is_renewed and self.now() - token.got_at < _PROVEN:
            return refused("a renewed day token was refused too")
        return TrackResult(
            outcome=TrackOutcome.RATE_LIMITED, retry_after=REFUSED_WAIT, detail="the day token was refused"
        )

    def _token(self, timeout: tuple[float, float] | None) -> DayToken | TrackResult:
        token = self._tokens.load()
        if token is not None and token.expires_at - _MARGIN > self.now():
            return token
        wait = self._tokens.take_turn(gap=TOKEN_GAP)
        if wait > 0:
            # Somebody else has just been given a turn, and perhaps the token.
            token = self._tokens.load()
            if token is not None and token.expires_at - _MARGIN > self.now():
                return token
            return TrackResult(
                outcome=TrackOutcome.RATE_LIMITED, retry_after=math.ceil(wait), detail="no turn for a day token"
            )
        return self._new_token(timeout)

    def _new_token(self, timeout: tuple[float, float] | None) -> DayToken | TrackResult:
        document = {"DATA": {"CUST_ID": self.customer, "BIZ_REG_NUM": self._business}}
        response = self._send("ReqOneDayToken", document, {}, is_repeatable=False, timeout=timeout)
        if isinstance(response, TrackResult):
            return response
        said = failure_of_status(response, secrets=self._secrets()) or _read(response, self._secrets())
        if isinstance(said, TrackResult):
            return said
        if not said.is_done:
            return failure_of_result(said) if _ORA.fullmatch(said.code) else refused(f"no day token: {said.detail}")
        number = clean(said.data.get("TOKEN_NUM")) if isinstance(said.data, Mapping) else ""
        if not number or not number.isascii() or not number.isprintable():
            return malformed("no day token in the answer")
        return self._kept(number, said.data.get("TOKEN_EXPRTN_DTM"))

    def _kept(self, number: str, until: Any) -> DayToken:
        """What stands in the answer about the end of the token counts only where it can be true."""
        now = self.now()
        expires = _moment(until) or now + _SHORTEST
        expires = expires if expires > now else now + _SHORTEST
        token = DayToken(
            number=number,
            got_at=now,
            expires_at=min(expires, now + _LONGEST),
            is_renewed=self._tokens.was_refused(),
        )
        self._tokens.save(token)
        return token


def failure_of_result(said: Said) -> TrackResult:
    """An error of CJ's own database or program."""
    return unavailable(Cause.SERVER, f"{said.code}: {said.detail}")


def is_database_error(said: Said) -> bool:
    """Is it an error of Oracle, whatever it says?"""
    return _ORA.fullmatch(said.code) is not None


def entries_of(data: Any) -> list[Any] | None:
    """The list in DATA, which may be one object, or missing where there is nothing; None for anything else."""
    if isinstance(data, Mapping) and isinstance(data.get("ARRAY"), list):
        data = data["ARRAY"]
    if data is None or data == "" or data == {}:
        return []
    if isinstance(data, Mapping):
        return [data]
    return data if isinstance(data, list) else None


def _read(response: Response, secrets: tuple[str, ...]) -> Said | TrackResult:
    """RESULT_CD and what belongs to it; the charset is UTF-8, or EUC-KR for some error texts."""
    try:
        document = document_of(response)
    except BadResponse as problem:
        return malformed(str(problem), response, secrets=secrets)
    if not isinstance(document, dict):
        return malformed("the answer is no object", response, secrets=secrets)
    result, detail = clean(document.get("RESULT_CD")), hidden(clean(document.get("RESULT_DETAIL")), secrets)
    if not result:
        return malformed("no RESULT_CD in the answer", response, secrets=secrets)
    if result.upper().startswith("S"):
        return Said(True, "S", detail, document.get("DATA"), response)
    named = _CODE.search(f"{result} {detail}") or _ORA.search(f"{result} {detail}")
    if named is None and not result.upper().startswith("E"):
        return malformed(f"RESULT_CD {result} is unknown", response, secrets=secrets)
    return Said(False, named[0] if named else result, detail, document.get("DATA"), response)


def _moment(value: Any) -> datetime | None:
    """yyyyMMddHHmmss of Korea as aware time; None for anything else."""
    try:
        return datetime.strptime(digits_in(value), "%Y%m%d%H%M%S").replace(tzinfo=SEOUL).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
