"""명령: what the keys of the bench and the printed command sheet (CMD-…) do; each is a scan with an id of its own."""

from collections.abc import Callable

from django.db import transaction

from core.settings_registry import get_setting
from orders.services import locks
from shipping import events
from shipping.models import PackingScan, Parcel, Shipment, ShipmentStep
from shipping.models.parcel import WAITS
from shipping.services import shipments
from shipping.services.packing import closing
from shipping.services.packing.answers import REASON, WAIT, WORK, Answer, Kept, Scan, keep, known
from shipping.services.packing.bench import Bench, at_bench, refusal, stopped
from shipping.services.packing.counting import put_in
from shipping.services.packing.tally import name_of
from shipping.states import PackingState, ScanVerdict, Signal

PREFIX = "CMD-"
UNDO, HOLD, PRINT, NEXT, TAKE, BOX, DONE, OPEN, COUNT, OUT = (
    f"{PREFIX}{word}" for word in ("UNDO", "HOLD", "PRINT", "NEXT", "TAKE", "BOX", "DONE", "OPEN", "COUNT", "OUT")
)
HOLD_REASONS = {f"{HOLD}-1": "상품 파손", f"{HOLD}-2": "재고 부족", f"{HOLD}-3": "상품 확인", f"{HOLD}-4": "주소 확인"}
"""보류 사유 of the command sheet, for people who have no hand free to type one."""
SHEET = {
    UNDO: "마지막 스캔 취소",
    NEXT: "다음 배송건",
    PRINT: "송장 다시 출력",
    BOX: "상자 추가",
    DONE: "검수 완료",
    OPEN: "다시 열기",
    TAKE: "이어받기",
    **{code: f"보류: {reason}" for code, reason in HOLD_REASONS.items()},
}
"""명령 시트: code and words, as they are printed."""
V = ScanVerdict
NO_COMMAND = "없는 명령입니다: {code}"
FIRST = "열려 있는 배송건이 없습니다. 송장이나 주문 바코드를 먼저 찍어 주세요."
NOTHING = "취소할 스캔이 없습니다."
CLOSED = "포장을 마친 배송건입니다. 먼저 '다시 열기'를 누르거나 CMD-OPEN을 찍으세요."
NOT_CLOSED = "아직 포장 중인 배송건입니다."
PICKED_UP = "택배사가 가져간 배송건이라 다시 열 수 없습니다."
MAY_NOT_UNSHIP = "배송중으로 바꾼 배송건입니다. 배송취소 권한이 있는 사람만 다시 열 수 있습니다."
EMPTY_BOX = "지금 상자가 비어 있습니다. 상품을 먼저 담으세요."
FEWER = "상자 추가를 취소했습니다. 다시 {n}번 상자에 담습니다."
REOPENED = "포장 다시 열기"


def is_taken(scan: Scan) -> bool:
    """남의 스캔 번호: the key is known, and not from this person."""
    return PackingScan.objects.filter(key=scan.key).exclude(actor=scan.actor).exists()


def run(scan: Scan, shipment_id: int | None) -> Answer:
    """명령 실행 at the open shipment."""
    if scan.code == NEXT:
        return keep(scan, Kept(V.COMMAND, Answer(Signal.OK, "", screen=WAIT)))
    act = _ACTS.get(HOLD if scan.code in HOLD_REASONS else scan.code)
    if act is None and scan.code != PRINT:
        return keep(scan, Kept(V.UNKNOWN, _about(shipment_id, Signal.UNKNOWN, NO_COMMAND.format(code=scan.code))))
    if shipment_id is None:
        return keep(scan, Kept(V.REFUSED, Answer(Signal.UNKNOWN, FIRST, screen=WAIT)))
    if act is None:
        return _print(scan, shipment_id)
    with transaction.atomic():
        if scan.code == OPEN and (refused := _take_back(scan, shipment_id)) is not None:
            return keep(scan, Kept(V.REFUSED, refused))
        with at_bench(scan, shipment_id) as bench:
            return known(scan) or keep(scan, act(scan, bench))


def _about(shipment_id: int | None, signal: Signal, text: str) -> Answer:
    return Answer(signal, text, screen=WORK if shipment_id else WAIT, shipment_id=shipment_id)


