"""Buttons for a wrong number of a box that has left: 송장 정정, on 배송중 관리 and on 배송 예외."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.forms import Form
from django.utils import timezone

from core.actions import MORE, register
from core.events import event_model
from core.state import Outcome, is_preview, previewing
from orders.actions import BEFORE_REASON, LineAction
from orders.models import OrderLine
from orders.states import TRACKED
from shipping import events
from shipping.actions.base import S, shipment_of
from shipping.actions.exceptions import ExceptionAction
from shipping.forms.couriers import BoxCorrectionForm, CorrectionForm
from shipping.models import Parcel
from shipping.services.exceptions import deciding
from shipping.services.numbers import correcting
from shipping.services.numbers.parcels import WaybillEntry
from shipping.waybills import normalise

FORCE = "shipping.force_waybill"
NO_FORCE = "규칙과 다른 송장번호를 등록할 권한이 없습니다. 담당자에게 요청하세요."
NO_BOX = "정정할 송장번호가 없는 배송건입니다."
ONE_SHIPMENT = "배송건을 하나만 고르세요. 송장번호 하나는 배송건 하나에만 쓸 수 있습니다."
ONE_CASE = "예외를 하나만 고르세요. 송장번호 하나는 상자 하나에만 쓸 수 있습니다."
WHICH = "상자가 {count}개입니다. 틀린 송장번호를 적으세요: {numbers}"
NOT_HERE = "이 배송건의 송장번호가 아닙니다. 지금 번호: {numbers}"
TOLD = "고객에게 알리려면 '고객 안내'를 하세요."
BEFORE: dict[str, Any] = {"waybill": "", "reason": BEFORE_REASON}


def entry_of(*, waybill: str, courier: str, reason: str, forced: bool) -> WaybillEntry:
    """송장 입력 of the dialog."""
    return WaybillEntry(courier, waybill, forced_reason=reason if forced else "")


class Correction:
    """송장 정정: what both buttons share; named before the act's other base."""

    label: ClassVar[str] = "송장 정정"
    thing: ClassVar[str] = "송장번호"
    verb: ClassVar[str] = "정정"
    permission: ClassVar[str] = "shipping.register_waybill"
    taken_back_by: ClassVar[str] = "송장 정정"
    preview_data: ClassVar[Mapping[str, Any]] = BEFORE

    def afterword(self, batch: Any) -> str:
        """What the courier's rule remarks on the number, and that the buyer still has the old one."""
        told = event_model().objects.filter(batch=batch, kind=events.PARCEL_NUMBERED.code).order_by("id")
        remarks = [text for data in told.values_list("data", flat=True)[:1] if (text := (data or {}).get("remark"))]
        return " ".join([*remarks, TOLD])


def refuse_box(form: Any, box: Parcel, *, actor: Any = None) -> None:
    """맞지 않는 번호: what speaks against the number in the dialog becomes the error of its field."""
    cleaned = form.cleaned_data
    if "waybill" not in cleaned or "courier" not in cleaned:
        return
    facts = {name: cleaned.get(name, "") for name in ("waybill", "courier")}
    entry = entry_of(**facts, reason=cleaned.get("reason") or BEFORE_REASON, forced=bool(cleaned.get("forced")))
    with previewing():
        seen = correcting.correct_waybills(entries={box.pk: entry}, reason="", actor=actor, at=timezone.now())
    if text := seen.refused.get(box.pk):
        form.add_error("waybill", text)


@register
class CorrectWaybill(Correction, LineAction):
    """송장 정정 of a shipment that has left; where it has several boxes, the wrong number is named."""

    name = "correct-waybill"
    states = (S.SHIPPING,)
    is_whole = True
    style = MORE
    form_class: ClassVar[type[Form] | None] = CorrectionForm

    def fits(self, row: Any) -> bool:
        return row.delivery_method in TRACKED

    def check(self, form: Any, ids: Collection[int]) -> None:
        shipments = set(shipment_of(ids).values())
        if len(shipments) > 1:
            form.add_error(None, ONE_SHIPMENT)
            return
        mine = [box for boxes in correcting.correctable_boxes(shipments).values() for box in boxes]
        was = normalise(form.cleaned_data.get("was", ""))
        fitting = [box for box in mine if was in {"", box.waybill}]
        numbers = ", ".join(box.waybill for box in mine)
        if mine and not fitting:
            form.add_error("was", NOT_HERE.format(numbers=numbers))
        elif len(fitting) > 1:
            form.add_error("was", WHICH.format(count=len(mine), numbers=numbers))
        elif fitting:
            refuse_box(form, fitting[0])

    def apply(
        self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, waybill: str, reason: str,
        courier: str = "", was: str = "", forced: bool = False,
    ) -> Outcome:  # fmt: skip
        owner = shipment_of(ids)
        boxes = correcting.correctable_boxes(set(owner.values()))
        if is_preview() and not waybill:  # nobody has typed it yet
            lines = list(OrderLine.objects.filter(pk__in=[pk for pk, shipment in owner.items() if shipment in boxes]))
            return Outcome(possible=lines, refused={pk: NO_BOX for pk in ids if owner.get(pk) not in boxes})
        if forced and not actor.has_perm(FORCE):
            return Outcome(refused=dict.fromkeys(ids, NO_FORCE))
        named = normalise(was)
        chosen = [box for mine in boxes.values() for box in mine if named in {"", box.waybill}]
        if len(chosen) != 1:
            return Outcome(refused=dict.fromkeys(ids, NO_BOX))
        entry = entry_of(waybill=waybill, courier=courier, reason=reason, forced=forced)
        entries = {chosen[0].pk: entry}
        done = correcting.correct_waybills(entries=entries, reason=reason, actor=actor, at=at, batch=batch)
        text = done.refused.get(chosen[0].pk)
        if text is not None:
            return Outcome(refused=dict.fromkeys(ids, text))
        done.outcome.refused |= {pk: NO_BOX for pk in ids if owner.get(pk) != chosen[0].shipment_id}
        return done.outcome


@register
class CorrectCase(Correction, ExceptionAction):
    """송장 정정 of the box of a case: the next act of 송장번호 오류."""

    name = "correct-case"
    style = MORE
    form_class: ClassVar[type[Form] | None] = BoxCorrectionForm

    def check(self, form: Any, ids: Collection[int]) -> None:
        if len(ids) > 1:
            form.add_error(None, ONE_CASE)
            return
        box = Parcel.objects.filter(exceptions__in=ids).first()
        if box is not None:
            refuse_box(form, box)

    def apply(
        self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, waybill: str, reason: str,
        courier: str = "", forced: bool = False,
    ) -> Outcome:  # fmt: skip
        if is_preview() and not waybill:
            return deciding.correct(exception_ids=ids, entry=None, actor=actor, at=at, reason=reason)
        if forced and not actor.has_perm(FORCE):
            return Outcome(refused=dict.fromkeys(ids, NO_FORCE))
        entry = entry_of(waybill=waybill, courier=courier, reason=reason, forced=forced)
        return deciding.correct(exception_ids=ids, entry=entry, actor=actor, at=at, reason=reason, batch=batch)
