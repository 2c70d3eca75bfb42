"""송장 엑셀 올리기: a courier's result file, looked at row by row first, then registered and, when asked, sent.

Every refusal has the sentence of ux.md 6.4; nothing is written before a person confirms. Source: domain.md A10,
shipping.md 5.4, reliability.md F11 to F14.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from django.db.models import Count, Q
from django.utils import timezone

from accounts.files import LoggedUpload
from core.chunks import CHUNK, batched
from core.events import EventKind
from core.excel import Column, FileProblem, Kind, Table, read_table, stream_errors
from core.jobs import files
from core.jobs.items import Verdict
from core.jobs.uploads import UploadRow, register
from core.korean import josa
from core.lookups import Among
from core.models import ItemResult, Job, JobItem, Source
from core.settings_registry import get_setting
from core.state import Outcome, previewing
from orders import events
from orders.states import CLOSED
from shipping.columns import courier_name
from shipping.excel.results import ResultRow, header_of, result_rows
from shipping.models import Shipment, ShipmentLine, ShipmentStep
from shipping.services import waybills
from shipping.services.keys import normal, resolve
from shipping.services.waybills import Registered, WaybillEntry

UNDO_REASON = "송장 파일 되돌리기"
NOT_DONE = "반영하지 못했습니다. 파일을 다시 올려 확인하세요."
SAME_NUMBER = "파일의 {:,}행과 송장번호가 같습니다."
ONE_BOX = " 받는 분이 같아도 송장번호는 배송건마다 하나씩 있어야 합니다."
ALREADY = "이미 같은 송장번호로 등록되어 있습니다."


@register
class WaybillUpload(LoggedUpload):
    """송장 엑셀 올리기."""

    name, label, permission = "waybill-upload", "송장 등록", "shipping.register_waybill"
    model = Shipment
    unit = "shipment"
    is_undoable = True
    undo_data: ClassVar[Mapping[str, Any]] = {"reason": UNDO_REASON}
    sends: ClassVar[tuple[EventKind, ...]] = (events.LINE_SHIPPED,)
    columns = (
        Column("key", "배송번호", Kind.TEXT, 24),
        Column("courier_name", "택배사", Kind.TEXT, 14),
        Column("shown", "송장번호", Kind.TEXT, 18),
    )

    def __init__(self, table: Table | None = None) -> None:
        # Read before, with a password that is stored nowhere; the registered one applies and explains.
        self.table = table

    def read(self, path: Path, *, options: Mapping[str, Any], actor: Any) -> Iterable[UploadRow]:
        """미리보기: what each row would do, found out on the path that applies it. Raises FileProblem."""
        table = self.table or _table(path, options)
        header = header_of(table, chosen=options.get("columns"))
        courier = str(options.get("courier") or get_setting("default_courier"))
        return preview(result_rows(table, header, default_courier=courier), ship=bool(options.get("ship")), actor=actor)

    def apply(
        self, items: Sequence[JobItem], *, actor: Any, at: datetime, batch: Job, **options: Any
    ) -> Mapping[int, Verdict]:
        """반영: register the numbers of a chunk, and send the shipments when that was asked for."""
        facts: dict[str, Any] = {"actor": actor, "at": at, "batch": batch, "source": Source.UPLOAD}
        changed = _changed_numbers(items)
        entries = {
            item.target_id: WaybillEntry(item.data["courier"], item.data["waybill"], bool(item.data.get("replaces")))
            for item in items
            if item.target_id is not None and item.data is not None and item.pk not in changed
        }
        work = waybills.register_and_ship if options.get("ship") else waybills.register_waybills
        done = work(entries=entries, **facts)
        made = dict(Shipment.objects.filter(Among("pk", done.possible)).values_list("pk", "version"))
        verdicts = {item.pk: _verdict(item, done, made) for item in items if item.pk not in changed}
        return verdicts | {pk: Verdict(reason) for pk, reason in changed.items()}

    def undo(self, *args: Any, **kwargs: Any) -> Outcome:
        """되돌리기: the numbers of the file are voided again, shipments that were sent come back first."""
        return waybills.undo_registration(shipment_ids=args[0], **kwargs)

    def error_file(self, job: Job) -> Iterator[bytes]:
        """오류 파일: the person's own rows that were refused, each with its reason; the same file can be sent again."""
        try:
            path = files.path_of(job.file_path)
            table = _table(path, job.params.get("options") or {}) if path is not None else None
            header = header_of(table, chosen=(job.params.get("options") or {}).get("columns")) if table else None
        except (FileProblem, ValueError):
            table = header = None
        if table is None or header is None:
            return super().error_file(job)
        refused = JobItem.objects.filter(job=job, result=ItemResult.REFUSED).exclude(data__contains={"same": True})
        index_of = {number: index for index, number in enumerate(table.numbers)}
        failed = {
            index_of[row]: reason for row, reason in refused.values_list("row_number", "reason") if row in index_of
        }
        return stream_errors(table, header_index=header.index, failed=failed)