def _undo(scan: Scan, bench: Bench) -> Kept:
    """마지막 스캔 취소: the units of the last scan that counts leave the box; an added box that is empty goes first."""
    if (refused := refusal(bench, scan)) is not None:
        return refused
    if bench.is_packed:
        return Kept(V.REFUSED, bench.answer(Signal.WRONG, CLOSED))
    box = bench.session.boxes
    if box > 1 and not bench.tally.in_box(box):
        bench.session.boxes = box - 1
        bench.session.save(update_fields=["boxes"])
        return Kept(V.COMMAND, bench.answer(Signal.OK, FEWER.format(n=box - 1), speech=f"{box - 1}번 상자"))
    counted = PackingScan.objects.filter(shipment=bench.shipment, verdict=V.OK, undone_at__isnull=True)
    last = counted.select_related("line").order_by("-pk").first()
    if last is None or last.line is None:
        return Kept(V.REFUSED, bench.answer(Signal.WRONG, NOTHING))
    PackingScan.objects.filter(pk=last.pk).update(undone_at=scan.at)
    text = f"{name_of(last.line)} {last.quantity}개를 뺐습니다. 상자에서 꺼내세요."
    return Kept(V.COMMAND, bench.answer(Signal.OK, text, speech="취소했습니다"), line=last.line)


def _hold(scan: Scan, bench: Bench) -> Kept:
    """보류: the lines are held and the bench is free for the next; without a reason it is asked for."""
    if (refused := refusal(bench, scan)) is not None:
        return refused
    reason = HOLD_REASONS.get(scan.code) or scan.reason
    if not reason:
        answer = bench.answer(Signal.OK, "보류 사유를 고르거나 입력하세요.")
        answer.screen = REASON
        return Kept(V.COMMAND, answer)
    if not scan.actor.has_perm("orders.hold"):
        return Kept(V.REFUSED, bench.answer(Signal.WRONG, "배송보류 권한이 없습니다."))
    outcome = locks.hold(line_ids=list(bench.tally.lines), actor=scan.actor, at=scan.at, reason=reason)
    if not outcome.moved:
        return Kept(V.REFUSED, bench.answer(Signal.WRONG, next(iter(outcome.refused.values()), NOTHING)))
    answer = bench.answer(
        Signal.OK, f"{bench.shipment.number} 배송건을 보류했습니다. 사유: {reason}", speech="보류했습니다"
    )
    answer.screen = WAIT
    return Kept(V.COMMAND, answer)


def _take(scan: Scan, bench: Bench) -> Kept:
    """이어받기: from now on the scans of this person count."""
    if bench.stop is not None:
        return stopped(bench)
    before = bench.session.packer
    if bench.is_packed or before.pk == scan.actor.pk:
        return Kept(V.COMMAND, bench.answer(Signal.OK, "이미 담당하고 있는 배송건입니다."))
    bench.session.packer = scan.actor
    bench.session.opened_at = scan.at
    bench.session.save(update_fields=["packer", "opened_at"])
    return Kept(V.COMMAND, bench.answer(Signal.OK, f"{before.display_name} 님에게서 이어받았습니다."))


def _box(scan: Scan, bench: Bench) -> Kept:
    """상자 추가: the following scans go into the next box."""
    if (refused := refusal(bench, scan)) is not None:
        return refused
    if bench.is_packed:
        return Kept(V.REFUSED, bench.answer(Signal.WRONG, CLOSED))
    if not bench.tally.in_box(bench.session.boxes):
        return Kept(V.REFUSED, bench.answer(Signal.WRONG, EMPTY_BOX))
    bench.session.boxes += 1
    bench.session.save(update_fields=["boxes"])
    text = f"{bench.session.boxes}번 상자입니다. 이제 찍는 상품은 이 상자에 담습니다."
    return Kept(V.COMMAND, bench.answer(Signal.OK, text, speech=f"{bench.session.boxes}번 상자"))


def _done(scan: Scan, bench: Bench) -> Kept:
    """검수 완료 by hand."""
    if (refused := refusal(bench, scan)) is not None:
        return refused
    if bench.is_packed:
        return Kept(V.COMMAND, bench.answer(Signal.OK, CLOSED))
    answer = closing.close(bench, scan, by_itself=False)
    return Kept(V.COMMAND if answer.signal == Signal.DONE else V.REFUSED, answer)


