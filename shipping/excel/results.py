"""송장 파일 읽기: which column is what, and what each row says, in files of couriers, markets and our own templates."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import NamedTuple

from core.excel import Cell, FileProblem, Header, Problem, Table, find_header, normalize
from core.excel.values import text
from shipping.couriers import TABLE, Courier, CourierTable, find_courier
from shipping.file_columns import KEYS, PEOPLE, TARGETS, names_people
from shipping.services.files.keys import is_ours
from shipping.waybills import WaybillVerdict, check_waybill, word_in

HOLD = "HOLD"
"""Proposal of a word that says: it did not leave."""
NO_KEY = "배송번호나 주문번호를 입력하세요."
NO_COURIER = "택배사 칸을 읽을 수 없습니다. {}"


class Person(NamedTuple):
    """받는 분 as a file without keys writes it; empty where it says nothing."""

    name: str
    phone: str
    address: str


@dataclass(frozen=True, slots=True)
class ResultRow:
    """송장 파일 한 행: the key as written, the courier's slug and the clean number, or the reason why not.

    `line` is the 품목별 주문번호 of a file with a row for each line, whatever column the key is from.
    """

    index: int
    row_number: int
    key: str
    courier: str
    courier_text: str
    waybill: str
    shown_waybill: str
    error: str = ""
    warning: str = ""
    line: str = ""
    proposal: str = ""
    """What a word in the number cell proposes: a delivery method, or HOLD; such a row has no number and no error."""
    person: Person | None = None
    """Whom a file without keys names."""


def header_of(table: Table, *, chosen: Mapping[str, str] | None = None) -> Header:
    """열 맞추기: the header row and our columns; `chosen` maps our key to a label of the file, as a person set it.

    Raises FileProblem file_no_header when no number column is found, or neither a key nor enough about the receiver.
    """
    header = _by_contents(table, find_header(table, TARGETS)) if not chosen else _header_by_hand(table, chosen)
    has_key = any(key in header.columns for key in KEYS)
    if header.missing("waybill") or not (has_key or names_people(header.columns)):
        raise FileProblem("file_no_header")
    return header


def _by_contents(table: Table, header: Header) -> Header:
    """Where names leave it open, what stands in the columns decides: of the number, the telephone and our own key."""
    numbers = _alike(header, "waybill")
    if numbers and not _filled(table, header, numbers[0]):
        header = _moved(header, "waybill", next((at for at in numbers if _filled(table, header, at)), numbers[0]))
    if phones := _alike(header, "phone"):
        # Couriers' sheets have two; the one that is filled in more rows says more of whose they are.
        header = _moved(header, "phone", max(phones, key=lambda at: _filled(table, header, at)))
    if is_keyless(header) and (at := _column_of_ours(table, header)) is not None:
        header = _moved(header, "shipment", at)
    return header


def _alike(header: Header, key: str) -> list[int]:
    """Columns that bear a name of `key`, the recognised one first; none where none was."""
    first = header.columns.get(key)
    if first is None:
        return []
    names = {normalize(name) for name in TARGETS[key]}
    return [first, *(place for place in header.unknown if normalize(header.names[place]) in names)]


def _moved(header: Header, key: str, place: int) -> Header:
    """The header with another column for `key`; the one that gives way is ignored."""
    columns = {**header.columns, key: place}
    taken = set(columns.values())
    unknown = tuple(at for at, name in enumerate(header.names) if name and at not in taken)
    return replace(header, columns=columns, unknown=unknown)


def _filled(table: Table, header: Header, place: int) -> int:
    """In how many rows a column holds something."""
    return sum(table.cell(index, place) is not None for index in range(header.index + 1, len(table.rows)))


def _column_of_ours(table: Table, header: Header) -> int | None:
    """The column in which our 배송번호 come back, whatever a courier's form calls it: in half of the rows or more."""
    rows = table.rows[header.index + 1 :]
    found = {at: sum(isinstance(cell := row[at], str) and is_ours(cell) for row in rows) for at in header.unknown}
    best = max(found, key=lambda at: found[at], default=None)
    return best if best is not None and found[best] and found[best] * 2 >= len(rows) else None