def _table(path: Path, options: Mapping[str, Any]) -> Table:
    return read_table(path.read_bytes(), filename=path.name, sheet=options.get("sheet") or None)


def _changed_numbers(items: Sequence[JobItem]) -> dict[int, str]:
    """Rows whose tick agreed to replace one number while the shipment has got yet another one since."""
    asked = {item.pk: (item.target_id or 0, item.data.get("old")) for item in items if item.data and _replaces(item)}
    if not asked:
        return {}
    targets = [target for target, _ in asked.values()]
    present = dict(Shipment.objects.filter(pk__in=targets).values_list("pk", "waybill"))
    return {
        pk: f"화면을 연 뒤 다른 직원이 송장번호를 {josa(present[target], '으로/로')} 바꿨습니다."
        for pk, (target, old) in asked.items()
        if present.get(target, "") not in {"", old}
    }


def _replaces(item: JobItem) -> bool:
    return bool(item.data and item.data.get("replaces"))


def _verdict(item: JobItem, done: Registered, made: Mapping[int, int]) -> Verdict:
    target = item.target_id or 0
    if target in made:
        return Verdict(made_version=made[target])
    if target in done.unchanged:
        return Verdict(ALREADY)
    return Verdict(done.refused.get(target, NOT_DONE))


@dataclass(slots=True)
class _Sheet:
    """The rows on their way to verdicts: reasons by row number, and the first row of each shipment."""

    reasons: dict[int, str] = field(default_factory=dict)
    shipment_of: dict[int, int] = field(default_factory=dict)
    first: dict[int, ResultRow] = field(default_factory=dict)
    joined: dict[int, ResultRow] = field(default_factory=dict)


def preview(rows: Sequence[ResultRow], *, ship: bool, actor: Any) -> list[UploadRow]:
    """미리보기: a verdict for every row of a file; nothing is written. `ship` = the numbers are to be sent as well."""
    sheet = _match(rows)
    registered = Registered()
    at = timezone.now()
    # Nothing is written meanwhile, so many more than usual still let others wait for no longer than an apply does.
    for chunk in batched(sorted(sheet.first), 4 * CHUNK):
        entries = {pk: WaybillEntry(sheet.first[pk].courier, sheet.first[pk].waybill) for pk in chunk}
        with previewing():
            _merge(registered, waybills.register_waybills(entries=entries, actor=actor, at=at))
    numbers = Shipment.objects.filter(Among("pk", set(sheet.shipment_of.values())))
    shown = {row[0]: row for row in numbers.values_list("pk", "number", "waybill", "courier", "step")}
    return [_upload_row(row, sheet, registered, shown, ship=ship) for row in rows]


def _match(rows: Sequence[ResultRow]) -> _Sheet:
    """Which shipment each row means, and which rows of the file contradict each other."""
    sheet = _Sheet()
    found = resolve({row.key for row in rows if row.key})
    usable: list[tuple[ResultRow, int]] = []
    for row in rows:
        shipment = found.shipments.get(row.key)
        if shipment is not None:
            sheet.shipment_of[row.row_number] = shipment
        reason = row.error if not row.key else found.refused.get(row.key) or row.error
        if reason or shipment is None:
            sheet.reasons[row.row_number] = reason
        else:
            usable.append((row, shipment))
    clashes = _clashes(usable)
    sheet.reasons |= clashes
    claims: dict[int, ResultRow] = {}
    named: dict[tuple[int, str], ResultRow] = {}
    spare = _spare_rows(usable, sheet)
    for row, shipment in usable:
        mine = claims.setdefault(shipment, row)
        twin = named.setdefault((shipment, normal(row.line or row.key)), row)
        if row.row_number in clashes:
            continue
        if mine is row:
            sheet.first[shipment] = row
        elif (mine.courier, mine.waybill) != (row.courier, row.waybill):
            sheet.reasons[row.row_number] = f"파일의 {mine.row_number:,}행과 같은 배송건입니다."
        elif twin is row or (not row.line and spare.get(shipment, 0) > 0):
            # Several lines of one shipment, each with the number of their common box.
            sheet.joined[row.row_number] = mine
            spare[shipment] = spare.get(shipment, 0) - (twin is not row)
        else:
            sheet.reasons[row.row_number] = SAME_NUMBER.format(twin.row_number)
    return sheet


