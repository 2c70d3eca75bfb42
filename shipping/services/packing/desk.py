"""스캔: what a code means at the bench; every scan is judged under the locks of its shipment and kept (ux.md 3.1)."""

import re
import unicodedata
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError

from core.calendar import short
from core.exceptions import Conflict, DomainError
from products.models import Variant
from shipping.models import PrintBatch, PrintKind, Shipment
from shipping.services.packing import closing, commands
from shipping.services.packing.answers import STOPPED, WAIT, WORK, Answer, Kept, Scan, keep, known
from shipping.services.packing.bench import Bench, at_bench, refusal, stopped
from shipping.services.packing.counting import put_in
from shipping.services.packing.sticking import GOODS_FIRST, hand_courier, is_ean13, is_wanted, stick
from shipping.services.packing.stops import Stop
from shipping.services.packing.tally import name_of
from shipping.services.printing.scanning import LabelFound, LabelVerdict, find_label
from shipping.states import ScanVerdict, Signal

V, L = ScanVerdict, LabelVerdict
LONGEST = 60
EMPTY = "읽은 글자가 없습니다. 바코드를 다시 찍으세요."
ANOTHERS = "다른 사람의 스캔 번호입니다. 화면을 새로고침하세요."
PICKING = re.compile(r"P-20\d{6}-\d{4,6}")
WRONG = "다른 상품입니다. 스캔한 상품: {name}"
UNKNOWN = "등록되지 않은 바코드입니다: {code}"
MISREAD = "13자리 바코드의 검사 숫자가 맞지 않습니다. 다시 찍어 보세요."
FIRST_THE_LABEL = "송장이나 주문 바코드를 먼저 찍어 주세요."
OTHER_LABEL = "다른 주문의 송장입니다. 지금 주문을 마치거나 '다음'(CMD-NEXT)을 찍으세요."
PACKED = "이미 포장을 마친 배송건입니다."
LABEL_OK = "송장을 확인했습니다."


def scan(
    *,
    key: UUID,
    code: str,
    actor: Any,
    at: datetime,
    shipment_id: int | None = None,
    reason: str = "",
    line_id: int | None = None,
    quantity: int = 1,
) -> Answer:
    """스캔 한 번: a product, a label or a command (CMD-…), for the open shipment or to open one.

    The same `key` again answers as before and counts once. Raises DomainError, LockTimeout: then nothing was counted.
    """
    text = "".join(unicodedata.normalize("NFKC", code).replace("\x00", "").split()).upper()[:LONGEST]
    if not text:
        raise DomainError(EMPTY, code="empty_scan")
    one = Scan(key, text, actor, at, reason.strip()[:200], line_id, quantity)
    answer = known(one)
    if answer is None:
        try:
            answer = _answer(one, shipment_id)
        except IntegrityError:
            # What needs no shipment takes no locks: of two requests with the same key at once the other was first.
            answer = known(one)
            if answer is None:
                raise
    if answer.signal == Signal.DONE:
        closing.follow_up(answer, actor=actor, at=at, key=key)
    return answer


def _answer(one: Scan, shipment_id: int | None) -> Answer:
    if commands.is_taken(one):
        raise Conflict(ANOTHERS, code="foreign_scan")
    if one.code.startswith(commands.PREFIX):
        return commands.run(one, shipment_id)
    if shipment_id is not None:
        with at_bench(one, shipment_id) as bench:
            # Of two requests with the same key the second waits for the locks and finds the first one's row.
            if (answer := known(one)) is not None:
                return answer
            kept = _judge(one, bench)
            if kept is not None:
                return keep(one, kept)
    return _open(one)


def _judge(one: Scan, bench: Bench) -> Kept | None:
    """판정 of a code at an open shipment; None when it is the label of the next one."""
    lines = bench.tally.matching(one.code)
    if bench.is_packed:
        return _after(one, bench, is_product=bool(lines))
    if (refused := refusal(bench, one)) is not None:
        return refused
    if lines:
        return put_in(one, bench, lines)
    found = find_label(one.code)
    if found.shipment_id is None:
        return stick(one, bench) or _not_here(one, bench)
    if found.shipment_id != bench.shipment.pk and not bench.tally.counts:
        return None
    return _label_at(one, bench, found)


def _after(one: Scan, bench: Bench, *, is_product: bool) -> Kept | None:
    """A scan when the box is closed: its label, one that is stuck on it now, or the next shipment."""
    if bench.stop is not None and is_product:
        return stopped(bench)
    if is_product:
        answer = bench.answer(Signal.WRONG, PACKED, detail="더 담으려면 '다시 열기'를 누르거나 CMD-OPEN을 찍으세요.")
        return Kept(V.REFUSED, answer)
    return stick(one, bench) if find_label(one.code).shipment_id is None else None


def _label_at(one: Scan, bench: Bench, found: LabelFound) -> Kept:
    """A label at an open shipment: its own is verified, a void one stops, another one waits its turn."""
    if found.shipment_id != bench.shipment.pk:
        return Kept(V.WRONG, bench.answer(Signal.WRONG, OTHER_LABEL))
    if found.is_alarm:
        return stopped(bench, stop=_as_stop(found))
    if found.parcel_id is None or found.waybill.upper() != found.code:
        return Kept(V.COMMAND, bench.answer(Signal.OK, "열려 있는 배송건입니다."))
    bench.tally.verified.add(found.parcel_id)
    answer = bench.answer(Signal.OK, LABEL_OK)
    if bench.tally.is_complete:
        answer = closing.close(bench, one, by_itself=True)
    return Kept(V.LABEL, answer, parcel_id=found.parcel_id)