def _header_by_hand(table: Table, chosen: Mapping[str, str]) -> Header:
    plain = plain_header(table)
    places = {normalize(label): at for at, label in reversed(list(enumerate(plain.labels))) if label}
    columns = {key: places[normalize(label)] for key, label in chosen.items() if normalize(label) in places}
    taken = set(columns.values())
    unknown = tuple(place for place, name in enumerate(plain.names) if name and place not in taken)
    return Header(plain.index, plain.names, columns, unknown, plain.labels)


def plain_header(table: Table) -> Header:
    """열 이름만: for the screen on which a person says which column is what. Raises FileProblem."""
    try:
        return find_header(table, TARGETS)
    except FileProblem:
        return find_header(table)  # a file without a single name that we know


def read_columns(header: Header) -> dict[str, str]:
    """읽은 열: our key -> label of the file; whom a row names counts only where no key does."""
    used = {key: place for key, place in header.columns.items() if is_keyless(header) or key not in PEOPLE}
    return {key: header.labels[place] for key, place in used.items()}


def is_keyless(header: Header) -> bool:
    """번호 열이 없는 파일: its rows can only be suggestions."""
    return not any(key in header.columns for key in KEYS)


def result_rows(table: Table, header: Header, *, default_courier: str) -> list[ResultRow]:
    """송장 파일 읽기: one entry per row below the header that holds anything at all."""
    keyless, used = is_keyless(header), read_columns(header)
    columns = {key: place for key, place in header.columns.items() if key in used}
    rows = range(header.index + 1, len(table.rows))
    return [_row(table, columns, index, default_courier, keyless=keyless) for index in rows]


def _row(table: Table, columns: Mapping[str, int], index: int, default_courier: str, *, keyless: bool) -> ResultRow:
    cells = {key: table.cell(index, column) for key, column in columns.items()}
    key, key_error = ("", "") if keyless else _key(cells)
    courier_text = _plain(cells.get("courier"))
    # What cannot be used is shown as it stands, so that the person finds it in the file.
    shown = _plain(table.rows[index][columns["waybill"]])
    courier = _courier(cells.get("courier"), default_courier)
    slug = "" if isinstance(courier, str) else courier.slug
    row = partial(ResultRow, index, table.numbers[index], key, slug, courier_text, line=_plain(cells.get("line")))
    if keyless:
        row = partial(row, person=Person(*(_plain(cells.get(name)) for name in PEOPLE)))
    word = None if key_error else _word(cells["waybill"], courier_text)
    if word is not None:
        method = word.proposed_method
        return row(waybill="", shown_waybill=shown, proposal=method.value if method else HOLD)
    if key_error or isinstance(courier, str):
        return row(waybill="", shown_waybill=shown, error=key_error or str(courier))
    verdict = _number(cells["waybill"], courier)
    error, warning = ("", verdict.message) if verdict.is_accepted else (verdict.message, "")
    return row(waybill=verdict.number, shown_waybill=shown, error=error, warning=warning)


def _key(cells: Mapping[str, Cell | Problem]) -> tuple[str, str]:
    """The first key that is filled in, or why none can be used."""
    for name in KEYS:
        cell = cells.get(name)
        if isinstance(cell, Problem):
            return "", cell.message
        if cell is not None and (found := _plain(cell)):
            return found, ""
    return "", NO_KEY


def _plain(cell: Cell | Problem) -> str:
    found = "" if cell is None else text(cell)
    return "" if isinstance(found, Problem) else found


def _courier(cell: Cell | Problem, default: str) -> Courier | str:
    """The courier that a cell names, or the Korean reason; the default stands only where the cell is really empty."""
    if isinstance(cell, Problem):
        return NO_COURIER.format(cell.message)
    return _found(TABLE.get(), _plain(cell) or default)


@lru_cache(maxsize=512)
def _found(table: CourierTable, name: str) -> Courier | str:
    found = table.get(name) or find_courier(name, among=table)
    return found if isinstance(found, Courier) else found.message


def _word(cell: Cell | Problem, courier_text: str) -> WaybillVerdict | None:
    """A status word where the number should stand; with an empty number also where the courier should."""
    if isinstance(cell, Problem):
        return None
    return word_in(cell) or (word_in(courier_text) if not text(cell) else None)


def _number(cell: Cell | Problem, courier: Courier) -> WaybillVerdict:
    if isinstance(cell, Problem):
        lost = check_waybill("1E15", courier)
        return (
            lost if cell.code in {"exponent", "precision"} else WaybillVerdict("", lost.level, cell.code, cell.message)
        )
    return check_waybill(cell, courier)
