"""임시 송장: what was typed or pasted into the list and is not registered yet; colleagues see it (ux.md 3.2)."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from core.calendar import short
from core.exceptions import Conflict, DomainError
from core.jobs.history import since_the_screen
from core.korean import josa
from core.locks import locked, locking
from shipping.couriers import COURIERS, Courier, find_courier
from shipping.models import Parcel, Shipment, ShipmentStep, WaybillDraft
from shipping.models.parcel import LIVE
from shipping.services.files.keys import resolve
from shipping.services.numbers.waybills import NO_WAYBILL_NEEDED, NOT_FOUND, REGISTERED_BY, WaybillEntry
from shipping.services.refusals import not_ready, parcel_news
from shipping.states import TRACKED, DeliveryMethod
from shipping.waybills import WaybillLevel, check_waybill

NO_COURIER = "택배사를 먼저 고르세요."
TWICE = "같은 송장번호를 여러 주문에 붙여 넣었습니다. 번호를 확인하세요. 한 상자로 보내면 먼저 합포장하세요."
NEWS_LOST = since_the_screen("다른 직원이", "송장번호를 바꿨습니다")
TWO_NUMBERS = "같은 주문의 다른 송장번호"
MOST_LINES = 1000


class DraftRefused(DomainError):
    """임시 송장 거절: the number cannot be kept; the message goes below the cell.

    `waybill` is the registered number ("" for none) that is left when the draft of the cell was taken away with it;
    None when the cell was not touched.
    """

    code = "draft_refused"
    status = 422

    def __init__(self, message: str, *, waybill: str | None = None) -> None:
        super().__init__(message)
        self.waybill = waybill


class Unkept(NamedTuple):
    """못 채운 칸: what was pasted into it, the sentence for below it, and the registered number, "" for none."""

    text: str
    error: str
    waybill: str


@dataclass(slots=True)
class Pasted:
    """붙여넣기 결과: the shipments whose cells were filled, and how many lines were not, by reason."""

    filled: list[int] = field(default_factory=list)
    taken: int = 0
    """Lines whose cell a colleague had filled or emptied since the list was read."""
    reasons: dict[str, int] = field(default_factory=dict)
    unkept: dict[int, Unkept] = field(default_factory=dict)
    """By shipment: cells whose pasted text was refused; an older draft of theirs is gone."""

    def refuse(self, reason: str) -> None:
        """Count one line that was not taken."""
        self.reasons[reason] = self.reasons.get(reason, 0) + 1


class CellTaken(Conflict):
    """칸 충돌: the cell no longer holds what the screen showed; `waybill` and `courier` are what it holds now."""

    code = "cell_taken"

    def __init__(self, message: str, *, courier: str, waybill: str, is_draft: bool) -> None:
        super().__init__(message)
        self.courier, self.waybill, self.is_draft = courier, waybill, is_draft


def save_draft(
    *, shipment_id: int, courier: str, text: str, actor: Any, at: datetime, shown: tuple[str, str] | None = None
) -> tuple[Shipment, str, str]:
    """임시 저장: keep what was typed for a shipment; an empty text or the registered number takes the draft away.

    `shown` is the (courier, number) that the cell held on the person's screen, None when nothing typed was shown.
    Returns the shipment, the clean number and a remark (empty when there is none). Raises CellTaken when somebody else
    has changed the cell since, and DraftRefused; a refused text takes the older draft away, so that nobody registers a
    number that no longer stands in the cell.
    """
    refused = ""
    with locking(actor=actor):
        shipment = next(iter(locked(Shipment.objects.filter(pk=shipment_id))), None)
        if shipment is None:
            raise DraftRefused(NOT_FOUND)
        known, number, remark = COURIERS.get(courier), "", ""
        if text.strip():
            _refuse_not_waiting(shipment)
            try:
                number, remark = _judged(shipment, known, text)
            except DraftRefused as error:
                refused = error.message
        _refuse_taken(shipment, shown, (courier, number or text.strip()), actor=actor)
        if known is None or not number:
            _empty([shipment.pk], actor=actor, at=at)
        else:
            _keep({shipment.pk: (known.slug, number)}, actor=actor, at=at)
    if refused:
        raise DraftRefused(refused, waybill=shipment.waybill)
    return shipment, number, remark


def _refuse_taken(shipment: Shipment, shown: tuple[str, str] | None, typed: tuple[str, str], *, actor: Any) -> None:
    """One wins, the other is told: raises CellTaken when a colleague made the cell differ from what was shown."""
    draft = WaybillDraft.objects.select_related("author").filter(shipment=shipment).first()
    is_draft = draft is not None and bool(draft.text)
    now = (draft.courier, draft.text) if draft is not None and is_draft else (shipment.courier, shipment.waybill)
    courier, number = shown if shown is not None else (shipment.courier, shipment.waybill)
    is_as_shown = number == now[1] and (courier == now[0] or not is_draft)
    if is_as_shown or now == typed or (draft is not None and draft.author_id == actor.pk):
        return
    if draft is not None:
        news = typed_words(draft)
    else:
        news = parcel_news([shipment.pk]).get(shipment.pk, NEWS_LOST)
    kept = f"입력한 번호({typed[1]})는 저장하지 않았습니다" if typed[1] else "지우지 않았습니다"
    text = f"{news} {kept}. 지금 번호를 확인하고, 바꾸려면 다시 입력하세요."
    raise CellTaken(text, courier=now[0], waybill=now[1], is_draft=is_draft)


def _refuse_not_waiting(shipment: Shipment) -> None:
    if shipment.step != ShipmentStep.READY:
        raise DraftRefused(not_ready([shipment.pk]).get(shipment.pk, NOT_FOUND))
    if shipment.method not in TRACKED:
        raise DraftRefused(NO_WAYBILL_NEEDED)


def _judged(shipment: Shipment, courier: Courier | None, text: str) -> tuple[str, str]:
    """The clean number and a remark. Raises DraftRefused."""
    if courier is None:
        raise DraftRefused(NO_COURIER)
    verdict = check_waybill(text, courier)
    if verdict.level is WaybillLevel.BLOCK:
        raise DraftRefused(verdict.message)
    used = Parcel.objects.filter(courier=courier.slug, waybill=verdict.number, state__in=LIVE)
    rival = used.exclude(shipment=shipment).select_related("shipment__order").first()
    if rival is not None:
        raise DraftRefused(f"다른 주문 {rival.shipment.order.number}에서 쓰고 있는 송장번호입니다.")
    return verdict.number, verdict.message


def _empty(shipment_ids: Collection[int], *, actor: Any, at: datetime) -> None:
    """Drafts taken away: the row stays without a number, so that a colleague can be told who did it and when."""
    drafts = WaybillDraft.objects.filter(shipment__in=shipment_ids).exclude(text="")
    drafts.update(courier="", text="", author=actor, saved_at=at)


def _keep(numbers: Mapping[int, tuple[str, str]], *, actor: Any, at: datetime) -> None:
    """Store drafts, without those that say what is registered already."""
    shipments = Shipment.objects.in_bulk(list(numbers))
    same = [pk for pk, row in shipments.items() if (row.courier, row.waybill) == numbers[pk]]
    _empty(same, actor=actor, at=at)
    WaybillDraft.objects.bulk_create(
        [
            WaybillDraft(shipment_id=pk, courier=courier, text=number, author=actor, saved_at=at)
            for pk, (courier, number) in sorted(numbers.items())
            if pk in shipments and pk not in same
        ],
        update_conflicts=True,
        unique_fields=["shipment"],
        update_fields=["courier", "text", "author", "saved_at"],
    )


def paste(
    *, lines: Sequence[Sequence[str]], listed: Mapping[int, Any] | None, default_courier: str, actor: Any, at: datetime,
    seen_at: datetime | None = None,
) -> Pasted:  # fmt: skip
    """붙여넣기: keep the numbers of a pasted range as drafts, found by their key, never by their place.

    A line is (key, number) or (key, courier, number). `listed` holds the ids of the shipments on the list; None takes
    all that wait. What a colleague typed or registered since `seen_at`, when the list was read, is left as it is; None
    leaves everything that colleagues typed. A refused number takes the older draft of its cell away; one number for
    several shipments is kept for none of them, of two numbers for one shipment the first. Nothing changes state.
    """
    if len(lines) > MOST_LINES:
        raise DraftRefused(f"한 번에 {MOST_LINES:,}줄까지 붙여 넣을 수 있습니다. 나누어 붙여 넣으세요.")
    pasted = Pasted()
    numbers: dict[int, tuple[str, str]] = {}
    found = resolve({line[0] for line in lines if len(line) > 1})
    with locking(actor=actor):
        rows = locked(Shipment.objects.filter(pk__in=set(found.shipments.values())))
        shipments = {row.pk: row for row in rows}
        taken = _taken_since(shipments, actor=actor, seen_at=seen_at)
        for line in lines:
            shipment = shipments.get(found.shipments.get(line[0], 0)) if len(line) > 1 else None
            if shipment is None or (listed is not None and shipment.pk not in listed):
                pasted.refuse("이 목록에 없는 주문")
            elif shipment.pk in taken:
                pasted.refuse(taken[shipment.pk])
                pasted.taken += 1
            else:
                _take_line(shipment, line, default_courier, numbers=numbers, pasted=pasted)
        _refuse_twins(shipments, numbers=numbers, pasted=pasted)
        _keep(numbers, actor=actor, at=at)
        pasted.unkept = {pk: cell for pk, cell in pasted.unkept.items() if pk not in numbers}
        _empty(pasted.unkept, actor=actor, at=at)
    pasted.filled = sorted(numbers)
    return pasted


def _take_line(
    shipment: Shipment,
    line: Sequence[str],
    default_courier: str,
    *,
    numbers: dict[int, tuple[str, str]],
    pasted: Pasted,
) -> None:
    """One pasted line for a shipment: its number into `numbers`, or into `pasted` why not."""
    named = line[1].strip() if len(line) > 2 else ""
    usual = REGISTERED_BY if shipment.method == DeliveryMethod.REGISTERED else default_courier
    courier = COURIERS.get(named or usual) or (find_courier(named) if named else None)
    try:
        _refuse_not_waiting(shipment)
    except DraftRefused:
        pasted.refuse("송장을 등록할 수 없는 주문")
        return
    try:
        if not isinstance(courier, Courier):
            raise DraftRefused(courier.message if courier else NO_COURIER)
        entry = (courier.slug, _judged(shipment, courier, line[-1])[0])
    except DraftRefused as refused:
        pasted.refuse(_in_short(refused) if isinstance(courier, Courier) else "알 수 없는 택배사")
        pasted.unkept[shipment.pk] = Unkept(line[-1][:40], refused.message, shipment.waybill)
    else:
        # As in a file: of two numbers for one shipment the first one counts, and nobody loses the other unseen.
        if numbers.setdefault(shipment.pk, entry) != entry:
            pasted.refuse(TWO_NUMBERS)


def _refuse_twins(shipments: Mapping[int, Shipment], *, numbers: dict[int, tuple[str, str]], pasted: Pasted) -> None:
    """One number for several shipments is refused for each, as in a file: nobody knows whose it is."""
    counts = Counter(numbers.values())
    for pk, entry in list(numbers.items()):
        if counts[entry] > 1:
            del numbers[pk]
            pasted.refuse("여러 주문에 같은 번호")
            pasted.unkept[pk] = Unkept(entry[1], TWICE, shipments[pk].waybill)


def _in_short(refused: DraftRefused) -> str:
    """The reason for the strip, which counts them."""
    return "다른 주문에서 쓰는 번호" if "쓰고 있는" in refused.message else "형식 오류"


def _taken_since(shipment_ids: Collection[int], *, actor: Any, seen_at: datetime | None) -> dict[int, str]:
    """Cells that a colleague typed into, emptied or had registered since the list was read: who and when."""
    drafts = WaybillDraft.objects.filter(shipment__in=shipment_ids).select_related("author")
    unseen = [draft for draft in drafts if _is_unseen(draft, actor=actor, seen_at=seen_at)]
    taken = {draft.pk: f"{_author_of(draft)} 먼저 {'입력한' if draft.text else '지운'} 칸" for draft in unseen}
    if seen_at is None:
        return taken
    news = parcel_news(shipment_ids, since=seen_at, but=actor)
    return {pk: text.rstrip(".") for pk, text in news.items()} | taken


def _is_unseen(draft: WaybillDraft, *, actor: Any, seen_at: datetime | None) -> bool:
    """A colleague's change of the cell that was not on the screen; without a time only what they typed counts."""
    is_later = draft.saved_at > seen_at if seen_at is not None else bool(draft.text)
    return draft.author_id != actor.pk and is_later