def _not_here(one: Scan, bench: Bench) -> Kept:
    """다른 상품, or a code that nobody knows."""
    variant = variant_of(one.code)
    if variant is None:
        answer = unknown(one.code, shipment_id=bench.shipment.pk)
        if not answer.detail and is_wanted(bench) and hand_courier():
            answer.detail = GOODS_FIRST
        return Kept(V.UNKNOWN, answer)
    names = {pk: name_of(line) for pk, line in bench.tally.lines.items()}
    left = ", ".join(f"{names[pk]} {n}개" for pk, n in list(bench.tally.missing.items())[:4])
    text = WRONG.format(name=f"{variant.product.name} {variant.option_text}".strip())
    detail = f"이 주문에 없습니다. 남은 상품: {left}" if left else "이 주문에 없습니다."
    return Kept(V.WRONG, bench.answer(Signal.WRONG, text, detail=detail, speech="다른 상품입니다"))


def variant_of(code: str) -> Variant | None:
    """상품 of a SKU or barcode as a scanner gives it, in capitals."""
    rows = Variant.objects.select_related("product")
    # Both have an index for what is written in capitals, which is nearly everything; then as written.
    found = rows.filter(sku=code).first() or rows.filter(barcode=code).first()
    return found or rows.filter(sku=code.lower()).first()


def unknown(code: str, *, shipment_id: int | None = None) -> Answer:
    """등록되지 않은 바코드, as it was typed, so that a scanner in Korean mode can be seen."""
    detail = MISREAD if code.isascii() and code.isdigit() and len(code) == 13 and not is_ean13(code) else ""
    screen = WORK if shipment_id else WAIT
    text = UNKNOWN.format(code=code)
    return Answer(Signal.UNKNOWN, text, detail, "등록되지 않은 바코드입니다", screen, shipment_id=shipment_id)


def _as_stop(found: LabelFound) -> Stop:
    return Stop(found.headline or found.text, who=found.who, when=short(found.when), reason=found.reason)


def _open(one: Scan) -> Answer:
    """배송건 열기 by waybill, 주문번호, 배송번호 or the code of a picking list."""
    if PICKING.fullmatch(one.code) and PrintBatch.objects.filter(number=one.code, kind=PrintKind.PICKING).exists():
        text = f"피킹리스트 {one.code}의 배송건입니다. 송장이나 주문 바코드를 찍어 주세요."
        return keep(one, Kept(V.COMMAND, Answer(Signal.OK, text, screen=WAIT, batch=one.code)))
    found = find_label(one.code)
    if found.verdict == L.CLOSED and found.shipment_id and (into := _merged_into(found.shipment_id)):
        found = find_label(into)
    if found.verdict == L.AMBIGUOUS:
        return keep(one, Kept(V.UNKNOWN, Answer(Signal.UNKNOWN, found.text, screen=WAIT)))
    if found.shipment_id is None:
        return keep(one, _no_shipment(one))
    if found.verdict in {L.VOID, L.REPLACED} or (found.verdict == L.CLOSED and found.parcel_id):
        stop = _as_stop(found)
        answer = Answer(Signal.STOP, stop.text, screen=STOPPED, shipment_id=found.shipment_id, stop=stop)
        answer.speech = stop.speech
        return keep(one, Kept(V.STOP, answer))
    with at_bench(one, found.shipment_id) as bench:
        return known(one) or keep(one, _opened(one, bench, found))


def _opened(one: Scan, bench: Bench, found: LabelFound) -> Kept:
    if (refused := refusal(bench, one)) is not None:
        return refused
    is_label = found.parcel_id is not None and found.waybill.upper() == found.code
    parcel_id = found.parcel_id if is_label else None
    if bench.is_packed:
        detail = bench.session.label_note
        return Kept(
            V.OPENED, bench.answer(Signal.OK, LABEL_OK if is_label else PACKED, detail=detail), parcel_id=parcel_id
        )
    text = "" if bench.is_new else "이어서 포장합니다."
    return Kept(V.OPENED, bench.answer(Signal.OK, text or "상품 바코드를 찍어 주세요."), parcel_id=parcel_id)


def _no_shipment(one: Scan) -> Kept:
    variant = variant_of(one.code)
    if variant is None:
        return Kept(V.UNKNOWN, unknown(one.code))
    name = f"{variant.product.name} {variant.option_text}".strip()
    return Kept(V.REFUSED, Answer(Signal.UNKNOWN, FIRST_THE_LABEL, f"스캔한 상품: {name}", screen=WAIT))


def _merged_into(shipment_id: int) -> str | None:
    """합포한 배송번호: where the lines of a shipment travel now."""
    rows = Shipment.objects.filter(pk=shipment_id, merged_into__isnull=False)
    return rows.values_list("merged_into__number", flat=True).first()
