"""How CJ says no."""

from typing import Any


class Refusal(Exception):
    """RESULT_CD other than S."""

    def __init__(self, detail: str, code: str = "E", *, data: Any = None) -> None:
        super().__init__(detail)
        self.code = code
        self.document = {"RESULT_CD": code, "RESULT_DETAIL": detail} | ({} if data is None else {"DATA": data})
