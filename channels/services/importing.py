"""주문 파일 접수: a file's rows with their verdicts, and the same rows stored; one judgement serves both."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from channels.models import OrderProfile
from channels.services.drafting import from_json, line_to_json, to_json
from channels.services.grouping import FileOrder, file_orders
from channels.services.limits import due_amount
from channels.services.placing import Incoming, known_orders, place_orders
from channels.services.reading import FileRow, Reading, file_rows
from channels.services.telling import Known, asked_of, tell
from core.excel import Table, returned_cell
from core.failpoints import declare, failpoint
from core.jobs.items import Verdict
from core.jobs.uploads import UploadRow
from core.models import Job, JobItem, Source
from core.money import won
from orders.models import Order, OrderLine, SalesChannel
from orders.services.intake import LineDraft, OrderDraft, lines_state

AFTER_PLACING = declare("import_after_placing", "orders of a chunk are stored; verdicts and commit are not")

INCOMPLETE = "같은 주문의 다른 행을 제외하여 이 주문을 등록하지 않았습니다."
KNOWN = "이미 등록한 주문입니다. 주문번호 {number}"
NEW_LINE = "이미 등록한 주문 {number}에 없는 품목입니다. 주문 상세에서 확인하세요."
CHANNEL_OFF = "사용하지 않는 판매채널입니다. 설정의 판매채널에서 사용으로 바꾼 뒤 다시 올려 주세요."


def judged_rows(reading: Reading, *, at: datetime) -> Iterator[UploadRow]:
    """미리보기 행: the rows of a file, an order's rows together, with what each would become; writes nothing."""
    orders = file_orders(reading, file_rows(reading), at=at)
    channel = reading.profile.channel
    drafts = [order for order in orders if order.draft is not None]
    known = known_orders(channel, [order.number for order in drafts])
    stored_lines = _stored_lines(known.values())
    told = _told(channel, drafts)
    creates = creates_products(reading.profile)
    for group, order in enumerate(orders, start=1):
        stored = known.get(order.number) if order.draft is not None else None
        rows = _rows_of(order, reading, stored, stored_lines, told, creates=creates)
        # Negative: rows of an order stay together in a chunk, and no row of ours is meant.
        yield from (_with_group(row, -group) for row in rows)


def creates_products(profile: OrderProfile) -> bool:
    """모르는 상품을 새로 등록하는지: what the profile says, else its channel."""
    return bool(profile.defaults.get("creates_products", profile.channel.creates_products))


def import_options(reading: Reading) -> dict[str, Any]:
    """작업에 남길 것: what apply and the error file need to know of the file."""
    return {
        "profile": reading.profile.pk,
        "profile_name": reading.profile.name,
        "channel": reading.profile.channel_id,
        "channel_name": reading.profile.channel.name,
        "sheet": reading.table.sheet,
        "header": list(reading.header.labels),
        "ignored": reading.ignored,
        "creates_products": creates_products(reading.profile),
    }


def apply_rows(
    items: Sequence[JobItem], *, actor: Any, at: datetime, batch: Job, channel: int, creates_products: bool
) -> dict[int, Verdict]:
    """반영: store the orders of a chunk of checked rows; an order whose rows are not all here is refused whole."""
    shop = SalesChannel.objects.get(pk=channel)
    if not shop.is_active:
        return {item.pk: Verdict(CHANNEL_OFF) for item in items}
    groups: dict[int | None, list[JobItem]] = {}
    for item in items:
        groups.setdefault(item.group_id, []).append(item)
    whole = [rows for rows in groups.values() if len(rows) == _facts(rows[0])["n"]]
    verdicts = {item.pk: Verdict(INCOMPLETE) for rows in groups.values() if rows not in whole for item in rows}
    incoming = [_incoming(rows) for rows in whole]
    placed = place_orders(
        channel=shop,
        incoming=incoming,
        actor=actor,
        at=at,
        source=Source.UPLOAD,
        creates_products=creates_products,
        batch=batch,
    )
    failpoint(AFTER_PLACING)
    lines = _lines_by_place(placed.created.values())
    for rows, one in zip(whole, incoming, strict=True):
        number = one.draft.channel_number
        if number in placed.created:
            made = lines[placed.created[number].pk]
            verdicts |= {item.pk: Verdict(target_id=made[at_line]) for at_line, item in enumerate(rows)}
        else:
            text = KNOWN.format(number=placed.known[number].number)
            verdicts |= {item.pk: Verdict(text) for item in rows}
    _forget([item.pk for item in items if not verdicts[item.pk].reason])
    return verdicts


def _facts(item: JobItem) -> Mapping[str, Any]:
    data: Mapping[str, Any] = item.data or {}
    return data


