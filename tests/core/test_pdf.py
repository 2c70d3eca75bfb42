"""Documents: codes are exact, the same data give the same page, and a runaway document ends in a sentence."""

import re
from pathlib import Path

import pytest

from core.pdf import PdfProblem, code128, qr, render_pdf, render_zpl
from core.pdf.codes import QUIET, code128_bits
from tests.fixtures.printing import pictures, words

PAGE = """
#let data = json(bytes(sys.inputs.data))
#set page(width: 80mm, height: 40mm, margin: 0mm)
#set text(font: "Noto Sans KR", size: 12pt)
#place(top + left, dx: 2mm, dy: 2mm, image(bytes(data.code.svg), format: "svg", width: data.code.modules * 0.375mm,
  height: 12mm, fit: "stretch"))
#place(top + left, dx: 2mm, dy: 20mm, text(data.text))
"""


@pytest.fixture
def template(tmp_path):
    def write(source=PAGE):
        path = tmp_path / "page.typ"
        path.write_text(source)
        return path

    return write


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("680000000011", "C"),
        ("6892058349240", "C"),
        ("5D32", "A"),
        ("LP257594783SG", "B"),
        ("D-20260921-0000017-00", "B"),
    ],
)
def test_a_scanner_reads_what_was_encoded_at_203_dpi(template, text, charset):
    pdf = render_pdf(template(PAGE.replace("80mm", "130mm")), {"code": code128(text, charset=charset), "text": ""})
    [page] = pictures(pdf)
    assert page.codes() == {("Code128", text)}


def test_code_c_holds_two_digits_in_a_symbol():
    # Start, six pairs, check and stop: nine symbols of eleven modules and the two of the terminator.
    assert len(code128_bits("680000000011", charset="C")) == 9 * 11 + 2
    assert code128("680000000011", charset="C")["modules"] == 101 + 2 * QUIET


@pytest.mark.parametrize(("text", "charset"), [("", "C"), ("12a4", "C"), ("한글", "B"), ("abc", "A"), ("TO_B", "A")])
def test_what_a_set_does_not_hold_is_refused(text, charset):
    if text == "TO_B":
        # A name of the library's table is four letters of A, never a switch.
        assert len(code128_bits(text, charset="A")) == 7 * 11 + 2
        return
    with pytest.raises(ValueError):
        code128_bits(text, charset=charset)


def test_ten_modules_stay_white_on_each_side(template):
    [page] = pictures(render_pdf(template(), {"code": code128("680000000011", charset="C"), "text": ""}))
    row = page.row(8 * 8)
    first, last = row.find(bytes([0])), row.rfind(bytes([0]))
    start, width = 2 * 8, 121 * 3
    assert first - start == QUIET * 3
    assert start + width - 1 - last == QUIET * 3
    assert set(row[start:first]) == {255}


def test_qr_codes_are_read(template):
    source = PAGE.replace("data.code.modules * 0.375mm", "data.code.modules * 0.5mm").replace(
        "height: 12mm", "height: 16.5mm"
    )
    [page] = pictures(render_pdf(template(source), {"code": qr("D-20260921-0000017-00"), "text": ""}))
    assert page.codes() == {("QRCode", "D-20260921-0000017-00")}


def test_rare_syllables_are_drawn_and_data_is_never_source(template):
    text = '뷁 #read("/etc/passwd") $x$ *굵게* \\ "따옴표"'
    pdf = render_pdf(template(), {"code": code128("11", charset="C"), "text": text})
    assert "".join(text.split()) in words(pdf)[0]


def test_the_same_data_give_the_same_picture(template):
    data = {"code": code128("680000000011", charset="C"), "text": "가나다"}
    assert pictures(render_pdf(template(), data)) == pictures(render_pdf(template(), data))


def test_zpl_is_one_picture_of_the_page(template):
    data = {"code": code128("680000000011", charset="C"), "text": "뷁"}
    zpl = render_zpl(template(), data).decode("ascii")
    assert zpl.startswith("^XA^PW640^LL320^LH0,0^FO0,0^GFA,25600,25600,80,")
    assert zpl.endswith("^FS^XZ\n")
    assert unpacked(zpl) == [
        bytes(b < 128 for b in page.row(y)) for page in pictures(render_pdf(template(), data)) for y in range(320)
    ]


def unpacked(zpl):
    """Rows of a ^GFA picture as the printer's manual reads them: 1 for black."""
    across, body = re.search(r"\^GFA,\d+,\d+,(\d+),\n(.*)\n\^FS", zpl, re.S).groups()
    rows, digits = [], int(across) * 2
    for line in body.split("\n"):
        if line == ":":
            rows.append(rows[-1])
            continue
        text, times = "", 0
        for letter in line:
            if "G" <= letter <= "Y":
                times += ord(letter) - ord("F")
            elif "g" <= letter <= "z":
                times += (ord(letter) - ord("f")) * 20
            elif letter == ",":
                text = text.ljust(digits, "0")
            else:
                text += letter * max(times, 1)
                times = 0
        assert len(text) == digits
        rows.append(bytes(int(bit) for bit in f"{int(text, 16):0{digits * 4}b}"))
    return rows


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("#let data = 1\n#data.nothing", "인쇄 파일을 만들지 못했습니다."),
        ('#import "@preview/cetz:0.2.2"', "인쇄 파일을 만들지 못했습니다."),
        ('#read("../secret.txt")', "인쇄 파일을 만들지 못했습니다."),
        ("#for n in range(1300) { pagebreak(); [x] }", "인쇄할 내용이 너무 많습니다."),
    ],
)
def test_a_document_that_goes_wrong_ends_in_a_sentence(template, tmp_path, source, sentence):
    (tmp_path.parent / "secret.txt").write_text("secret")
    with pytest.raises(PdfProblem, match=re.escape(sentence)):
        render_pdf(template(source), {})


def test_a_template_must_exist():
    with pytest.raises(FileNotFoundError):
        render_pdf(Path("/nothing/here.typ"), {})
