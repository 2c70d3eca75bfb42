"""송장 엑셀 올리기: a courier's result file, looked at row by row first, then registered and, when asked, sent.

Every refusal has the sentence of ux.md 6.4; nothing is written before a person confirms. Source: domain.md A10,
shipping.md 5.4, reliability.md F11 to F14.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from django.db import transaction

from accounts.files import LoggedUpload
from core.events import EventKind
from core.excel import Column, FileProblem, Kind, Table, read_table, stream_errors
from core.exceptions import Conflict, DomainError
from core.jobs import files
from core.jobs.items import Verdict
from core.jobs.lifecycle import lock_job
from core.jobs.uploads import UploadRow, register
from core.korean import josa
from core.locks import locked_by
from core.lookups import Among
from core.models import ItemResult, Job, JobItem, JobState, Source
from core.settings_registry import get_setting
from core.state import Outcome
from orders import events
from shipping.excel.results import HOLD, header_of, is_keyless, result_rows
from shipping.excel.verdicts import preview, preview_keyless, propose
from shipping.models import Shipment
from shipping.services import undoing
from shipping.services.merges import merging
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import CHOOSE, Registered, WaybillEntry
from shipping.services.shipments import locked_whole

UNDO_REASON = "송장 파일 되돌리기"
NOT_DONE = "반영하지 못했습니다. 파일을 다시 올려 확인하세요."
ALREADY = "이미 같은 송장번호로 등록되어 있습니다."
CHOOSE_AGAIN = "바꾸려면 오류 행만 엑셀로 받아 다시 올린 뒤 선택하세요."
NOT_CHOSEN = "배송건을 고르지 않아 반영하지 않았습니다."
TWO_ROWS = "파일의 {:,}행과 {:,}행에 같은 배송건을 골랐습니다. 한 행만 남기세요."
TWICE = "같은 파일의 다른 행이 먼저 이 배송건에 등록했습니다."
BOX_FAILED = "함께 합포장할 행을 반영하지 않아 등록하지 않았습니다."
NO_HOLD = "배송보류 권한이 없어 반영하지 않았습니다. 담당자에게 요청하세요."


@register
class WaybillUpload(LoggedUpload):
    """송장 엑셀 올리기."""

    name, label, permission = "waybill-upload", "송장 등록", "shipping.register_waybill"
    model = Shipment
    unit = "shipment"
    is_undoable = True
    chunk = 90
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
        rows = result_rows(table, header, default_courier=courier)
        if is_keyless(header):
            return preview_keyless(rows, actor=actor)
        return preview(rows, ship=bool(options.get("ship")), actor=actor)

    def apply(
        self, items: Sequence[JobItem], *, actor: Any, at: datetime, batch: Job, **options: Any
    ) -> Mapping[int, Verdict]:
        """반영: register the numbers of a chunk, and send the shipments when that was asked for."""
        facts: dict[str, Any] = {"actor": actor, "at": at, "batch": batch, "source": Source.UPLOAD}
        ship = bool(options.get("ship"))
        words = [item for item in items if _said(item, "proposal")]
        boxes = [item for item in items if _said(item, "merge")]
        rest = [item for item in items if not _said(item, "proposal") and not _said(item, "merge")]
        verdicts = _refused_before(rest)
        plain = [item for item in rest if item.pk not in verdicts]
        # All of them at once, in the order of the locks; then each by its own service.
        with locked_whole(_wanted(items), actor=actor) if words or boxes else nullcontext():
            if plain:
                verdicts |= _register_rows(plain, ship=ship, **facts)
            verdicts |= _follow_words(words, **facts)
            verdicts |= _make_boxes(boxes, ship=ship, **facts)
        return verdicts

    def undo(self, *args: Any, **kwargs: Any) -> Outcome:
        """되돌리기: numbers are voided again and shipments that were sent come back; what the words did goes too."""
        return undoing.undo_upload(shipment_ids=args[0], **kwargs)

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


def keep_choices(
    *, job_id: int, shown: Collection[int], ticked: Collection[int], picks: Mapping[int, int | None]
) -> None:
    """고른 것 기억: what a person ticked and picked on one screen of rows, so that the next ones can be looked at.

    `shown` are the rows of the screen that wait for an answer: what is not ticked there is not chosen any more. `picks`
    names the shipment of a row without a key, None for a row left open. Of a file that is applied already nothing is
    kept: a second press of the button is no error. Raises Conflict for a shipment chosen twice.
    """
    with transaction.atomic():
        job = lock_job(job_id)
        if job is None or job.state != JobState.PREVIEW:
            return
        waiting = JobItem.objects.filter(job=job, result=ItemResult.PENDING)
        taken = waiting.filter(target_id__in=[pk for pk in picks.values() if pk is not None])
        owner = {target: row for target, row in taken.values_list("target_id", "row_number") if row not in picks}
        items = list(waiting.filter(row_number__in={*shown, *ticked, *picks}).order_by("row_number"))
        for item in items:
            row, data = item.row_number or 0, item.data or {}
            item.data = {**data, "ticked": row in ticked}
            if row in picks and "candidates" in data:
                _pick(item, picks[row], owner)
        JobItem.objects.bulk_update(items, ["target_id", "data"])


def _pick(item: JobItem, chosen: int | None, owner: dict[int | None, int | None]) -> None:
    """제안 고르기: the shipment of a row, among those that were offered; None takes an earlier choice back."""
    data = item.data or {}
    known = {pk: number for pk, number, _ in data["candidates"]}
    if chosen in owner:
        raise Conflict(TWO_ROWS.format(owner[chosen], item.row_number), code="chosen_twice")
    if chosen is None or chosen not in known:
        item.target_id = None
        item.data = {key: value for key, value in data.items() if key != "shipment"} | {"number": "", "ticked": False}
        return
    owner[chosen] = item.row_number
    item.target_id = chosen
    item.data = {**data, "number": known[chosen], "shipment": chosen, "ticked": True}


def chosen_rows(job: Job) -> set[int]:
    """고른 행: those that a person ticked, with all rows of their boxes."""
    rows = JobItem.objects.filter(job=job, result=ItemResult.PENDING, data__contains={"ticked": True})
    return with_boxes(job, (row for row in rows.values_list("row_number", flat=True) if row is not None))


def with_boxes(job: Job, rows: Iterable[int]) -> set[int]:
    """합포의 행: these rows with all rows of their boxes, which are made or left out as one."""
    chosen = set(rows)
    boxes = JobItem.objects.filter(job=job, row_number__in=chosen, data__has_key="rows").values_list("data", flat=True)
    return chosen | {row for data in boxes if data for row in data["rows"]}


def rows_for_all(job: Job) -> set[int]:
    """모두 반영할 행: those that ask and need no look of their own."""
    asking = JobItem.objects.filter(job=job, result=ItemResult.PENDING).exclude(reason="")
    rows = asking.exclude(data__contains={"by_hand": True}).values_list("row_number", flat=True)
    return {row for row in rows if row is not None}


def _said(item: JobItem, name: str) -> bool:
    return bool(item.data and item.data.get(name))


def _entry(item: JobItem) -> WaybillEntry:
    data = item.data or {}
    return WaybillEntry(data["courier"], data["waybill"], bool(data.get("replaces")))


def _wanted(items: Sequence[JobItem]) -> set[int]:
    """Every shipment that the rows of a chunk may touch."""
    ids = {item.target_id for item in items if item.target_id is not None}
    return ids.union(*((item.data or {}).get("merge", ()) for item in items))


def _register_rows(items: Sequence[JobItem], *, ship: bool, **facts: Any) -> dict[int, Verdict]:
    """The numbers of rows that say no more than that."""
    done = _register({item.target_id or 0: _entry(item) for item in items}, ship=ship, **facts)
    made = {one.pk: one.version for one in locked_by(Shipment, done.possible, fields=("id", "version"))}
    return {item.pk: _verdict(item, done, made) for item in items}


def _register(entries: Mapping[int, WaybillEntry], *, ship: bool, **facts: Any) -> Registered:
    work = waybills.register_and_ship if ship else waybills.register_waybills
    return work(entries=entries, **facts)


def _refused_before(items: Sequence[JobItem]) -> dict[int, Verdict]:
    """Rows that cannot be tried: without a shipment, a second one for a shipment, and stale agreements to replace."""
    verdicts: dict[int, Verdict] = {}
    seen: set[int] = set()
    for item in items:
        if item.target_id is None or item.data is None:
            verdicts[item.pk] = Verdict(NOT_CHOSEN)
        elif item.target_id in seen:
            verdicts[item.pk] = Verdict(TWICE)
        else:
            seen.add(item.target_id)
    return verdicts | {pk: Verdict(reason) for pk, reason in _changed_numbers(items).items()}


def _changed_numbers(items: Sequence[JobItem]) -> dict[int, str]:
    """Rows whose tick agreed to replace one number while the shipment has got yet another one since."""
    asked = {
        item.pk: (item.target_id or 0, item.data.get("old")) for item in items if item.data and _said(item, "replaces")
    }
    if not asked:
        return {}
    targets = [target for target, _ in asked.values()]
    present = dict(Shipment.objects.filter(pk__in=targets).values_list("pk", "waybill"))
    return {
        pk: f"화면을 연 뒤 다른 직원이 송장번호를 {josa(present[target], '으로/로')} 바꿨습니다."
        for pk, (target, old) in asked.items()
        if present.get(target, "") not in {"", old}
    }


def _verdict(item: JobItem, done: Registered, made: Mapping[int, int]) -> Verdict:
    target = item.target_id or 0
    if target in made:
        return Verdict(made_version=made[target])
    if target in done.unchanged:
        return Verdict(ALREADY)
    # What was registered since the preview can be ticked in the next one only.
    return Verdict(done.refused.get(target, NOT_DONE).replace(CHOOSE, CHOOSE_AGAIN))


def _follow_words(items: Sequence[JobItem], *, actor: Any, **facts: Any) -> dict[int, Verdict]:
    """상태 말: the method that a word names, or 배송보류, of the ticked rows."""
    by_word: dict[tuple[str, str], list[JobItem]] = defaultdict(list)
    for item in items:
        by_word[(item.data or {})["proposal"], str((item.data or {}).get("shown", ""))].append(item)
    verdicts: dict[int, Verdict] = {}
    for (proposal, word), mine in by_word.items():
        if proposal == HOLD and not actor.has_perm("orders.hold"):
            verdicts |= {item.pk: Verdict(NO_HOLD) for item in mine}
            continue
        ids = [item.target_id or 0 for item in mine]
        outcome = propose(proposal, ids, actor=actor, reason=f"송장 파일: {word}"[:200], **facts)
        made = dict(Shipment.objects.filter(Among("pk", ids)).values_list("pk", "version"))
        for item in mine:
            target = item.target_id or 0
            is_done = target in {one.pk for one in outcome.possible}
            reason = "" if is_done else outcome.refused.get(target, NOT_DONE)
            verdicts[item.pk] = Verdict(reason, made_version=made.get(target) if is_done else None)
    return verdicts


class _BoxRefused(Exception):
    """A box that cannot be made: its merge is taken back."""


def _make_boxes(items: Sequence[JobItem], *, ship: bool, **facts: Any) -> dict[int, Verdict]:
    """합포: merge the shipments of each confirmed box and register its number, both or neither."""
    verdicts: dict[int, Verdict] = {}
    for item in items:
        data = item.data or {}
        if data["rows"][0] == item.row_number:
            try:
                with transaction.atomic():
                    _make_box(item, ship=ship, **facts)
            except _BoxRefused as refused:
                verdicts[item.pk] = Verdict(str(refused))
            except DomainError as refused:
                verdicts[item.pk] = Verdict(refused.message)
        if item.pk not in verdicts:
            # A row of a box may come in a later chunk than the first one: what counts is what stands there now.
            verdicts[item.pk] = _in_box(item)
    # Later moves in the same chunk made newer versions of rows that were looked at before.
    made = dict(Shipment.objects.filter(pk__in=[item.target_id or 0 for item in items]).values_list("pk", "version"))
    return {
        item.pk: Verdict(made_version=made[item.target_id or 0]) if not verdicts[item.pk].reason else verdicts[item.pk]
        for item in items
    }


def _make_box(item: JobItem, *, ship: bool, **facts: Any) -> None:
    ids = (item.data or {})["merge"]
    merged = merging.merge_shipments(shipment_ids=ids, **facts)
    if merged.refused:
        raise _BoxRefused(next(iter(merged.refused.values())))
    first = merged.possible[0].pk
    done = _register({first: _entry(item)}, ship=ship, **facts)
    if first not in done.possible:
        raise _BoxRefused(done.refused.get(first, NOT_DONE))


def _in_box(item: JobItem) -> Verdict:
    data = item.data or {}
    shipment = Shipment.objects.select_related("merged_into").filter(pk=item.target_id or 0).first()
    holder = shipment and (shipment.merged_into or shipment)
    is_there = holder is not None and (holder.courier, holder.waybill) == (data["courier"], data["waybill"])
    return Verdict() if is_there else Verdict(BOX_FAILED)
