"""바코드: Code 128 and QR as one SVG path each, so that a document stays vectors whatever its printer.

The tables of symbols are python-barcode's, the squares are drawn by zxing-cpp.
"""

import re
from typing import Any, Literal

import zxingcpp
from barcode.charsets import code128 as tables

Charset = Literal["A", "B", "C"]
QUIET = 10
"""Empty modules on each side of a Code 128 (ISO/IEC 15417)."""
_TERMINATOR = "11"
_RUN = re.compile("1+")
_SQUARE = re.compile(r'<svg width="(\d+)".*?<path d="([^"]+)"', re.DOTALL)
"""Side and bars in what zxing-cpp draws; the white ground under them is left out."""


def code128_bits(text: str, *, charset: Charset) -> str:
    """모듈: `1` for black and `0` for white, from the first to the last bar, without the quiet zones.

    C takes an even number of digits, and an odd one by a switch to B before the last digit. Raises ValueError for a
    character that the set does not have.
    """
    values = [tables.START_CODES[charset], *_values(text, charset)]
    check = sum(value * max(place, 1) for place, value in enumerate(values)) % 103
    return "".join(tables.CODES[value] for value in (*values, check)) + tables.STOP + _TERMINATOR


def _values(text: str, charset: Charset) -> list[int]:
    if not text:
        raise ValueError("an empty text has no code")
    if charset != "C":
        return [_symbol(letter, charset) for letter in text]
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text!r} is not digits alone")
    even = text[: len(text) // 2 * 2]
    pairs = [int(even[place : place + 2]) for place in range(0, len(even), 2)]
    return pairs if len(even) == len(text) else [*pairs, tables.C["TO_B"], _symbol(text[-1], "B")]


def _symbol(letter: str, charset: Charset) -> int:
    known: dict[str, int] = tables.A if charset == "A" else tables.B
    if letter not in known or len(letter) != 1:
        raise ValueError(f"{letter!r} is not in Code 128 {charset}")
    return known[letter]


def code128(text: str, *, charset: Charset) -> dict[str, Any]:
    """코드 128: {"svg", "modules"}; one unit of the picture is one module, quiet zones are inside."""
    bits = code128_bits(text, charset=charset)
    width = len(bits) + 2 * QUIET
    path = "".join(f"M{start + QUIET} 0h{length}v1h-{length}z" for start, length in _runs(bits))
    return {"svg": _svg(path, width, 1), "modules": width}


def qr(text: str) -> dict[str, Any]:
    """QR: {"svg", "modules"} of the smallest square with error level M, quiet zone inside."""
    drawn = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M").to_svg()
    found = _SQUARE.search(drawn)
    assert found is not None
    side = int(found[1])
    return {"svg": _svg(found[2], side, side), "modules": side}


def _runs(bits: str) -> list[tuple[int, int]]:
    """(first module, modules) of each black run."""
    return [(run.start(), run.end() - run.start()) for run in _RUN.finditer(bits)]


def _svg(path: str, width: int, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' preserveAspectRatio="none"><path d="{path}"/></svg>'
    )