def _spare_rows(usable: Sequence[tuple[ResultRow, int]], sheet: _Sheet) -> dict[int, int]:
    """How often a shipment may come again in a file that has a row for each line but does not number the lines.

    A file in which a shipment of several lines stands but once has a row for each shipment: what comes again there is
    the same row twice (domain.md A10).
    """
    nameless = Counter(shipment for row, shipment in usable if not row.line)
    if max(nameless.values(), default=0) < 2:
        return {}
    items = ShipmentLine.objects.filter(Among("shipment_id", nameless)).values("shipment_id")
    is_open = Q(is_live=True) & ~Q(line__state__in=CLOSED)
    counts = items.annotate(ever=Count("pk"), still=Count("pk", filter=is_open))
    lines = {pk: (ever, still) for pk, ever, still in counts.values_list("shipment_id", "ever", "still")}
    rows = Counter(sheet.shipment_of.values())
    if any(still > 1 and rows[pk] == 1 for pk, (_, still) in lines.items()):
        return {}
    return {pk: ever - 1 for pk, (ever, _) in lines.items()}


def _clashes(usable: Sequence[tuple[ResultRow, int]]) -> dict[int, str]:
    """One number for several shipments: nobody can tell whose it is, all its rows are errors (shipping.md 5.4)."""
    owners: dict[tuple[str, str], dict[int, ResultRow]] = defaultdict(dict)
    for row, shipment in usable:
        owners[row.courier, row.waybill].setdefault(shipment, row)
    shared = {number: firsts for number, firsts in owners.items() if len(firsts) > 1}
    if not shared:
        return {}
    people = _people({shipment for firsts in shared.values() for shipment in firsts})
    reasons = {}
    for row, shipment in usable:
        firsts = shared.get((row.courier, row.waybill))
        if firsts is not None:
            other, twin = next(pair for pair in firsts.items() if pair[0] != shipment)
            is_one_box = people[other] == people[shipment]
            reasons[row.row_number] = SAME_NUMBER.format(twin.row_number) + (ONE_BOX if is_one_box else "")
    return reasons


def _people(shipment_ids: Collection[int]) -> dict[int, tuple[Any, ...]]:
    """Name, telephone and address that each shipment goes to."""
    fields = ("recipient_name", "recipient_phone", "zip_code", "address1", "address2")
    rows = Shipment.objects.filter(Among("pk", shipment_ids)).values_list("pk", *[f"order__{name}" for name in fields])
    return {pk: tuple(rest) for pk, *rest in rows}


def _merge(whole: Registered, part: Registered) -> None:
    whole.possible += part.possible
    whole.unchanged += part.unchanged
    whole.refused |= part.refused
    whole.warnings |= part.warnings
    whole.differs |= part.differs


def _upload_row(
    row: ResultRow, sheet: _Sheet, done: Registered, shown: Mapping[int, tuple[Any, ...]], *, ship: bool
) -> UploadRow:
    pk = sheet.shipment_of.get(row.row_number)
    _, number, old, old_courier, step = shown.get(pk or 0, (0, "", "", "", ""))
    data = {
        "key": row.key, "number": number, "courier": row.courier, "waybill": row.waybill, "shown": row.shown_waybill,
        "courier_name": courier_name(row.courier) if row.courier else row.courier_text,
        "old": old, "old_courier": courier_name(old_courier) if old_courier else "",
    }  # fmt: skip
    error = sheet.reasons.get(row.row_number, "")
    if not error and pk in done.refused and pk not in done.differs:
        error = done.refused[pk]
    if error or pk is None:
        return UploadRow(row.row_number, data=data, error=error)
    if row.row_number in sheet.joined or (pk in done.unchanged and not (ship and step == ShipmentStep.READY)):
        return UploadRow(row.row_number, data=data, is_same=True)
    if pk in done.differs:
        return UploadRow(row.row_number, data=data | {"replaces": True}, target_id=pk, ask=done.refused[pk])
    return UploadRow(row.row_number, data=data, target_id=pk, ask=done.warnings.get(pk, ""))
