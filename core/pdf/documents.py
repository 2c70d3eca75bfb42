"""인쇄물 그리기: typst in a limited child process (core/pdf/child.py), as the reader of files has one."""

import json
import logging
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.children import run_child
from core.exceptions import DomainError
from core.pdf import limits
from core.text import without_pictures

_logger = logging.getLogger(__name__)

TOO_LARGE = "인쇄할 내용이 너무 많습니다. 나누어 인쇄하세요."
FAILED = "인쇄 파일을 만들지 못했습니다. 잠시 뒤 다시 시도하고, 계속되면 관리자에게 알려 주세요."


class PdfProblem(DomainError):
    """인쇄 오류: the document could not be drawn, with the sentence for the person who asked for it."""

    code = "pdf_problem"
    status = 422


def render_pdf(template: Path, data: Mapping[str, Any]) -> bytes:
    """PDF 만들기: `data` must be JSON; the template finds it in `sys.inputs.data`. Raises PdfProblem."""
    return _render(template, data, output="pdf")


def render_zpl(template: Path, data: Mapping[str, Any]) -> bytes:
    """ZPL 만들기: the same pages for a thermal printer of 203 dpi, one ^XA…^XZ each. Raises PdfProblem."""
    return _render(template, data, output="zpl")


def _render(template: Path, data: Mapping[str, Any], *, output: str) -> bytes:
    body = json.dumps(_drawable(data), ensure_ascii=False, separators=(",", ":")).encode()
    if len(body) > limits.MAX_DATA:
        raise PdfProblem(TOO_LARGE)
    head = json.dumps({"template": str(template.resolve(strict=True)), "output": output}).encode() + b"\n"
    with tempfile.TemporaryFile() as answer:
        try:
            status = run_child("core.pdf.child", head + body, answer, wall=limits.CHILD_WALL)
        except subprocess.TimeoutExpired:
            raise PdfProblem(TOO_LARGE) from None
        answer.seek(0)
        found = json.loads(answer.readline() or b"{}")
        if status or "pages" not in found:
            # What the child says of a template's error may hold data; the code of the problem is enough.
            _logger.warning("pdf child ended with %d: %s", status, found.get("problem", "no answer"))
            raise PdfProblem(TOO_LARGE if found.get("problem") in {"pages", "memory"} else FAILED)
        return answer.read()


def _drawable(value: Any) -> Any:
    """The data without what the font has no letter for: an emoji would stand on the paper as an empty box."""
    if isinstance(value, str):
        return value if value.isascii() else without_pictures(value)
    if isinstance(value, Mapping):
        return {name: _drawable(one) for name, one in value.items()}
    return [_drawable(one) for one in value] if isinstance(value, list | tuple) else value
