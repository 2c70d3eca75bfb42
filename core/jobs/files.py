"""Files of jobs: under OMS_DATA_DIR/files with random names, gone after their time."""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from django.conf import settings

PARTIAL = ".part"


def folder() -> Path:
    """작업 파일 폴더: made on first use, for the shop's own user only."""
    path: Path = Path(settings.OMS_DATA_DIR) / "files"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def path_of(name: str) -> Path | None:
    """작업 파일: the stored file of a random name, None when it is gone. Raises ValueError for anything but a name."""
    if not name or name != os.path.basename(name) or name.startswith("."):
        raise ValueError("not the name of a stored file")
    path = folder() / name
    return path if path.is_file() else None


def store(pieces: Iterable[bytes], *, suffix: str = "", check: Callable[[], None] = lambda: None) -> tuple[str, str]:
    """파일 저장: write pieces under a random name, complete or not at all; returns the name and its SHA-256.

    `check` is called after every piece and may stop the writing by raising. A full disk leaves nothing behind.
    """
    name = secrets.token_hex(16) + suffix
    partial = folder() / (name + PARTIAL)
    digest = hashlib.sha256()
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            for piece in pieces:
                file.write(piece)
                digest.update(piece)
                check()
            file.flush()
            os.fsync(file.fileno())
        partial.rename(folder() / name)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return name, digest.hexdigest()


def remove(name: str) -> None:
    """파일 지우기: nothing happens when it is gone already."""
    if name:
        (folder() / os.path.basename(name)).unlink(missing_ok=True)


def remove_older(*, than: datetime) -> int:
    """지난 파일 지우기: by the time of their last change, unfinished ones included; returns how many."""
    gone = 0
    for path in folder().iterdir():
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < than.timestamp():
                path.unlink()
                gone += 1
    return gone
