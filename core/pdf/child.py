"""The limited process that draws documents: `python -m core.pdf.child`, job on stdin, document on stdout.

A document that would take all memory or never end does so here, not in a process that answers people. No Django: it
starts in a tenth of a second. Input: one line of JSON (template, output), then the data as JSON. Output: one line of
JSON, {"problem": …} or {"pages": …}, then the bytes. System fonts are ignored and no package is ever loaded, so that
the same data give the same page on every machine.
"""

import json
import os
import re
import sys
from pathlib import Path
from typing import BinaryIO

import pylopdf_fonts_ko
import pypdfium2
import typst

from core.children import limit
from core.pdf import limits

FONTS = os.path.dirname(pylopdf_fonts_ko.__file__)
POINTS_PER_MM = 72 / 25.4
_RUN = re.compile(r"([0-9A-F])\1{2,}")
_DARK = bytes(b"1"[0] if grey < 128 else b"0"[0] for grey in range(256))


def draw(template: Path, data: str) -> bytes:
    """PDF of a template; `data` is JSON that the template reads as values, never as source text."""
    compiled = typst.compile(
        template,
        root=template.parent,
        font_paths=[Path(FONTS)],
        ignore_system_fonts=True,
        sys_inputs={"data": data},
        format="pdf",
        # A label has no reading order to tell; without tags it is drawn in a third less time.
        pdf_tags=False,
    )
    return bytes(compiled)


def page_count(pdf: bytes) -> int:
    """쪽수."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return len(document)
    finally:
        document.close()


def zpl(pdf: bytes) -> bytes:
    """ZPL of every page: the whole page as one picture of 203 dpi, so that the printer needs no Korean font."""
    document = pypdfium2.PdfDocument(pdf)
    # A hair less: pdfium rounds up, and a page of 800.0001 dots would be stretched over 801.
    scale = limits.DOTS_PER_MM / POINTS_PER_MM * (1 - 1e-5)
    try:
        return b"".join(_zpl_page(document[number], scale) for number in range(len(document)))
    finally:
        document.close()


def _zpl_page(page: pypdfium2.PdfPage, scale: float) -> bytes:
    bitmap = page.render(scale=scale, grayscale=True)
    width, height, stride = bitmap.width, bitmap.height, bitmap.stride
    grey = bytes(bitmap.buffer).translate(_DARK)
    bitmap.close()
    page.close()
    across = (width + 7) // 8
    rows = (
        int(grey[start : start + width].ljust(across * 8, b"0"), 2).to_bytes(across, "big").hex().upper()
        for start in range(0, stride * height, stride)
    )
    picture = "\n".join(_packed(rows))
    total = across * height
    return f"^XA^PW{width}^LL{height}^LH0,0^FO0,0^GFA,{total},{total},{across},\n{picture}\n^FS^XZ\n".encode("ascii")


def _packed(rows: object) -> list[str]:
    """Rows of hex as ZPL shortens them: `,` for the rest of a row in white, `:` for the row before once more."""
    found: list[str] = []
    before = None
    for row in rows:  # type: ignore[attr-defined]
        bare = row.rstrip("0")
        # A comma fills from a whole byte on.
        bare += "0" * (len(bare) % 2)
        short = _RUN.sub(_run, bare)
        found.append(":" if row == before else short if len(bare) == len(row) else f"{short},")
        before = row
    return found


def _run(match: re.Match[str]) -> str:
    """A run of one digit: g to z count by 20, G to Y by one."""
    length, digit = len(match[0]), match[1]
    most, rest = divmod(length, 400)
    scores, ones = divmod(rest, 20)
    return "z" * most + (chr(ord("f") + scores) if scores else "") + (chr(ord("F") + ones) if ones else "") + digit


def main(source: BinaryIO, target: BinaryIO) -> int:
    """Draw, answer, exit code 0; a template's error is an answer too."""
    options = json.loads(source.readline())
    data = source.read().decode()
    try:
        pdf = draw(Path(options["template"]), data)
        pages = page_count(pdf)
        if pages > limits.MAX_PAGES:
            answer, body = {"problem": "pages"}, b""
        else:
            answer, body = {"pages": pages}, zpl(pdf) if options["output"] == "zpl" else pdf  # type: ignore[dict-item]
    except MemoryError:
        answer, body = {"problem": "memory"}, b""
    except typst.TypstError as error:
        answer, body = {"problem": "template", "text": str(error)[:500]}, b""
    target.write(json.dumps(answer).encode() + b"\n" + body)
    target.flush()
    return 0


if __name__ == "__main__":
    limit(memory=limits.CHILD_MEMORY, seconds=limits.CHILD_SECONDS)
    sys.exit(main(sys.stdin.buffer, sys.stdout.buffer))
