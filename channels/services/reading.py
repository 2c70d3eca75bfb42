"""주문 파일 읽기: which profile a file belongs to, and its rows as facts of ours with what is wrong with each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from channels.adapters.known import LAYOUTS, layout_of
from channels.adapters.layouts import BY_KEY, NEEDED, NEEDED_ONE_OF, Field, Layout, Pick, Reads, Rule
from channels.models import OrderProfile
from core.calendar import KST
from core.excel import FileProblem, Header, Problem, Table, find_header, fingerprint, header_at, normalize
from core.excel import values as read_value
from core.exceptions import DomainError
from core.korean import josa
from core.text import one_line

MOST_WON = 10**12


def _line(read: Callable[[Any], str | Problem]) -> Callable[[Any], str | Problem]:
    """A reader of texts that takes them as the forms of staff and the API do."""

    def reader(cell: Any) -> str | Problem:
        found = read(cell)
        return one_line(found) if isinstance(found, str) else found

    return reader


_READERS: Mapping[Reads, Callable[[Any], Any]] = {
    Reads.TEXT: _line(read_value.text),
    Reads.NUMBER: _line(read_value.identifier),
    Reads.PHONE: read_value.phone,
    Reads.ZIP: read_value.zip_code,
    Reads.COUNT: read_value.integer,
    Reads.WON: read_value.amount,
    Reads.MOMENT: read_value.datetime_,
}
_BAD_FIXED = "고정값을 읽을 수 없습니다."
UNKNOWN = "처음 보는 양식입니다. 열을 한 번 맞춰 주면 다음 파일부터 자동으로 읽습니다."
UNLIKE = (
    "'{name}' 양식과 비슷하지만 필요한 열이 없습니다: {lacking}. 열을 한 번 맞춰 주면 다음 파일부터 자동으로 읽습니다."
)
MISMATCH = (
    "'{name}' 양식에 필요한 열이 파일에 없습니다: {lacking}. "
    "다른 양식을 고르거나 '자동으로 찾기'로 올려 열을 직접 맞춰 주세요."
)
_AMOUNT = "금액은 12,300처럼 숫자로 입력하세요."


class UnknownLayout(DomainError):
    """모르는 양식: no profile fits; the columns have to be mapped by hand first."""

    code = "unknown_layout"
    status = 422


class LayoutMismatch(DomainError):
    """맞지 않는 양식: the file lacks columns that the chosen profile needs."""

    code = "layout_mismatch"
    status = 422

    def __init__(self, name: str, lacking: Sequence[str]) -> None:
        super().__init__(MISMATCH.format(name=name, lacking=", ".join(lacking)))
        self.lacking = tuple(lacking)


@dataclass(frozen=True, slots=True)
class Reading:
    """읽은 파일: a table with its header and profile; `rules` and `places` by field key.

    A field may stand in several columns (확정 and 수집 names, two phones): the first one that is filled counts.
    """

    table: Table
    header: Header
    profile: OrderProfile
    layout: Layout
    rules: Mapping[str, Rule]
    places: Mapping[str, Sequence[int]]

    @property
    def ignored(self) -> list[str]:
        """무시하는 열: labels of columns that no field takes."""
        used = {at for places in self.places.values() for at in places}
        return [label for at, label in enumerate(self.header.labels) if label and at not in used]


@dataclass(slots=True)
class FileRow:
    """파일 한 행: its number in the sheet, the values that could be read, and the first thing that is wrong."""

    number: int
    index: int
    values: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    def get(self, key: str) -> Any:
        """The value of a field, None when the file does not say."""
        value = self.values.get(key)
        return None if value == "" else value


def recognise(table: Table, *, profile: OrderProfile | None = None) -> Reading:
    """양식 찾기: the given profile, a known layout by its names, or the sender's remembered one.

    A file that looks like a known layout and lacks columns of it is for its remembered mapping, or for the person.
    Raises UnknownLayout when nothing fits, LayoutMismatch when the given profile does not, FileProblem without header.
    """
    if profile is not None:
        return _with(table, profile)
    unlike = ""
    for kind, layout in LAYOUTS.items():
        header = _header_of(table, layout)
        if header is not None:
            known = OrderProfile.objects.select_related("channel").filter(kind=kind)
            found = known.order_by("-is_default", "pk").first()
            if found is not None:
                try:
                    return _with(table, found, header=header)
                except LayoutMismatch as mismatch:
                    unlike = unlike or UNLIKE.format(name=found.name, lacking=", ".join(mismatch.lacking))
    remembered = OrderProfile.objects.select_related("channel")
    sender = remembered.filter(fingerprint=fingerprint(find_header(table))).first()
    if sender is None:
        raise UnknownLayout(unlike or UNKNOWN)
    return _with(table, sender)


def _header_of(table: Table, layout: Layout) -> Header | None:
    """The header when the table is of a known layout."""
    try:
        header = find_header(table, layout.columns)
    except FileProblem:
        return None
    names = {normalize(name) for name in header.names}
    return header if all(normalize(name) in names for name in layout.signature) else None


def _with(table: Table, profile: OrderProfile, *, header: Header | None = None) -> Reading:
    layout = layout_of(profile.kind)
    own = {key: Rule.from_json(rule) for key, rule in profile.mapping.items() if key in BY_KEY}
    if header is None:
        header = find_header(table, layout.columns or _wanted(own) or None)
    rules = {key: Rule(pick=layout.picks.get(key, Pick.SAME)) for key in layout.columns} | own
    places = _places(header, layout)
    labels = {normalize(label): at for at, label in reversed(list(enumerate(header.labels))) if label}
    for key, rule in own.items():
        places.pop(key, None)
        if rule.column and normalize(rule.column) in labels:
            places[key] = (labels[normalize(rule.column)],)
    reading = Reading(table, header, profile, layout, rules, places)
    if lacking := missing_fields({key for key in rules if key in places or rules[key].fixed}):
        raise LayoutMismatch(profile.name, lacking)
    return reading


def _places(header: Header, layout: Layout) -> dict[str, Sequence[int]]:
    """Columns of each field of a known layout, best name first."""
    spelled: dict[str, int] = {}
    for at, name in enumerate(header.names):
        spelled.setdefault(normalize(name), at)
    found: dict[str, Sequence[int]] = {}
    for key, best in header.columns.items():
        named = [spelled[normalize(name)] for name in layout.columns.get(key, ()) if normalize(name) in spelled]
        found[key] = tuple(dict.fromkeys([best, *named]))
    return found if layout.columns else {}


def _wanted(rules: Mapping[str, Rule]) -> dict[str, tuple[str, ...]]:
    return {key: (rule.column,) for key, rule in rules.items() if rule.column}


def missing_fields(given: set[str]) -> list[str]:
    """빠진 항목: labels of what a file must say and these fields do not."""
    lacking = [BY_KEY[key].label for key in NEEDED if key not in given]
    return lacking + [
        f"{BY_KEY[first].label}(또는 {BY_KEY[second].label})"
        for first, second in NEEDED_ONE_OF
        if not given & {first, second}
    ]


def header_for_mapping(table: Table, *, index: int | None = None) -> Header:
    """열 맞추기 화면의 열 이름: the best row, or the one the person chose. Raises FileProblem."""
    if index is None:
        return find_header(table)
    if not 0 <= index < len(table.rows):
        raise FileProblem("file_no_header")
    return header_at(table, index)


def file_rows(reading: Reading) -> Iterator[FileRow]:
    """행 읽기: every row below the header; a footer that names no order and no product is passed over."""
    wanted = [(BY_KEY[key], rule) for key, rule in reading.rules.items()]
    for index in range(reading.header.index + 1, len(reading.table.rows)):
        row = FileRow(reading.table.numbers[index], index)
        for one, rule in wanted:
            if one.key in reading.places:
                value = _cell(one, rule, _filled(reading.table, index, reading.places[one.key]))
            elif rule.fixed:
                value = _fixed(one, rule)
            else:
                continue
            if isinstance(value, Problem):
                row.error = row.error or f"{one.label}: {value.message}"
            else:
                row.values[one.key] = value
        if row.error or row.get("order_number") or row.get("product_name") or row.get("line_number"):
            yield row


def _filled(table: Table, index: int, places: Sequence[int]) -> Any:
    cells = (table.cell(index, at) for at in places)
    return next((cell for cell in cells if cell is not None and (not isinstance(cell, str) or cell.strip())), None)


def _cell(one: Field, rule: Rule, cell: Any) -> Any:
    if cell is None or isinstance(cell, str) and not cell.strip():
        return _fixed(one, rule) if rule.fixed else (None if one.reads in _BLANK_NONE else "")
    if rule.factor and one.reads == Reads.WON:
        return scaled(cell, rule.factor)
    if rule.date_format and isinstance(cell, str):
        return _formatted(cell, rule.date_format)
    if one.reads == Reads.PHONE and isinstance(cell, str) and set(cell) <= set("-. ()"):
        return ""
    value = _READERS[one.reads](cell)
    if one.reads == Reads.WON and isinstance(value, int) and abs(value) > MOST_WON:
        return Problem("amount_format", f"{josa(one.label, '이/가')} 너무 큽니다. 금액을 확인하세요.")
    return value


_BLANK_NONE = frozenset({Reads.COUNT, Reads.WON, Reads.MOMENT})


def _fixed(one: Field, rule: Rule) -> Any:
    value = _READERS[one.reads](rule.fixed)
    return Problem("fixed", _BAD_FIXED) if isinstance(value, Problem) else value


def scaled(cell: Any, factor: str) -> int | Problem:
    """환산: a decimal amount times the factor, rounded half up to whole won."""
    if isinstance(cell, Problem):
        return cell
    if isinstance(cell, bool | datetime):
        return Problem("amount_format", _AMOUNT)
    try:
        plain = str(cell).replace(",", "").replace("$", "").replace("₩", "").strip()
        won = Decimal(plain) * Decimal(factor)
        if not won.is_finite() or abs(won) > MOST_WON:
            return Problem("amount_format", _AMOUNT)
        return int(won.quantize(Decimal(1), rounding=ROUND_HALF_UP))
    except (InvalidOperation, ValueError):
        return Problem("amount_format", _AMOUNT)


def _formatted(cell: str, pattern: str) -> datetime | Problem:
    try:
        found = datetime.strptime(cell.strip(), pattern)
    except (ValueError, TypeError):
        return Problem("date_format", f"날짜가 정한 형식과 다릅니다. '{cell.strip()[:30]}' 값을 확인하세요.")
    return found.replace(microsecond=0, tzinfo=KST) if found.tzinfo is None else found.astimezone(KST)
