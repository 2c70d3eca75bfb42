"""Passwords of workbooks: real encryption (ECMA-376 agile), not the sheet protection that any reader ignores."""

import io
import zipfile
from os import PathLike
from pathlib import Path

from msoffcrypto import OfficeFile
from msoffcrypto.exceptions import DecryptionError, InvalidKeyError
from msoffcrypto.format.ooxml import OOXMLFile

from core.excel.problems import FileProblem

_SMALLEST = 4_200

MAX_PASSWORD = 255
"""Characters Excel accepts in a password."""


def encrypt(source: bytes | str | PathLike[str], password: str) -> bytes:
    """암호 걸기: an xlsx (bytes or path) encrypted with the password, as Excel opens it.

    Raises ValueError for an empty or overlong password: a file without protection must not leave by accident.
    Holds the file in memory. Source: domain.md 5 row 4.
    """
    if not 1 <= len(password) <= MAX_PASSWORD:
        raise ValueError(f"a password has 1 to {MAX_PASSWORD} characters")
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    target = io.BytesIO()
    OOXMLFile(io.BytesIO(_large_enough(data))).encrypt(password, target)
    return target.getvalue()


def _large_enough(data: bytes) -> bytes:
    # msoffcrypto 6.1.0 writes a package of 4,088 bytes and less where no reader finds it. Stored instead of deflated
    # parts are as valid and make the smallest workbook of ours larger than that; the comment is for foreign ones.
    if len(data) > _SMALLEST:
        return data
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as package:
        for name in source.namelist():
            package.writestr(name, source.read(name))
        package.comment = b" " * max(_SMALLEST - target.tell(), 0)
    return target.getvalue()


def decrypt(source: bytes | str | PathLike[str], password: str) -> bytes:
    """암호 풀기: the plain workbook (xlsx, xlsb or xls) behind the password.

    Raises FileProblem: file_password when none was given, file_password_wrong, file_password_kind for a scheme nobody
    here can open, file_broken. Meant for files of our own or inside the limited child: a hostile file can ask for hours
    of key derivation.
    """
    if not password:
        raise FileProblem("file_password")
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    target = io.BytesIO()
    try:
        file = OfficeFile(io.BytesIO(data))
        if isinstance(file, OOXMLFile):
            file.load_key(password=password[:MAX_PASSWORD], verify_password=True)
        else:
            file.load_key(password=password[:MAX_PASSWORD])
        file.decrypt(target)
    except InvalidKeyError:
        raise FileProblem("file_password_wrong") from None
    except DecryptionError:
        raise FileProblem("file_password_kind") from None
    except MemoryError:
        raise
    except Exception as error:  # the parser meets arbitrary bytes and fails in every way there is
        raise FileProblem("file_broken") from error
    return target.getvalue()