def _incoming(rows: Sequence[JobItem]) -> Incoming:
    rows = sorted(rows, key=lambda item: item.pk)
    facts = [_facts(item) for item in rows]
    order = next(one["order"] for one in facts if "order" in one)
    return Incoming(from_json(order, [one["line"] for one in facts]), [one.get("sku", "") for one in facts])


def _lines_by_place(orders: Iterable[Order]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    rows = OrderLine.objects.filter(order__in=[order.pk for order in orders]).order_by("order_id", "seq")
    for order_id, pk in rows.values_list("order_id", "pk"):
        found.setdefault(order_id, []).append(pk)
    return found


def _forget(done: Sequence[int]) -> None:
    """Personal data of stored rows lives on in the order only, not in the job as well."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE core_jobitem SET data = jsonb_build_object('number', data->'number') WHERE id = ANY(%s)",
            [list(done)],
        )


@dataclass(slots=True)
class StoredLines:
    """접수한 품목: what the lines of a known order were called when they came, until a row of the file takes each."""

    numbers: set[str] = field(default_factory=set)
    left: Counter[tuple[str, str, int]] = field(default_factory=Counter)

    def take(self, line: LineDraft) -> bool:
        """Whether a row of the file is one of them: by its number; without one by product, option and quantity."""
        if line.channel_number:
            return line.channel_number in self.numbers
        said = (line.channel_product, line.channel_option, line.quantity)
        self.left[said] -= 1
        return self.left[said] >= 0


def _stored_lines(orders: Iterable[Order]) -> dict[int, StoredLines]:
    """The channel's own words: they stay on a line through 품목 연결, cancels and new names of our products."""
    found: dict[int, StoredLines] = {order.pk: StoredLines() for order in orders}
    rows = OrderLine.objects.filter(order__in=list(found))
    columns = ("order_id", "channel_number", "channel_product", "channel_option", "quantity")
    for order_id, number, product, option, quantity in rows.values_list(*columns):
        found[order_id].numbers.add(number)
        found[order_id].left[product, option, quantity] += 1
    return found


def _told(channel: SalesChannel, orders: Sequence[FileOrder]) -> Known:
    """What is known of the products of the file; two queries."""
    return tell(
        channel,
        (
            asked_of(line, sku)
            for order in orders
            if order.draft is not None
            for line, sku in zip(order.draft.lines, order.skus, strict=True)
        ),
    )


def _rows_of(
    order: FileOrder,
    reading: Reading,
    stored: Order | None,
    stored_lines: Mapping[int, StoredLines],
    told: Known,
    *,
    creates: bool,
) -> Iterator[UploadRow]:
    for row in order.rows:
        if row.number in order.refused:
            yield UploadRow(row.number, _shown(order, row, reading), error=order.refused[row.number])
    if order.draft is None:
        return
    for place, (row, line, sku) in enumerate(zip(order.taken, order.draft.lines, order.skus, strict=True)):
        shown = _shown(order, row, reading)
        if stored is not None:
            error = "" if stored_lines[stored.pk].take(line) else NEW_LINE.format(number=stored.number)
            data = shown | {"plan": KNOWN.format(number=stored.number)}
            yield UploadRow(row.number, data, error=error, is_same=not error)
            continue
        is_connected = told.variant(asked_of(line, sku), creates=creates) is not None
        data = shown | {"n": len(order.taken), "line": line_to_json(line), "plan": _plan(order.draft, line)}
        data["plan"] += "" if is_connected else (" · 새 상품 등록" if creates else " · 품목 연결 대기")
        data |= {"order": to_json(order.draft)} if not place else {}
        data |= {"sku": sku} if sku else {}
        yield UploadRow(row.number, data, ask=order.ask)


def _plan(draft: OrderDraft, line: LineDraft) -> str:
    """What would be created, for the preview."""
    amount = line.unit_price * line.quantity - line.discount_amount
    return f"{lines_state(draft).label} · {line.quantity:,}개 {won(amount)} · 주문 {won(due_amount(draft))}"


def _shown(order: FileOrder, row: FileRow, reading: Reading) -> dict[str, Any]:
    return {
        "number": order.number or "",
        "product": str(row.get("product_name") or "")[:80],
        "cells": [stored_cell(reading.table, row.index, at) for at in range(reading.table.width)],
    }


def stored_cell(table: Table, index: int, column: int) -> Any:
    """셀 보관: a cell of the person's sheet as JSON, for the error file; a date stays one and is no text afterwards."""
    cell = returned_cell(table, index, column)
    return {"date": cell.isoformat()} if isinstance(cell, datetime) else cell


def restored_cell(stored: Any) -> Any:
    """셀 되살리기: the cell out of its stored form."""
    return datetime.fromisoformat(stored["date"]) if isinstance(stored, dict) else stored


def _with_group(row: UploadRow, group: int) -> UploadRow:
    return UploadRow(row.row_number, row.data, None, group, None, row.error, row.ask, row.is_same)
