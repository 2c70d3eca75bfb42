"""What can be wrong with an uploaded file or one of its cells, each with the sentence staff read (ux.md 6.4)."""

from dataclasses import dataclass

from core.excel import limits
from core.exceptions import DomainError

_SAVE_AGAIN = "엑셀에서 새 xlsx 파일로 저장해 다시 올려 주세요."
_COPY_ROWS = "필요한 행만 새 파일에 복사해 다시 올려 주세요."

FILE_SENTENCES: dict[str, str] = {
    "file_empty": "파일에 내용이 없습니다. 올린 파일이 맞는지 확인하고 다시 올려 주세요.",
    "file_type": "xlsx, xls, csv 파일만 올릴 수 있습니다. 지금 올린 파일은 {found}입니다. " + _SAVE_AGAIN,
    "file_too_large": f"파일이 너무 큽니다. {limits.MAX_BYTES >> 20}MB까지 올릴 수 있습니다. 나누어 올려 주세요.",
    "file_unpacked": "압축을 풀면 너무 커지는 파일이라 열지 않았습니다. " + _COPY_ROWS,
    "file_entries": "파일 안에 든 항목이 너무 많아 열지 않았습니다. " + _COPY_ROWS,
    "file_macro": "매크로가 든 파일은 올릴 수 없습니다. 매크로 없는 xlsx 파일로 저장해 다시 올려 주세요.",
    "file_doctype": "파일에 허용하지 않는 선언(DOCTYPE)이 있어 열지 않았습니다. " + _SAVE_AGAIN,
    "file_broken": "파일이 손상되어 읽을 수 없습니다. " + _SAVE_AGAIN,
    "file_password": "암호가 걸린 파일입니다. 암호를 입력하세요.",
    "file_password_wrong": "암호가 맞지 않아 파일을 열지 못했습니다. 암호를 확인하고 다시 입력하세요.",
    "file_password_kind": "이 방식으로 암호를 건 파일은 열 수 없습니다. 암호를 풀고 " + _SAVE_AGAIN,
    "file_too_many": (
        f"한 번에 {limits.MAX_ROWS:,}행까지 올릴 수 있습니다. 지금은 {{rows:,}}행입니다. 파일을 나누어 올려 주세요."
    ),
    "file_too_wide": (
        f"한 번에 {limits.MAX_COLUMNS}열까지 올릴 수 있습니다. 지금은 {{columns:,}}열입니다. "
        "필요 없는 열을 지우고 다시 올려 주세요."
    ),
    "file_cell_too_long": "{row:,}행에 한 셀의 한도 32,767자를 넘는 글이 있습니다. 글을 줄여 다시 올려 주세요.",
    "file_too_much_text": "파일의 글이 너무 많아 읽지 못했습니다. " + _COPY_ROWS,
    "file_merged": "병합된 셀이 너무 많습니다. 병합을 풀고 다시 올려 주세요.",
    "file_encoding": "파일의 글자를 읽을 수 없습니다. UTF-8(쉼표로 분리) CSV 또는 xlsx 파일로 저장해 다시 올려 주세요.",
    "file_nul": (
        "파일에 NUL 글자가 섞여 글자가 깨졌습니다. 엑셀에서 UTF-8(쉼표로 분리) CSV 또는 xlsx 파일로 저장해 "
        "다시 올려 주세요."
    ),
    "file_quote": '{row:,}행 부근의 따옴표(")가 맞지 않습니다. 엑셀에서 xlsx 파일로 저장해 다시 올려 주세요.',
    "file_sheet": "고른 시트가 파일에 없습니다. 시트를 다시 골라 주세요.",
    "file_memory": "파일을 읽는 데 메모리가 너무 많이 필요해 멈췄습니다. " + _COPY_ROWS,
    "file_time": "파일을 읽는 데 시간이 너무 오래 걸려 멈췄습니다. " + _COPY_ROWS,
    "file_no_rows": "열 이름 아래에 읽을 행이 없습니다. 행이 든 파일과 시트가 맞는지 확인하고 다시 올려 주세요.",
    "file_no_columns": (
        "{names} 열을 찾지 못했습니다. 맞는 파일인지, 열 이름이 앞 30행 안에 있는지 확인하고 다시 올려 주세요."
    ),
    "file_no_header": "열 이름을 찾지 못했습니다. 앞 30행 안에 열 이름을 한 행으로 적어 다시 올려 주세요.",
}

ASKS_PASSWORD = frozenset({"file_password", "file_password_wrong"})
"""Problems that go away when the person types the password of the file."""

CELL_SENTENCES: dict[str, str] = {
    "precision": "16자리 이상의 숫자라 뒷자리가 사라졌습니다. 엑셀에서 셀 서식을 텍스트로 바꾸고 다시 입력해 주세요.",
    "exponent": "값이 지수 형식입니다. 엑셀에서 셀 서식을 텍스트로 바꾸고 다시 입력해 주세요.",
    "formula": "수식의 계산 결과가 파일에 없습니다. 엑셀에서 파일을 열어 저장하거나 값으로 붙여넣어 주세요.",
    "error": "셀에 엑셀 오류 값이 있습니다. 수식을 고치거나 값을 직접 입력해 주세요.",
    "merged": "병합된 셀이라 값이 없습니다. 병합을 풀고 각 행에 값을 넣어 주세요.",
    "number": "숫자로 읽을 수 없는 값입니다. 값을 다시 입력해 주세요.",
}


class FileProblem(DomainError):
    """파일 오류: a file that cannot be read, refused whole before anything was changed.

    `code` is a key of FILE_SENTENCES, `message` the Korean sentence: what, why, what to do.
    """

    status = 422

    def __init__(self, code: str, **facts: str | int) -> None:
        super().__init__(FILE_SENTENCES[code].format(**facts), code=code)
        self.facts = facts
        if code == "file_too_large":
            self.status = 413


@dataclass(frozen=True, slots=True)
class Problem:
    """셀 오류: why one value cannot be used; goes to the row's verdict and the error file."""

    code: str
    message: str


def cell_problem(code: str) -> Problem:
    """셀 오류 만들기: the Problem of one code of CELL_SENTENCES."""
    return Problem(code, CELL_SENTENCES[code])
