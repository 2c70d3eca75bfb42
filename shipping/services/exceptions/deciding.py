"""배송 예외 처리: what people do about a case; every act goes into the history with its reason.

Locks orders, lines, shipments, parcels, cases in this order, as the writer of news does, so that neither undoes the
other. Source: shipping.md 3.4, 11.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F

from core.calendar import business_calendar
from core.events import EventKind, record
from core.locks import locked
from core.models import Job
from core.people import named
from core.state import Change, Outcome, explain, is_preview, missing, move
from orders.services import locks
from orders.states import LOCK_BIT, LockKind
from shipping import events
from shipping.models import Parcel, ParcelLine, ShippingException, TrackingPoll
from shipping.rollup import refresh_parcels
from shipping.services import resending
from shipping.services.exceptions.opening import refresh_alerts
from shipping.services.numbers import correcting
from shipping.services.numbers.parcels import WaybillEntry
from shipping.services.polling import lanes, polls, wanting
from shipping.services.shipments import Locked, locked_whole
from shipping.states import ExceptionKind, ExceptionOutcome, ExceptionStage

NOT_FOUND = "배송 예외를 찾을 수 없습니다. 목록을 새로 고치세요."
NOT_CLOSED = "처리 완료된 예외만 다시 열 수 있습니다."
OPEN_ALREADY = "같은 송장에 같은 종류의 예외가 이미 열려 있습니다. 그 예외에서 처리하세요."
ITS_OWN = "{who} 이미 처리한 예외입니다: {outcome}"
NOT_ASKED = "이 택배사는 배송조회를 하지 않습니다. 택배사 홈페이지에서 확인하세요."
GONE_BOX = "이미 끝난 배송의 상자입니다. 주문에서 확인하세요."
INQUIRY_DAYS = 2
"""택배사에 문의함: the answer is looked for at the end of so many business days."""


@dataclass(slots=True)
class Case:
    """A case with its parcel as it stands, locked."""

    case: ShippingException
    parcel: Parcel
    rows: Locked


Refusal = Callable[[Case], str | None]


@contextmanager
def locked_cases(ids: Collection[int], *, actor: Any) -> Iterator[list[Case]]:
    """예외 by id, locked after their orders, lines, shipments and parcels."""
    shipments = set(ShippingException.objects.filter(pk__in=ids).values_list("shipment_id", flat=True))
    with locked_whole(shipments, actor=actor) as rows:
        cases = locked(ShippingException.objects.filter(pk__in=ids).select_related("closed_by", "shipment"))
        parcels = {parcel.pk: parcel for parcel in rows.parcels}
        # A deleted number, or one of a shipment that has lost its last line, is not among the live ones.
        ended = {case.parcel_id for case in cases} - parcels.keys()
        parcels |= {one.pk: one for one in locked(Parcel.objects.filter(pk__in=ended).select_related("shipment"))}
        yield [Case(case, parcels[case.parcel_id], rows) for case in cases]


def settled_by(case: ShippingException) -> str:
    """이미 처리한 예외라는 말."""
    who = f"{named(case.closed_by)}이"
    return ITS_OWN.format(who=who, outcome=ExceptionOutcome(case.outcome).label)


def still_open(one: Case) -> str | None:
    """처리 전이 아닌 까닭; None while the case waits for a decision."""
    return settled_by(one.case) if one.case.closed_at else None


def sort_out(cases: Collection[Case], asked: Collection[int], refusal: Refusal) -> tuple[Outcome, list[Case]]:
    """처리할 예외 고르기: those that nothing speaks against, and why the others are left as they are."""
    outcome, good = Outcome(), []
    for one in cases:
        if text := refusal(one):
            outcome.refused[one.case.pk] = text
        else:
            good.append(one)
    outcome.possible = [one.case for one in good]
    outcome.refused |= missing(set(asked), [one.case for one in cases], text=NOT_FOUND)
    return outcome, good


def write(
    outcome: Outcome, good: Collection[Case], kind: EventKind, values: Mapping[str, Any], *, to: ExceptionStage,
    at: datetime, **facts: Any,
) -> Outcome:  # fmt: skip
    """Write the same columns of every case, with one event each; nothing in a preview."""
    if is_preview() or not good:
        return outcome
    ids = [one.case.pk for one in good]
    ShippingException.objects.filter(pk__in=ids).update(updated_at=at, version=F("version") + 1, **values)
    outcome.changes = [Change(one.case, one.case.stage, to, one.case.version + 1) for one in good]
    data = {one.case.pk: {"kind": one.case.kind, "waybill": one.parcel.waybill} for one in good}
    record(outcome, kind, at=at, data=data, **facts)
    return outcome


def assign(
    *, exception_ids: Collection[int], assignee: Any, actor: Any, at: datetime, batch: Job | None = None
) -> Outcome:
    """담당자 지정: who looks after the cases from now on."""
    with locked_cases(exception_ids, actor=actor) as cases:
        outcome, good = sort_out(cases, exception_ids, still_open)
        name = assignee.display_name if assignee is not None else ""
        return write(
            outcome, good, events.EXCEPTION_ASSIGNED, {"assignee": assignee}, to=ExceptionStage.OPEN, at=at,
            actor=actor, batch=batch, reason=f"담당 {name}".strip(),
        )  # fmt: skip


def note(*, exception_ids: Collection[int], text: str, actor: Any, at: datetime, batch: Job | None = None) -> Outcome:
    """메모: what the next person must know."""
    with locked_cases(exception_ids, actor=actor) as cases:
        outcome, good = sort_out(cases, exception_ids, still_open)
        return write(
            outcome, good, events.EXCEPTION_NOTED, {"memo": text[:300]}, to=ExceptionStage.OPEN, at=at,
            actor=actor, batch=batch, reason=text[:200],
        )  # fmt: skip


def inquire(
    *, exception_ids: Collection[int], text: str, actor: Any, at: datetime, batch: Job | None = None
) -> Outcome:
    """택배사에 문의함: counted, and due again when the answer should be there."""
    with locked_cases(exception_ids, actor=actor) as cases:
        outcome, good = sort_out(cases, exception_ids, still_open)
        due = business_calendar().deadline(at, INQUIRY_DAYS)
        values = {"attempts": F("attempts") + 1, "due_at": due} | ({"memo": text[:300]} if text else {})
        return write(
            outcome, good, events.EXCEPTION_INQUIRED, values, to=ExceptionStage.OPEN, at=at,
            actor=actor, batch=batch, reason=text[:200],
        )  # fmt: skip


def close(
    *, exception_ids: Collection[int], result: ExceptionOutcome, actor: Any, at: datetime, reason: str,
    batch: Job | None = None,
) -> Outcome:  # fmt: skip
    """처리 완료: with what came of it and why; the same news does not open the case again."""
    with locked_cases(exception_ids, actor=actor) as cases:
        outcome, good = sort_out(cases, exception_ids, still_open)
        return _close(outcome, good, result, actor=actor, at=at, reason=reason, batch=batch)


def _close(outcome: Outcome, good: list[Case], result: ExceptionOutcome, *, at: datetime, **facts: Any) -> Outcome:
    values = {
        "closed_at": at, "closed_by": facts["actor"], "outcome": result, "reason": facts["reason"][:200]
    }  # fmt: skip
    write(outcome, good, events.EXCEPTION_CLOSED, values, to=ExceptionStage.DONE, at=at, **facts)
    if outcome.changes:
        _follow(good, at=at, **facts)
    return outcome


def _follow(good: Collection[Case], *, at: datetime, actor: Any, reason: str, batch: Job | None) -> None:
    """추적 오류 and 배송 확인 잠금 go with the last case that they are the short form of."""
    refresh_parcels(refresh_alerts(one.parcel.pk for one in good))
    disputed = {one.parcel.pk for one in good if one.case.kind == ExceptionKind.DELIVERY_DISPUTED}
    if not disputed:
        return
    lines = {pk: line for one in good for pk, line in one.rows.lines.items()}
    mine = ParcelLine.objects.filter(parcel__in=disputed).values_list("line_id", flat=True)
    bound = [pk for pk in set(mine) if pk in lines and lines[pk].open_locks & LOCK_BIT[LockKind.DELIVERY]]
    if bound:
        kind = LockKind.DELIVERY
        locks.release_lock(line_ids=bound, kind=kind, actor=actor, at=at, reason=reason[:150], batch=batch)


def reopen(
    *, exception_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None
) -> Outcome:
    """다시 열기: the case waits for a decision again, due at the end of the next business day."""

    def refusal(one: Case) -> str | None:
        if one.case.closed_at is None:
            return NOT_CLOSED
        others = ShippingException.objects.filter(parcel=one.parcel, kind=one.case.kind, closed_at=None)
        return OPEN_ALREADY if others.exists() else None

    with locked_cases(exception_ids, actor=actor) as cases:
        outcome, good = sort_out(cases, exception_ids, _one_each(refusal))
        values = {"closed_at": None, "closed_by": None, "outcome": "", "reason": "",
                  "due_at": business_calendar().deadline(at, 1)}  # fmt: skip
        write(
            outcome, good, events.EXCEPTION_REOPENED, values, to=ExceptionStage.OPEN, at=at,
            actor=actor, batch=batch, reason=reason,
        )  # fmt: skip
        if outcome.changes:
            refresh_parcels(refresh_alerts(one.parcel.pk for one in good))
            _lock_again(good, actor=actor, at=at, reason=reason, batch=batch)
        return outcome


def _one_each(refusal: Refusal) -> Refusal:
    """Of several closed cases of one parcel and kind only the first can be open."""
    seen: set[tuple[int, str]] = set()

    def check(one: Case) -> str | None:
        key = (one.parcel.pk, one.case.kind)
        text = OPEN_ALREADY if key in seen else refusal(one)
        if text is None:
            seen.add(key)
        return text

    return check


def _lock_again(good: Collection[Case], *, actor: Any, at: datetime, reason: str, batch: Job | None) -> None:
    disputed = {one.parcel.pk for one in good if one.case.kind == ExceptionKind.DELIVERY_DISPUTED}
    mine = set(ParcelLine.objects.filter(parcel__in=disputed).values_list("line_id", flat=True)) if disputed else set()
    lines = mine & {pk for one in good for pk in one.rows.lines}
    if lines:
        locks.place_lock(line_ids=lines, kind=LockKind.DELIVERY, actor=actor, at=at, reason=reason[:150], batch=batch)


def ask_again(*, exception_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None) -> Outcome:
    """다시 조회: the courier is asked at once; how often, and by which quota, is decided as by 배송조회."""

    def refusal(one: Case) -> str | None:
        return None if one.parcel.courier in couriers else NOT_ASKED

    couriers = lanes.routes_now().keys()
    with locked_cases(exception_ids, actor=actor) as cases:
        outcome, good = sort_out(cases, exception_ids, refusal)
        ids = {one.parcel.pk for one in good}
        going = set(TrackingPoll.objects.filter(parcel__in=ids, is_active=True).values_list("parcel_id", flat=True))
        if not is_preview():
            # One that ended long ago is asked about once more.
            polls.start(parcels=[one.parcel for one in good if one.parcel.pk not in going], at=at)
        why_not = wanting.poll_now(parcel_ids=going if is_preview() else ids, at=at).refused
        outcome.refused |= {one.case.pk: why_not[one.parcel.pk] for one in good if one.parcel.pk in why_not}
        good = [one for one in good if one.parcel.pk not in why_not]
        outcome.possible = [one.case for one in good]
        memo = "배송조회를 다시 요청했습니다."
        for stage in ExceptionStage:
            mine = [one for one in good if one.case.stage == stage]
            part = write(Outcome(), mine, events.EXCEPTION_NOTED, {}, to=stage, at=at, actor=actor, batch=batch,
                         reason=memo)  # fmt: skip
            outcome.changes += part.changes
        return outcome


def lose(*, exception_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None) -> Outcome:
    """분실 처리: the box is given up; its case stays until it is decided what becomes of the goods."""
    return _move(Parcel.lose, events.PARCEL_LOST, exception_ids, actor=actor, at=at, reason=reason, batch=batch)


def come_back(
    *, exception_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None
) -> Outcome:
    """반송 도착 확인: the box is in the house again."""
    return _move(
        Parcel.come_back, events.PARCEL_CAME_BACK, exception_ids, actor=actor, at=at, reason=reason, batch=batch
    )


def resume(
    *, exception_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None
) -> Outcome:
    """다시 배송: the courier brings it to the buyer after all; it is asked about again."""
    return _move(Parcel.resume, events.PARCEL_RESUMED, exception_ids, actor=actor, at=at, reason=reason, batch=batch)


def _move(
    method: Any, kind: EventKind, ids: Collection[int], *, actor: Any, at: datetime, reason: str, batch: Job | None
) -> Outcome:
    """A move of the boxes of cases: the cases that speak of the former place close with it (opening.keep_cases)."""
    with locked_cases(ids, actor=actor) as cases:
        outcome, good = sort_out(
            cases, ids, lambda one: still_open(one) or (None if one.parcel in one.rows.parcels else GONE_BOX)
        )
        parcels = {one.parcel.pk: one.parcel for one in good}
        moved = move(list(parcels.values()), method, at=at)
        record(moved, kind, at=at, actor=actor, reason=reason, batch=batch)
        if moved.moved:
            if kind == events.PARCEL_RESUMED:
                polls.start(parcels=moved.moved, at=at)
            else:
                polls.stop(parcels=moved.moved)
            refresh_parcels({parcel.shipment_id for parcel in moved.moved})
        outcome.refused |= {one.case.pk: moved.refused[one.parcel.pk] for one in good if one.parcel.pk in moved.refused}
        good = [one for one in good if one.case.pk not in outcome.refused]
        outcome.possible = [one.case for one in good]
        if not is_preview():
            _note_move(outcome, good, kind, actor=actor, at=at, reason=reason, batch=batch)
        return outcome


def correct(
    *, exception_ids: Collection[int], entry: WaybillEntry | None, actor: Any, at: datetime, reason: str,
    batch: Job | None = None,
) -> Outcome:  # fmt: skip
    """송장 정정 of the boxes of cases: they go on under another number, and what was said of the old one is settled.

    `entry` is None in a preview, before anybody has typed the number.
    """
    with locked_cases(exception_ids, actor=actor) as cases:
        outcome, good = sort_out(
            cases, exception_ids,
            lambda one: still_open(one)
            or (explain(one.parcel, Parcel.correct) if one.parcel in one.rows.parcels else GONE_BOX),
        )  # fmt: skip
        if entry is None:
            return outcome
        facts: dict[str, Any] = {"actor": actor, "at": at, "reason": reason, "batch": batch}
        done = correcting.correct_waybills(entries=dict.fromkeys((one.parcel.pk for one in good), entry), **facts)
        outcome.refused |= {one.case.pk: done.refused[one.parcel.pk] for one in good if one.parcel.pk in done.refused}
        good = [one for one in good if one.case.pk not in outcome.refused]
        outcome.possible = [one.case for one in good]
        if not is_preview():
            _note_move(outcome, good, events.PARCEL_CORRECTED, **facts)
            mine = ShippingException.objects.filter(pk__in=[one.case.pk for one in good])
            mine.update(closed_by=actor, reason=reason[:200])
        return outcome


def _note_move(outcome: Outcome, good: Collection[Case], kind: EventKind, *, at: datetime, **facts: Any) -> None:
    """What was done to the box, in the history of its case; one that ended with the move has its new version."""
    rows = ShippingException.objects.select_related("shipment").filter(pk__in=[one.case.pk for one in good])
    now = {one.pk: one for one in rows}
    facts["reason"] = f"{kind.label}: {facts['reason']}"[:200]
    left = [one for one in good if now[one.case.pk].version == one.case.version]
    noted = write(Outcome(), left, events.EXCEPTION_NOTED, {}, to=ExceptionStage.OPEN, at=at, **facts)
    ended = [now[one.case.pk] for one in good if now[one.case.pk].version != one.case.version]
    closed = Outcome(changes=[Change(one, ExceptionStage.OPEN, ExceptionStage.DONE, one.version) for one in ended])
    record(closed, events.EXCEPTION_CLOSED, at=at, **facts)
    outcome.changes = [*noted.changes, *closed.changes]


def resend(
    *, exception_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None
) -> Outcome:
    """재발송: the goods of boxes that came back or were lost go to 배송준비중; their cases end with it."""

    def refusal(one: Case) -> str | None:
        if text := still_open(one):
            return text
        return None if one.parcel.state in resending.GONE else NOT_GONE

    with locked_cases(exception_ids, actor=actor) as cases:
        outcome, good = sort_out(cases, exception_ids, refusal)
        shipments = {one.case.shipment_id for one in good}
        facts: dict[str, Any] = {"actor": actor, "at": at, "reason": reason, "batch": batch}
        lines = resending.resend(shipment_ids=shipments, **facts)
        went = {line.pk for line in lines.possible}
        owners: dict[int, set[int]] = {}
        items = ParcelLine.objects.filter(parcel__in=[one.parcel.pk for one in good])
        for parcel_id, line_id in items.values_list("parcel_id", "line_id"):
            owners.setdefault(parcel_id, set()).add(line_id)
        for one in good:
            if not owners.get(one.parcel.pk, set()) & went:
                texts = [lines.refused[pk] for pk in sorted(owners.get(one.parcel.pk, ())) if pk in lines.refused]
                outcome.refused[one.case.pk] = texts[0] if texts else GONE_BOX
        good = [one for one in good if one.case.pk not in outcome.refused]
        outcome.possible = [one.case for one in good]
        return _close(outcome, good, ExceptionOutcome.RESENT, **facts)


NOT_GONE = "반송이 도착했거나 분실 처리한 상자만 재발송할 수 있습니다. '반송 도착 확인'이나 '분실 처리'를 먼저 하세요."
