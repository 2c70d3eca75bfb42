"""Files that people take away."""

from typing import TypeVar
from urllib.parse import quote

from django.http import HttpResponseBase

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Answer = TypeVar("Answer", bound=HttpResponseBase)


def as_download(answer: Answer, name: str, *, plain: str) -> Answer:
    """내려받기 응답: the file is kept under its Korean name, or as `plain` by a program that reads no Korean."""
    answer["Content-Disposition"] = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
    # A workbook is compressed already; compressing it again costs time and gains nothing.
    answer["Content-Encoding"] = "identity"
    answer["Cache-Control"] = "no-store"
    return answer
