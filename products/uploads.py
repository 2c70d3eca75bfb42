"""재고 파일: counted figures from a spreadsheet, looked at first and then applied like any other correction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone

from accounts.models import User
from core.excel import (
    Column,
    FileProblem,
    Header,
    Kind,
    Problem,
    Table,
    find_header,
    read_table,
    returned_cell,
    stream_errors,
)
from core.excel.values import identifier, integer, text
from core.exceptions import DomainError
from core.jobs import files
from core.jobs.items import Verdict
from core.jobs.uploads import Upload, UploadRow, register
from core.models import ItemResult, Job, JobItem, Source
from core.state import previewing
from products.models import StockLevel, Variant
from products.services import stock
from products.services.drafts import clean_text

TARGETS = {
    "sku": ("품목코드", "상품품목코드", "자체품목코드", "옵션관리코드", "SKU"),
    "on_hand": ("실재고", "재고수량", "재고", "수량"),
    "reason": ("사유", "조정사유", "비고"),
}
NOT_FOUND = "품목코드를 찾을 수 없습니다. 상품 목록의 품목코드를 확인하세요."
SAME = "변화 없음"
"""What the preview notes for a row that changes nothing."""
NO_REASON = "사유를 입력하세요. 재고 이력에 남습니다."


@dataclass(frozen=True, slots=True)
class StockRow:
    """재고 파일 한 행 as read: values, or the reason why they cannot be."""

    row_number: int
    sku: str
    on_hand: int | None
    reason: str
    shown: Mapping[str, Any]
    error: str = ""


class NoStockColumns(DomainError):
    """재고 열 없음: the file has names, and 품목코드 or 실재고 is not among them."""

    code = "no_stock_columns"
    status = 422


@register
class StockUpload(Upload):
    """재고 파일 올리기: 품목코드, 실재고, 사유.

    The file is read before (it may need a password, which is stored nowhere): `StockUpload(table)` previews it, the
    registered one without a table applies and explains.
    """

    name, label, permission = "stock-upload", "재고 반영", "products.adjust_stock"
    model = StockLevel
    columns = (
        Column("sku", "품목코드", Kind.TEXT, 20),
        Column("on_hand", "실재고", Kind.ANY, 10),
        Column("reason", "사유", Kind.TEXT, 30),
    )

    def __init__(self, table: Table | None = None) -> None:
        self.table = table

    def read(self, path: Path, *, options: Mapping[str, Any], actor: Any) -> Iterable[UploadRow]:
        """미리보기: what each row would do, found out on the path that applies it. Raises FileProblem."""
        sheet = options.get("sheet") or None
        table = self.table or read_table(path.read_bytes(), filename=path.name, sheet=sheet)
        return _judged(stock_rows(table, reason=str(options.get("reason", ""))), actor=actor)

    def apply(
        self, items: Sequence[JobItem], *, actor: Any, at: datetime, batch: Job, **options: Any
    ) -> Mapping[int, Verdict]:
        """반영: set the figures of a chunk; a figure that changed since the preview is refused."""
        facts = {item.target_id: item.data or {} for item in items if item.target_id is not None}
        outcome = stock.adjust(
            changes={pk: row["on_hand"] for pk, row in facts.items()},
            reasons={pk: row["reason"] for pk, row in facts.items()},
            seen={pk: row["seen"] for pk, row in facts.items()},
            at=at,
            actor=actor,
            reason=self.label,
            reference=batch.uuid.hex,
            batch=batch,
            source=Source.UPLOAD,
        )
        return {
            item.pk: Verdict(outcome.refused.get(item.target_id, "")) for item in items if item.target_id is not None
        }

    def error_file(self, job: Job) -> Iterator[bytes]:
        """오류 파일: the refused rows of the person's own sheet, or of the items once the file is gone."""
        path = files.path_of(job.file_path)
        try:
            sheet = (job.params.get("options") or {}).get("sheet") or None
            table = read_table(path.read_bytes(), filename=job.file_name, sheet=sheet) if path is not None else None
        except FileProblem:
            table = None  # its password is stored nowhere
        if table is None:
            return super().error_file(job)
        places = {number: index for index, number in enumerate(table.numbers)}
        failed = JobItem.objects.filter(job=job, result=ItemResult.REFUSED).exclude(reason=SAME)
        reasons = {places[number]: reason for number, reason in failed.values_list("row_number", "reason") if number}
        return stream_errors(table, header_index=find_header(table, TARGETS).index, failed=reasons)


