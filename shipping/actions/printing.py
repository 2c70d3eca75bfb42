"""Buttons for documents: 송장 출력, 송장 다시 출력, 피킹리스트, 패킹리스트."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from django.forms import Form
from django.urls import reverse

from core.actions import MORE, SECONDARY, register
from core.state import Outcome
from orders.actions import BEFORE_REASON
from shipping.actions.base import ShipmentAction
from shipping.forms.printing import LabelForm, ReprintForm
from shipping.models import PrintBatch, PrintKind
from shipping.services.printing import labels, lists
from shipping.services.printing.batches import PART


class PrintAction(ShipmentAction):
    """출력: a document of the chosen shipments; they stay where they are."""

    permission = "shipping.print"
    style = SECONDARY
    moves_rows = False
    opens: ClassVar[str] = "인쇄 화면 열기"

    def document(self, job: Any) -> tuple[str, str] | None:
        batch = PrintBatch.objects.filter(job=job).only("number").first()
        return (self.opens, reverse("shipping:print_batch", args=[batch.number])) if batch else None


@register
class PrintLabels(PrintAction):
    """송장 출력: every numbered box of the shipments that was not printed yet."""

    name, label = "print-labels", "송장 출력"
    form_class: ClassVar[type[Form] | None] = LabelForm
    preview_data: ClassVar[dict[str, Any]] = {"paper": ""}
    remark = f"출력 기록이 남습니다. {PART:,}장이 넘으면 파일을 나눕니다."
    hotkey = "P"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, paper: str = "") -> Outcome:
        return self._printed(ids, actor=actor, at=at, batch=batch, paper=paper, reason="")

    def _printed(self, ids: Collection[int], **facts: Any) -> Outcome:
        """By shipment: printed when one of its boxes is, else refused with the reason of the first."""
        parcels = labels.printable_parcels(ids)
        asked = [pk for mine in parcels.values() for pk in mine]
        done = labels.print_labels(parcel_ids=asked, **facts)
        good = {parcel.shipment_id for parcel in done.outcome.possible}
        why = labels.without_number(set(ids) - parcels.keys())
        why |= {pk: done.outcome.refused[mine[0]] for pk, mine in parcels.items() if pk not in good}
        return Outcome(possible=[done.shipments[pk] for pk in sorted(good)], refused=why, changes=done.outcome.changes)


@register
class ReprintLabels(PrintLabels):
    """송장 다시 출력: the same number once more, with a reason; the label says that it is a copy."""

    name, label = "reprint-labels", "송장 다시 출력"
    form_class = ReprintForm
    preview_data: ClassVar[dict[str, Any]] = {"paper": "", "reason": BEFORE_REASON}
    style = MORE
    hotkey = ""

    def apply(
        self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, paper: str = "", reason: str = ""
    ) -> Outcome:
        return self._printed(ids, actor=actor, at=at, batch=batch, paper=paper, reason=reason)


@register
class PrintPickingList(PrintAction):
    """피킹리스트: what to fetch from the shelves for the chosen shipments."""

    name, label, opens = "print-picking", "피킹리스트", "피킹리스트 열기"
    thing, verb = "피킹리스트", "출력"
    remark = "주문은 바뀌지 않습니다."

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return lists.print_list(kind=PrintKind.PICKING, shipment_ids=ids, actor=actor, at=at, batch=batch)[0]


@register
class PrintPackingList(PrintAction):
    """패킹리스트: what lies in each box, for the buyer."""

    name, label, opens = "print-packing", "패킹리스트", "패킹리스트 열기"
    thing, verb = "패킹리스트", "출력"
    remark = "주문은 바뀌지 않습니다."

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return lists.print_list(kind=PrintKind.PACKING, shipment_ids=ids, actor=actor, at=at, batch=batch)[0]
