"""거래내역 파일: statements of Korean banks, told apart by the names of their columns; only what came in is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from core.excel import FileProblem, Header, Problem, Table, find_header
from core.excel.values import amount, datetime_, text
from payments.services.deposits.bank import BankRow

# Best first. 국민, 신한, 우리, 하나, 농협, 기업, 카카오뱅크, 토스뱅크 and what accounting programs make of them.
TARGETS: Mapping[str, Sequence[str]] = {
    "at": ("거래일시", "거래 일시", "거래일자시간", "거래일자", "거래일", "일시", "날짜"),
    "time": ("거래시간", "거래시각", "시간", "시각"),
    "in": ("입금액", "입금(원)", "입금", "입금금액", "맡기신금액", "맡기신 금액", "받은금액", "입금하신금액"),
    "out": ("출금액", "출금(원)", "출금", "출금금액", "찾으신금액", "찾으신 금액", "지급금액", "지급", "보낸금액"),
    "amount": ("거래금액", "거래 금액", "금액"),
    "direction": ("구분", "입출금구분", "입지구분", "거래구분", "입/출금", "거래 유형", "거래유형"),
    "depositor": (
        "보낸분/받는분", "보낸분", "의뢰인/수취인", "의뢰인", "입금자명", "입금자", "기재내용", "거래기록사항",
        "상대계좌예금주명", "상대예금주", "내용", "거래내용", "예금주", "보낸사람", "적요",
    ),
    "memo": ("송금메모", "메모", "통장메모", "추가메모", "적요", "거래메모", "비고", "내용", "거래 내용"),
    "balance": ("거래후잔액", "거래 후 잔액", "잔액", "남은금액", "거래후 잔액", "통장잔액"),
}  # fmt: skip
INCOMING = ("입금", "입", "받기", "대체입금", "이체입금")
LATEST = timedelta(days=1)
COLUMNS = "거래일시와 입금액"
NO_TIME = "거래일시를 입력하세요."
NO_AMOUNT = "입금액을 읽을 수 없습니다. 금액을 확인하세요."
FUTURE = "거래일시가 아직 오지 않은 때입니다. 거래일시를 확인하세요."
TOO_LARGE = "금액이 너무 큽니다. 다른 번호가 금액 자리에 들어가지 않았는지 확인하세요."
TAKEN_BACK = "입금을 취소한 행입니다. 앞서 등록한 입금이면 자동입금확인에서 그 입금의 연결을 취소하고 무시하세요."
GONE = "같은 파일의 {number}행이 이 입금을 취소했습니다. 등록하지 않습니다."
MOST = 999_999_999_999
"""Won of one row, as of one notice."""
SUMS = ("합계", "총계", "총합", "총", "소계", "계")


@dataclass(frozen=True, slots=True)
class StatementRow:
    """거래내역 한 행: the money that came in, or why the row cannot be used; `row` None when it has an error."""

    row_number: int
    row: BankRow | None
    shown: Mapping[str, str]
    error: str = ""


def header_of(table: Table) -> Header:
    """열 맞추기. Raises FileProblem when no moment or no amount is among the columns."""
    try:
        header = find_header(table, TARGETS)
    except FileProblem as problem:
        raise FileProblem("file_no_columns", names=COLUMNS) from problem
    if header.missing("at") or ("in" not in header.columns and header.missing("amount", "direction")):
        raise FileProblem("file_no_columns", names=COLUMNS)
    return header


def statement_rows(table: Table, *, now: datetime) -> list[StatementRow]:
    """거래내역 읽기: one entry for each row below the header with money that came in, and for each that cannot be read.

    Withdrawals, sums and remarks below the table are left out. What the bank has taken back is told with the row that
    it took back, and neither came in. Raises FileProblem.
    """
    header = header_of(table)
    rows = (_row(table, header, index, now=now) for index in range(header.index + 1, len(table.rows)))
    return _without_taken_back([row for row in rows if row is not None])


def _without_taken_back(rows: list[StatementRow]) -> list[StatementRow]:
    """Each negative row, and the latest one before it of the same sum and payer, become rows with a reason."""
    gone: dict[int, str] = {}
    for one in rows:
        if one.row is None or one.row.amount > 0:
            continue
        gone[one.row_number] = TAKEN_BACK
        came = [
            (other.row.at, other.row_number)
            for other in rows
            if other.row is not None
            and (other.row.amount, other.row.depositor) == (-one.row.amount, one.row.depositor)
            and other.row.at <= one.row.at
            and other.row_number not in gone
        ]
        if came:
            gone[max(came)[1]] = GONE.format(number=one.row_number)
    return [replace(one, row=None, error=gone[one.row_number]) if one.row_number in gone else one for one in rows]


def _row(table: Table, header: Header, index: int, *, now: datetime) -> StatementRow | None:
    cells = {key: table.cell(index, column) for key, column in header.columns.items()}
    shown = {key: str(text(table.rows[index][column])) for key, column in header.columns.items()}
    number = table.numbers[index]
    won = _incoming(cells, shown)
    if won is None or _is_sum(shown, table, index):
        return None
    if isinstance(won, Problem):
        return StatementRow(number, None, shown, won.message)
    at = _moment(cells, shown)
    if isinstance(at, Problem) or at is None:
        return StatementRow(number, None, shown, at.message if isinstance(at, Problem) else NO_TIME)
    if at > now + LATEST:
        return StatementRow(number, None, shown, FUTURE)
    balance = amount(cells["balance"]) if "balance" in cells else None
    if isinstance(balance, Problem):
        return StatementRow(number, None, shown, balance.message)
    if max(abs(won), abs(balance or 0)) > MOST:
        return StatementRow(number, None, shown, TOO_LARGE)
    depositor = shown.get("depositor", "") or shown.get("memo", "")
    return StatementRow(number, BankRow(at, won, depositor, shown.get("memo", ""), balance), shown)


def _incoming(cells: Mapping[str, object], shown: Mapping[str, str]) -> int | Problem | None:
    """Won that came in, negative where the bank has taken a transfer back; None for a row in which nothing did."""
    name = "in" if "in" in cells else "amount"
    won = amount(cells[name])  # type: ignore[arg-type]
    if isinstance(won, Problem):
        # A remark below the table has no date and no figure; a row that has one of them is money that must not be lost.
        is_money = any(char.isdigit() for char in shown.get("at", "") + shown[name])
        return Problem("amount_format", NO_AMOUNT) if is_money else None
    if won is None or won == 0:
        return None
    if name == "amount" and not _came_in(shown.get("direction", "")):
        return None
    return won


def _came_in(direction: str) -> bool:
    plain = "".join(direction.split())
    return plain in INCOMING or plain.startswith("입금") or plain.endswith("입금")


def _is_sum(shown: Mapping[str, str], table: Table, index: int) -> bool:
    """A row without a date in which some cell, of a column that we read or not, says that it is a sum."""
    if any(char.isdigit() for char in shown.get("at", "")):
        return False
    texts = ["".join(str(text(cell)).split()) for cell in table.rows[index]]
    return any(word.startswith(SUMS) for word in texts)


def _moment(cells: Mapping[str, object], shown: Mapping[str, str]) -> datetime | None | Problem:
    if "time" not in cells or not shown.get("time"):
        return datetime_(cells["at"])  # type: ignore[arg-type]
    day = datetime_(cells["at"])  # type: ignore[arg-type]
    if not isinstance(day, datetime):
        return day
    return datetime_(f"{day:%Y-%m-%d} {shown['time']}")