def stock_rows(table: Table, *, reason: str) -> list[StockRow]:
    """재고 파일 읽기: rows below the header, each with its values or what is wrong with them.

    `reason` stands in where the file gives none. Raises NoStockColumns when 품목코드 or 실재고 is no column.
    """
    try:
        header = find_header(table, TARGETS)
        lacking = header.missing("sku", "on_hand")
    except FileProblem:
        lacking = ["sku", "on_hand"]
    if lacking:
        names = ", ".join(f"'{TARGETS[key][0]}'" for key in lacking)
        raise NoStockColumns(f"파일에서 {names} 열을 찾지 못했습니다. 열 이름을 그대로 한 행에 적어 다시 올려 주세요.")
    return [_row(table, header, index, reason) for index in range(header.index + 1, len(table.rows))]


def _row(table: Table, header: Header, index: int, default_reason: str) -> StockRow:
    cells = {key: table.cell(index, column) for key, column in header.columns.items()}
    sku, on_hand = identifier(cells["sku"]), integer(cells["on_hand"])
    given = text(cells["reason"]) if "reason" in cells else ""
    shown = {key: text(returned_cell(table, index, column)) for key, column in header.columns.items()}
    error = next((value.message for value in (sku, on_hand, given) if isinstance(value, Problem)), "")
    if not error and not sku:
        error = "품목코드를 입력하세요."
    elif not error and on_hand is None:
        error = "실재고를 입력하세요."
    return StockRow(
        row_number=table.numbers[index],
        sku=sku if isinstance(sku, str) else "",
        on_hand=on_hand if isinstance(on_hand, int) else None,
        reason=clean_text(given, 200) if isinstance(given, str) and given else default_reason,
        shown=shown,
        error=error,
    )


def _judged(rows: Sequence[StockRow], *, actor: User | None) -> list[UploadRow]:
    """Verdicts: unknown and repeated codes, then what the correction itself says, without writing it."""
    variants = Variant.objects.filter(sku__in={row.sku for row in rows if not row.error}).select_related("product")
    known = {variant.sku: variant for variant in variants}
    first: dict[str, StockRow] = {}
    errors: dict[int, str] = {}
    for row in rows:
        if row.error or row.sku not in known:
            errors[row.row_number] = row.error or NOT_FOUND
        elif row.sku in first:
            errors[row.row_number] = f"파일의 {first[row.sku].row_number:,}행과 품목코드가 같습니다."
        else:
            first[row.sku] = row
    wanted = {known[sku].pk: row.on_hand or 0 for sku, row in first.items()}
    with previewing():
        outcome = stock.adjust(
            changes=wanted, at=timezone.now(), actor=actor, reason=StockUpload.label, reference="preview"
        )
    levels = StockLevel.objects.in_bulk(wanted)
    moving = {level.pk for level in outcome.possible}
    return [_verdict(row, errors, known.get(row.sku), levels, moving, outcome.refused) for row in rows]


def _verdict(
    row: StockRow,
    errors: Mapping[int, str],
    variant: Variant | None,
    levels: Mapping[int, StockLevel],
    moving: set[int],
    refused: Mapping[int, str],
) -> UploadRow:
    error = errors.get(row.row_number, "")
    if variant is None or error:
        return UploadRow(row.row_number, data=dict(row.shown), error=error)
    level = levels.get(variant.pk)
    is_same = variant.pk not in moving and variant.pk not in refused
    data = {
        "sku": row.sku,
        "on_hand": row.on_hand,
        "reason": row.reason,
        "now": level.on_hand if level else 0,
        "seen": level.version if level else 0,
        "name": " ".join(part for part in (variant.product.name, variant.option_text) if part),
    }
    error = refused.get(variant.pk, "" if is_same or row.reason else NO_REASON)
    return UploadRow(row.row_number, data=data, target_id=None if error else variant.pk, error=error, is_same=is_same)
