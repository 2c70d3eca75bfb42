"""맡아 둔 파일: an uploaded file between two steps (password, sheet, columns), known to its owner by a signed token."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core import signing
from django.core.files.uploadedfile import UploadedFile

from core.excel import FileProblem, Table, clean_name, read_table
from core.excel.limits import MAX_BYTES
from core.exceptions import NotFound
from core.jobs import files

SALT = "core.held"
LIFETIME = timedelta(hours=24)
GONE = "올린 파일을 찾을 수 없습니다. 파일을 다시 골라 올려 주세요."


@dataclass(frozen=True, slots=True)
class HeldFile:
    """맡아 둔 파일: its bytes, the name its owner gave it, and the token that finds it again."""

    content: bytes
    name: str
    token: str


def hold(*, content: bytes, name: str, actor: Any) -> HeldFile:
    """맡기: store the file as it came, still encrypted when it was."""
    stored, _ = files.store([content])
    token = signing.dumps({"file": stored, "name": name[:200], "user": actor.pk}, salt=SALT)
    return HeldFile(content, name, token)


def take(*, upload: UploadedFile | None, token: str, actor: Any) -> HeldFile:
    """받기: what was sent now, else what is held since the step before. Raises FileProblem, NotFound."""
    if not upload:
        return find(token, actor=actor)
    if (upload.size or 0) > MAX_BYTES:
        raise FileProblem("file_too_large")
    return hold(content=upload.read(), name=clean_name(upload.name or ""), actor=actor)


def read(content: bytes, *, name: str, password: str = "", sheet: str = "") -> tuple[Table, bool]:
    """표 읽기: the chosen sheet, and whether it must be asked which of several is meant. Raises FileProblem.

    A choice that was made for another file is asked for anew.
    """
    try:
        table = read_table(content, filename=name, password=password, sheet=sheet or None)
    except FileProblem as problem:
        if problem.code != "file_sheet":
            raise
        table, sheet = read_table(content, filename=name, password=password), ""
    return table, not sheet and len(table.sheets) > 1


def find(token: str, *, actor: Any) -> HeldFile:
    """찾기. Raises NotFound for a token of somebody else, of yesterday, or of no file."""
    try:
        facts = signing.loads(token, salt=SALT, max_age=LIFETIME)
        path = files.path_of(facts["file"]) if facts["user"] == actor.pk else None
    except (signing.BadSignature, KeyError, TypeError, ValueError):
        path = None
    if path is None:
        raise NotFound(GONE)
    return HeldFile(path.read_bytes(), facts["name"], token)


def drop(held: HeldFile) -> None:
    """버리기: the file has become a preview with a copy of its own."""
    files.remove(signing.loads(held.token, salt=SALT)["file"])
