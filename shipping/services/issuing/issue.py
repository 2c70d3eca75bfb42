"""송장 채번: numbers for shipments by a contract; from a range at once, from a courier's API by the relay.

A range's numbers are reserved for their shipments in a short transaction of their own and written as parcels in the
next: whoever dies in between leaves numbers that the next attempt finds by their shipments and uses. One shipment has
at most one number on its way, whoever asks and how often (shipping.md 5.3, A15).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import F, Q

from core import drains
from core.calendar import kst_date, kst_day_range
from core.exceptions import DomainError
from core.failpoints import declare, failpoint
from core.locks import queueing
from core.lookups import Among
from core.models import Job
from core.settings_registry import one_at_a_time
from core.state import Change, Outcome, is_preview, move, preview_notes
from shipping.models import AccountState, CourierContract, Parcel, Shipment, WaybillDraft, WaybillNumber
from shipping.models.parcel import LIVE
from shipping.services.issuing.contracts import BLOCKED
from shipping.services.issuing.ranges import EXHAUSTED, supply_of, take_numbers, warn_when_low
from shipping.services.numbers import pool, waybills
from shipping.services.numbers.waybills import LOOKED_AT, NOT_FOUND, WaybillEntry, shipment_refusal
from shipping.services.refusals import not_ready
from shipping.services.shipments import Locked, locked_whole
from shipping.states import CancelState, ContractMode, NumberState

TYPED = "입력한 송장번호가 있어 채번하지 않았습니다. 송장 등록을 먼저 하거나, 입력한 번호를 지우세요."
ON_ITS_WAY = "발급 중"
ALREADY = "이미 발급됨: {number}"
ASKED = "이미 발급하고 있습니다. 번호가 오면 목록에 보입니다."
BY_FILE = (
    "파일로 번호를 받는 계약입니다. 목록의 '송장 양식 내려받기'로 보내고, 받은 파일을 '송장 엑셀 올리기'로 올리세요."
)
BY_HAND = (
    "번호를 직접 입력하는 계약입니다. 목록의 송장번호 칸에 입력하거나, 기본 계약으로 정하고 포장 검수대에서 스캔하세요."
)
NO_CONTRACT = "번호를 받을 계약이 없습니다. 설정의 송장 번호에서 계약을 등록하세요."
OVER_LIMIT = "오늘 이 계약으로 받을 수 있는 번호 {limit:,}개를 모두 썼습니다. 내일 다시 발급하세요."
WITHDRAWN = "발급을 취소했습니다."
UNFIT = "받아 둔 번호를 쓰지 않고 다시 채번했습니다."
RESERVED = declare("waybill_reserved", "the numbers are taken and belong to their shipments; no parcel has them yet")


class CannotIssue(DomainError):
    """채번할 수 없는 계약: the sentence says what to do instead."""

    code = "cannot_issue"
    status = 422


@dataclass(slots=True)
class Issue:
    """채번 결과 by shipment id. `registered` have their number, `waiting` will get one from the courier."""

    registered: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    outcome: Outcome = field(default_factory=Outcome)
    """Its rows are shipments, with the versions they have now; `possible` in a preview too."""


def issue_waybills(
    *, shipment_ids: Collection[int], contract_id: int | None, actor: Any, at: datetime, batch: Job | None = None
) -> Issue:
    """송장 채번 of shipments that wait for their number; asking again changes nothing. Raises CannotIssue.

    Outside of a transaction a range's numbers are committed before they are registered.
    """
    contract = usable(contract_id)
    facts: dict[str, Any] = {"actor": actor, "at": at, "batch": batch}
    if contract.is_api:
        return _ask(shipment_ids, contract, **facts)
    result = Issue()
    entries = reserve(shipment_ids=shipment_ids, contract=contract, refused=result.refused, **facts)
    if not is_preview():
        failpoint(RESERVED)
    return _register(entries, result, **facts)


def usable(contract_id: int | None) -> CourierContract:
    """쓸 수 있는 계약. Raises CannotIssue."""
    contract = CourierContract.objects.filter(pk=contract_id or 0, is_active=True).first()
    if contract is None:
        raise CannotIssue(NO_CONTRACT)
    if contract.mode in {ContractMode.COURIER_FILE, ContractMode.GOODSFLOW}:
        raise CannotIssue(BY_FILE)
    if contract.mode == ContractMode.HAND:
        raise CannotIssue(BY_HAND)
    if contract.state == AccountState.BLOCKED:
        raise CannotIssue(BLOCKED.format(name=contract.name))
    return contract


def reserve(
    *, shipment_ids: Collection[int], contract: CourierContract, actor: Any, at: datetime, batch: Job | None = None,
    refused: dict[int, str] | None = None,
) -> dict[int, WaybillEntry]:  # fmt: skip
    """번호 받아 두기: the number of each shipment, those of an earlier attempt first; why not goes into `refused`.

    In a preview nothing is taken: the entries have no number.
    """
    reasons = refused if refused is not None else {}
    with queueing(), locked_whole(shipment_ids, actor=actor, fields=LOOKED_AT) as rows:
        plan = _planned(shipment_ids, rows, reasons, contract=contract)
        wanted, known = plan.wanted, plan.known
        if is_preview():
            wanted = _within_supply(wanted, contract, reasons, at=at)
            return {pk: WaybillEntry(contract.courier, "") for pk in [*known, *wanted]}
        withdraw(plan.stale, at=at, error=UNFIT)
        taken = take_numbers(contract=contract, count=len(wanted), at=at) if wanted else []
        reasons |= dict.fromkeys(wanted[len(taken) :], EXHAUSTED)
        made = pool.insert(
            contract=contract, shipment_ids=wanted[: len(taken)], numbers=[one.number for one in taken],
            ranges=[one.range_id for one in taken], parcels={}, state=NumberState.RESERVED,
            actor=actor, at=at, batch=batch,
        ) if taken else []  # fmt: skip
    if taken:
        warn_when_low(contract, at=at)
    return known | {pk: WaybillEntry(contract.courier, number) for _, pk, number in made}


@dataclass(slots=True)
class _Plan:
    """채번 계획: shipments that need a number, the numbers that an earlier attempt at this contract has left for
    others, and left ones that serve nobody: of another contract, or typed on another box meanwhile."""

    wanted: list[int] = field(default_factory=list)
    known: dict[int, WaybillEntry] = field(default_factory=dict)
    stale: list[WaybillNumber] = field(default_factory=list)


def _planned(
    shipment_ids: Collection[int], rows: Locked, refused: dict[int, str], *, contract: CourierContract
) -> _Plan:
    numbers = pool.open_numbers(shipment_ids)
    left = {pk: one for pk, one in numbers.items() if one.range_id is not None and one.state == NumberState.RESERVED}
    lost = pool.used_elsewhere({pk: o.number for pk, o in left.items()}, {pk: o.courier for pk, o in left.items()})
    typed = drafted(rows.shipments)
    plan = _Plan()
    for pk in sorted(rows.shipments.keys() & set(shipment_ids)):
        live = next((p for p in rows.parcels_of.get(pk, []) if p.state in LIVE), None)
        if reason := shipment_refusal(rows.shipments[pk], rows, courier=contract.courier):
            refused[pk] = reason
        elif live is not None:
            refused[pk] = ALREADY.format(number=live.waybill)
        elif pk in typed:
            refused[pk] = TYPED
        elif pk not in numbers:
            plan.wanted.append(pk)
        elif pk not in left:
            refused[pk] = ASKED
        elif left[pk].contract_id == contract.pk and pk not in lost:
            plan.known[pk] = WaybillEntry(left[pk].courier, left[pk].number)
        else:
            plan.wanted.append(pk)
            plan.stale.append(left[pk])
    gone = set(shipment_ids) - rows.shipments.keys()
    refused.update(dict.fromkeys(gone, NOT_FOUND) | not_ready(gone))
    return plan


def issued_already(shipment_ids: Collection[int]) -> dict[int, str]:
    """이미 발급됨: a sentence per shipment that has its number by now, or will get it; two queries."""
    asked = dict.fromkeys(pool.open_numbers(shipment_ids), ASKED)
    live = Parcel.objects.filter(Among("shipment_id", shipment_ids), state__in=LIVE).exclude(waybill="")
    # The first box comes last and stays.
    numbers = dict(live.order_by("-pk").values_list("shipment_id", "waybill"))
    return asked | {pk: ALREADY.format(number=number) for pk, number in numbers.items()}


def drafted(shipment_ids: Collection[int]) -> set[int]:
    """임시 송장이 있는 배송건: what somebody typed is not thrown away for a number that nobody looked at; one query."""
    drafts = WaybillDraft.objects.filter(Among("shipment_id", shipment_ids)).exclude(text="")
    return set(drafts.values_list("shipment_id", flat=True))


def _within_supply(
    wanted: Sequence[int], contract: CourierContract, refused: dict[int, str], *, at: datetime
) -> list[int]:
    """Those for which the ranges have a number left, less what this preview has promised to others."""
    notes, key = preview_notes(), ("waybill-range", contract.pk)
    left = max(0, supply_of(contract, at=at).left - notes.get(key, 0))
    good = list(wanted[:left])
    notes[key] = notes.get(key, 0) + len(good)
    refused.update(dict.fromkeys(wanted[left:], EXHAUSTED))
    return good


def _register(entries: Mapping[int, WaybillEntry], result: Issue, **facts: Any) -> Issue:
    """The parcels of reserved numbers; a number whose shipment may not have it just now stays with the shipment."""
    if is_preview():
        result.outcome = _outcome(list(entries), result.refused)
        return result
    done = waybills.register_waybills(entries=entries, **facts) if entries else waybills.Registered()
    result.registered = done.possible
    result.refused |= done.refused | {pk: ALREADY.format(number=entries[pk].waybill) for pk in done.unchanged}
    result.outcome = _outcome(done.possible, result.refused)
    return result


def _outcome(shipment_ids: Collection[int], refused: Mapping[int, str]) -> Outcome:
    """The shipments as rows with the version that this has given them."""
    rows = list(Shipment.objects.filter(Among("pk", shipment_ids)).order_by("pk"))
    changes = [] if is_preview() else [Change(row, "", "", row.version) for row in rows]
    return Outcome(possible=rows, refused=dict(refused), changes=changes)


def _ask(
    shipment_ids: Collection[int], contract: CourierContract, *, actor: Any, at: datetime, batch: Job | None
) -> Issue:
    """번호 요청: written down with the shipments, sent by the relay as soon as this is committed."""
    result = Issue()
    with locked_whole(shipment_ids, actor=actor, fields=LOOKED_AT) as rows:
        plan = _planned(shipment_ids, rows, result.refused, contract=contract)
        good = _within_the_day(plan.wanted, contract, at=at)
        over = OVER_LIMIT.format(limit=contract.day_limit or 0)
        result.refused |= dict.fromkeys(plan.wanted[len(good) :], over)
        if good and not is_preview():
            withdraw([one for one in plan.stale if one.shipment_id in good], at=at, error=UNFIT)
            pool.insert(
                contract=contract, shipment_ids=good, numbers=[""] * len(good), ranges=[None] * len(good), parcels={},
                state=NumberState.REQUESTED, actor=actor, at=at, batch=batch,
            )  # fmt: skip
            _note(good, ON_ITS_WAY)
            drains.notify(pool.CHANNEL)
        result.waiting = good
        result.outcome = _outcome(good, result.refused)
    return result


def _within_the_day(wanted: Sequence[int], contract: CourierContract, *, at: datetime) -> list[int]:
    """Those for which the contract may still ask today, less what this preview has promised to others."""
    if contract.day_limit is None:
        return list(wanted)
    # Two who ask at once would both find the same numbers left.
    one_at_a_time(f"waybill_day.{contract.pk}")
    began = kst_day_range(kst_date(at))[0]
    asked = WaybillNumber.objects.filter(contract=contract, created_at__gte=began)
    used = asked.exclude(Q(state=NumberState.VOID) & Q(number="")).count()
    notes, key = preview_notes(), ("waybill-day", contract.pk)
    good = list(wanted[: max(0, contract.day_limit - used - notes.get(key, 0))])
    notes[key] = notes.get(key, 0) + len(good)
    return good


def _note(shipment_ids: Collection[int], text: str) -> None:
    """발급 진행 of locked shipments; screens that showed something else are stale now."""
    rows = Shipment.objects.filter(Among("pk", shipment_ids))
    rows.update(issuing=text[:200], version=F("version") + 1)


def undo_issue(*, shipment_ids: Collection[int], actor: Any, at: datetime, batch: Job | None, reason: str) -> Outcome:
    """채번 되돌리기: numbers that were written are voided, requests that wait are withdrawn; a courier is told."""
    with locked_whole(shipment_ids, actor=actor, fields=LOOKED_AT) as rows:
        waiting = {pk: row for pk, row in pool.open_numbers(shipment_ids).items() if pk in rows.shipments}
        numbered = [pk for pk in rows.shipments if pk not in waiting]
        outcome = waybills.undo_registration(
            shipment_ids=numbered, actor=actor, at=at, batch=batch, reason=reason
        ) if numbered else Outcome()  # fmt: skip
        if not waiting:
            return outcome
        if not is_preview():
            withdraw(waiting.values(), at=at, error=WITHDRAWN)
            _note(waiting, "")
        return outcome.merge(_outcome(list(waiting), {}))


def withdraw(numbers: Collection[WaybillNumber], *, at: datetime, error: str) -> None:
    """발급 거두기: open numbers of locked shipments end; the courier is told wherever it may know of the box."""
    if not numbers:
        return
    rows = pool.locked_by_id([row.pk for row in numbers])
    contracts = {row.pk: row.contract for row in numbers}
    # While a call is on its way nobody knows what becomes of it: its sender finds the row ended and says so as well.
    cancel = {row.pk: contracts[row.pk].is_api and (row.doubts or row.attempts or row.number) for row in rows}
    move(
        [row for row in rows if row.state in {NumberState.REQUESTED, NumberState.RESERVED, NumberState.REGISTERED}],
        WaybillNumber.void, at=at, error=error,
        per_row={pk: {"cancel": CancelState.DUE if due else CancelState.NONE} for pk, due in cancel.items()},
    )  # fmt: skip
    drains.notify(pool.CHANNEL)


def waiting_of(batch: Job) -> int:
    """아직 기다리는 번호 of a batch, for its result strip; one query."""
    return WaybillNumber.objects.filter(
        batch=batch, state__in=[NumberState.REQUESTED, NumberState.RESERVED, NumberState.REGISTERED]
    ).count()