def typed_words(draft: WaybillDraft) -> str:
    """누가 언제 입력했나: a sentence about a draft, or about the emptied cell that it has become."""
    did = f"{josa(draft.text, '으로/로')} 입력했습니다." if draft.text else "송장번호를 지웠습니다."
    return f"{_author_of(draft)} 먼저 {did}"


def _author_of(draft: WaybillDraft) -> str:
    return f"{short(draft.saved_at)}에 {draft.author.display_name} 님이"


def drafted_entries(
    shipment_ids: Collection[int], *, actor: Any, seen_at: datetime | None
) -> tuple[dict[int, WaybillEntry], dict[int, str]]:
    """등록할 임시 송장: entries of the shipments that have a draft, and why others may not be registered now.

    One's own drafts, and those of colleagues that were there when the list was read (`seen_at`); nobody registers a
    number that was not on the screen. A draft that was written after another number was registered was typed over that
    number: it may replace it.
    """
    drafts = list(WaybillDraft.objects.filter(shipment__in=shipment_ids).select_related("author"))
    unseen = {
        draft.pk: f"{typed_words(draft)} 목록을 새로 고쳐 번호를 확인한 뒤 등록하세요."
        for draft in drafts
        if _is_unseen(draft, actor=actor, seen_at=seen_at)
    }
    newest: dict[int, datetime] = {}
    live = Parcel.objects.filter(shipment__in=shipment_ids, state__in=LIVE, numbered_at__isnull=False)
    for shipment_id, numbered_at in live.order_by("numbered_at").values_list("shipment_id", "numbered_at"):
        if numbered_at is not None:
            newest[shipment_id] = numbered_at
    entries = {
        draft.pk: WaybillEntry(draft.courier, draft.text, draft.pk in newest and draft.saved_at > newest[draft.pk])
        for draft in drafts
        if draft.text and draft.pk not in unseen
    }
    return entries, unseen