def _take_back(scan: Scan, shipment_id: int) -> Answer | None:
    """배송취소 of what left by mistake and nobody has picked up, before its box is opened again; why not."""
    shipment = Shipment.objects.filter(pk=shipment_id).first()
    if shipment is None or shipment.step != ShipmentStep.SHIPPING:
        return None
    if shipment.first_scan_at is not None:
        return _about(shipment_id, Signal.WRONG, PICKED_UP)
    if not scan.actor.has_perm("shipping.unship"):
        return _about(shipment_id, Signal.WRONG, MAY_NOT_UNSHIP)
    ids = shipments.lines_of([shipment_id])
    outcome = shipments.unship(line_ids=ids, actor=scan.actor, at=scan.at, reason=REOPENED)
    return _about(shipment_id, Signal.WRONG, next(iter(outcome.refused.values()))) if outcome.refused else None


def _reopen(scan: Scan, bench: Bench) -> Kept:
    """다시 열기: the box is open again with everything that lies in it; until the courier picks it up."""
    if bench.stop is not None:
        return stopped(bench)
    if not bench.is_packed:
        return Kept(V.COMMAND, bench.answer(Signal.OK, NOT_CLOSED))
    session = bench.session
    session.state, session.closed_at, session.label_note = PackingState.OPEN, None, ""
    session.packer, session.opened_at, session.reopened_count = scan.actor, scan.at, session.reopened_count + 1
    session.save()
    Parcel.objects.filter(pk__in=[one.pk for one in bench.parcels if one.state in WAITS]).update(packed_at=None)
    closing.tell(bench.shipment, events.SHIPMENT_REOPENED, scan, boxes=session.boxes)
    return Kept(V.COMMAND, bench.answer(Signal.OK, "다시 열었습니다.", speech="다시 열었습니다"))


def _count(scan: Scan, bench: Bench) -> Kept:
    """수량 직접 확인: units of a line without scanning, one at a time unless the shop lets people type a number."""
    if (refused := refusal(bench, scan)) is not None:
        return refused
    line = bench.tally.lines.get(scan.line_id or 0)
    if bench.is_packed or line is None:
        return Kept(
            V.REFUSED, bench.answer(Signal.WRONG, CLOSED if bench.is_packed else "이 배송건에 없는 품목입니다.")
        )
    units = scan.quantity if get_setting("pack_takes_quantities") else 1
    if not 1 <= units <= 10_000:
        return Kept(V.REFUSED, bench.answer(Signal.WRONG, "수량은 1개부터 입력하세요."))
    return put_in(scan, bench, [line], units=units, is_by_hand=True)


def _out(scan: Scan, bench: Bench) -> Kept:
    """꺼냄: what was packed of a line that was canceled since is out of the box again."""
    if (refused := refusal(bench, scan)) is not None:
        return refused
    if bench.is_packed or scan.line_id not in bench.tally.surplus:
        return Kept(V.REFUSED, bench.answer(Signal.WRONG, CLOSED if bench.is_packed else "뺄 상품이 아닙니다."))
    mine = PackingScan.objects.filter(shipment=bench.shipment, line=scan.line_id, verdict=V.OK, undone_at__isnull=True)
    mine.update(undone_at=scan.at)
    return Kept(V.COMMAND, bench.answer(Signal.OK, "상자에서 뺐습니다. 남길 수량이 있으면 다시 찍으세요."))


def _print(scan: Scan, shipment_id: int) -> Answer:
    """송장 다시 출력: also the first one, when closing could not print it."""
    with at_bench(scan, shipment_id) as bench:
        answer = known(scan)
        if answer is None:
            answer = keep(
                scan, stopped(bench) if bench.stop else Kept(V.COMMAND, bench.answer(Signal.OK, "송장을 출력합니다."))
            )
    if answer.signal != Signal.OK:
        return answer
    answer = closing.follow_up(answer, actor=scan.actor, at=scan.at, key=scan.key, again=True)
    if not answer.print_number:
        answer.signal, answer.text = Signal.WRONG, "송장을 출력하지 못했습니다."
    return answer


_ACTS: dict[str, Callable[[Scan, Bench], Kept]] = {
    UNDO: _undo, HOLD: _hold, TAKE: _take, BOX: _box, DONE: _done, OPEN: _reopen, COUNT: _count, OUT: _out,
}  # fmt: skip
