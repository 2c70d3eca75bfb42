"""전달 확인: staff, the buyer's pick-up code or the rider's link say that the goods are handed over."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from core.exceptions import Conflict, NotFound
from core.models import Job, Source
from core.state import Outcome, is_preview
from orders.states import DeliveredBy
from shipping.models import Handover, Shipment, ShipmentStep
from shipping.services import seals
from shipping.services.handover.dispatching import wrong_lines
from shipping.services.riders import begin
from shipping.services.shipments import deliver_locked, lines_of, lines_of_whole_shipments, locked_shipments
from shipping.states import DeliveryMethod

MOST_TRIES = 5
WRONG_CODE = "수령 코드가 맞지 않습니다. 남은 횟수: {left}번"
TOO_MANY = (
    "수령 코드를 여러 번 틀려 막았습니다. 신분을 확인한 뒤 이름으로 수령 확인하거나, 준비 완료 알림을 다시 보내세요."
)
ONE_BY_ONE = "수령 코드는 배송건 하나에만 쓸 수 있습니다. 배송건을 하나만 고르세요."
DEAD_LINK = "쓸 수 없는 링크입니다. 판매자에게 새 링크를 받으세요."
USED_LINK = "이미 전달 완료한 링크입니다."


class LinkUsed(Conflict):
    """쓴 링크: the rider has pressed already, in another tab or a moment ago."""

    code = "link_used"


def hand_over(
    *, line_ids: Collection[int], memo: str, actor: Any, at: datetime, batch: Job | None = None, source: str = ""
) -> Outcome:
    """전달 완료: staff say that 퀵 or 직접전달 arrived; the memo stays in the history."""
    line_ids = lines_of_whole_shipments(line_ids)
    with locked_shipments(line_ids, actor=actor) as rows:
        refused = wrong_lines(rows, (DeliveryMethod.QUICK, DeliveryMethod.DIRECT))
        facts: dict[str, Any] = {"actor": actor, "at": at, "batch": batch, "source": source}
        good = [pk for pk in line_ids if pk not in refused]
        outcome = deliver_locked(rows, line_ids=good, by=DeliveredBy.STAFF, reason=memo or "전달 완료", **facts)
        outcome.refused |= refused
    return outcome


def receive(
    *,
    line_ids: Collection[int],
    code: str,
    name: str,
    actor: Any,
    at: datetime,
    batch: Job | None = None,
    source: str = "",
) -> Outcome:
    """수령 확인 of 방문수령: by the buyer's code, or by staff who looked at whoever came and write down the name.

    A wrong code is counted and refused; after five no code counts any more until a new one is sent. A preview neither
    compares nor counts, so that it tells nothing about the code.
    """
    line_ids = lines_of_whole_shipments(line_ids)
    with locked_shipments(line_ids, actor=actor) as rows:
        refused = wrong_lines(rows, (DeliveryMethod.VISIT,))
        good = {pk for pk in line_ids if pk not in refused}
        mine = [one for pk, one in sorted(rows.shipments.items()) if good & set(rows.lines_of[pk])]
        if code and good:
            reason = _code_refusal(mine, code)
            if reason:
                refused |= dict.fromkeys(good, reason)
                good = set()
        by = DeliveredBy.CODE if code else DeliveredBy.STAFF
        words = "수령 코드 확인" if code else "이름 확인"
        facts: dict[str, Any] = {"actor": actor, "at": at, "batch": batch, "source": source, "reason": words}
        outcome = deliver_locked(rows, line_ids=sorted(good), by=by, **facts)
        outcome.refused |= refused
        done = rows.shipments_of(outcome.moved)
        if done and name:
            Handover.objects.filter(shipment__in=done).update(received_by=name)
    return outcome


def _code_refusal(shipments: list[Shipment], code: str) -> str:
    if len(shipments) != 1:
        return ONE_BY_ONE
    begin(shipments, actor=None)
    row = Handover.objects.select_for_update().get(shipment=shipments[0])
    if row.tries >= MOST_TRIES:
        return TOO_MANY
    if is_preview():
        return ""
    if seals.is_code(row, code):
        return ""
    row.tries += 1
    row.save(update_fields=["tries", "updated_at"])
    left = MOST_TRIES - row.tries
    return WRONG_CODE.format(left=left) if left else TOO_MANY


@dataclass(frozen=True, slots=True)
class Errand:
    """기사가 보는 것: the town and the number of pieces; neither names nor numbers."""

    town: str
    pieces: int
    is_done: bool


def errand(*, token: str) -> Errand:
    """기사 링크 열기. Raises NotFound for a link that is wrong, replaced, or whose shipment is not under way."""
    row = _of_token(token)
    one = row.shipment
    is_done = row.link_used_at is not None
    if not is_done and one.step != ShipmentStep.SHIPPING:
        raise NotFound(DEAD_LINK)
    pieces = sum(one.items.filter(is_live=True).values_list("line__quantity", flat=True))
    return Errand(" ".join(one.address.split()[:2]), pieces, is_done)


def confirm_by_rider(*, token: str, at: datetime) -> None:
    """기사 전달 완료: once and only once, whoever presses at the same time. Raises NotFound, LinkUsed."""
    with transaction.atomic():
        row = _of_token(token)
        with locked_shipments(lines_of([row.shipment_id])) as rows:
            # Read again under the lock of the order: of two presses one has used it by now.
            row = _of_token(token)
            if row.link_used_at is not None:
                raise LinkUsed(USED_LINK)
            facts: dict[str, Any] = {"actor": None, "at": at, "source": Source.RIDER, "reason": "기사 링크"}
            outcome = deliver_locked(rows, line_ids=sorted(rows.lines), by=DeliveredBy.RIDER, **facts)
            if not outcome.moved:
                raise NotFound(DEAD_LINK)
            Handover.objects.filter(pk=row.pk).update(link_used_at=at)


def _of_token(token: str) -> Handover:
    rows = Handover.objects.select_related("shipment").filter(
        pk=seals.shipment_of_token(token), shipment__method=DeliveryMethod.QUICK
    )
    row = rows.first()
    if row is None or not seals.is_token(row, token):
        raise NotFound(DEAD_LINK)
    return row
