"""한진 OpenAPI: two hosts, one signature (shipping.md 1.5).

The header signs time, method, query and the secret; the body is not signed. Times are Korean.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from core.http import BadResponse, Client
from shipping.adapters.base import TrackResult
from shipping.adapters.wire import SEOUL, call, checked_secret, clean, document_of, hidden, malformed

PRINT_URL: Final = "https://ebbapd.hjt.co.kr"
"""Gives numbers and routing; the address of the host that books and tracks comes with the contract (staging:
https://api-stg.hanjin.com)."""
OK: Final = "OK"
_READABLE: Final = frozenset({200, 400})
_CODES = ("resultCode", "result_code")
_MESSAGES = ("resultMessage", "result_message")


def signature(*, secret: str, timestamp: str, method: str, query: str = "") -> str:
    """서명: lower-case hex of HMAC-SHA256 over timestamp, method, query (without `?`) and the secret itself."""
    message = f"{timestamp}{method}{query}{secret}"
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


class HanjinHost:
    """한진 호스트: one of the two, with the keys of one customer."""

    def __init__(
        self, client: Client, *, client_id: str, api_key: str, secret_key: str, now: Callable[[], datetime]
    ) -> None:
        """`now` gives an aware time. Raises ValueError for keys that cannot be sent."""
        self._client, self._now = client, now
        self.client_id = checked_secret("the client id of 한진", client_id)
        self._api_key = checked_secret("the API key of 한진", api_key)
        self._secret_key = checked_secret("the secret key of 한진", secret_key)

    @property
    def secrets(self) -> set[str]:
        """What must not be shown."""
        return {self._api_key, self._secret_key}

    @property
    def today(self) -> str:
        """The Korean date as yyyyMMdd."""
        return self._now().astimezone(SEOUL).strftime("%Y%m%d")

    def ask(
        self,
        path: str,
        document: Mapping[str, Any],
        *,
        is_repeatable: bool,
        timeout: tuple[float, float] | None = None,
    ) -> dict[str, Any] | TrackResult:
        """호출: POST of a JSON object; the object that came back, or the failure."""
        answer = call(
            self._client,
            "POST",
            path,
            is_repeatable=is_repeatable,
            readable=_READABLE,
            secrets=self.secrets,
            headers=self._headers(),
            json=document,
            timeout=timeout,
        )
        if isinstance(answer, TrackResult):
            return answer
        try:
            found = document_of(answer)
        except BadResponse as problem:
            return malformed(str(problem), answer, secrets=self.secrets)
        if not isinstance(found, dict):
            return malformed("the answer is no object", answer, secrets=self.secrets)
        return found

    def result_of(self, values: Mapping[str, Any]) -> tuple[str, str]:
        """Result code and message: camel case on one host, snake case on the other; empty where there is none."""
        code = next((found for name in _CODES if (found := clean(values.get(name)))), "")
        message = next((found for name in _MESSAGES if (found := clean(values.get(name)))), "")
        return hidden(code, self.secrets), hidden(message, self.secrets)

    def _headers(self) -> dict[str, str]:
        timestamp = self._now().astimezone(SEOUL).strftime("%Y%m%d%H%M%S")
        signed = signature(secret=self._secret_key, timestamp=timestamp, method="POST")
        return {
            "Authorization": f"client_id={self.client_id} timestamp={timestamp} signature={signed}",
            "x-api-key": self._api_key,
        }
