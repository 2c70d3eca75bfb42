"""Buttons for waybill numbers: 송장 등록, 규칙과 다른 송장 등록, 송장 채번, 송장 삭제."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from core.actions import MORE, SECONDARY, register
from core.failpoints import failpoint
from core.state import Outcome, is_preview
from orders.actions import UNDO_REASON, LineAction, Reasoned
from orders.models import OrderLine
from orders.states import TRACKED
from shipping.actions.base import S, ShipmentAction, shipment_of
from shipping.forms.couriers import ForcedWaybillForm
from shipping.forms.issuing import IssueForm
from shipping.services.files.drafts import drafted_entries
from shipping.services.issuing import issue
from shipping.services.numbers import waybills

NO_DRAFT = "송장번호가 없습니다."
WAITING = "{count:,}건은 택배사의 답을 기다립니다. 번호가 오는 대로 목록에 보입니다."
SAME = "이미 등록된 송장번호입니다."


@register
class RegisterWaybill(LineAction):
    """송장 등록: the numbers that were typed into the list become parcels; the shipments wait for the courier."""

    name, label, permission = "register-waybill", "송장 등록", "shipping.register_waybill"
    thing, verb = "송장번호", "등록"
    states = (S.READY,)
    is_whole = True
    style = SECONDARY
    is_undoable = True
    undo_data: ClassVar[dict[str, Any]] = {"reason": UNDO_REASON}

    def fits(self, row: Any) -> bool:
        return row.delivery_method in TRACKED

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        owner = shipment_of(ids)
        shipment_ids = set(owner.values())
        entries, unseen = drafted_entries(shipment_ids, actor=actor, seen_at=batch.seen_at)
        done = waybills.register_waybills(entries=entries, actor=actor, at=at, batch=batch)
        reasons = dict.fromkeys(shipment_ids - entries.keys(), NO_DRAFT) | dict.fromkeys(done.unchanged, SAME)
        reasons |= done.refused | unseen
        done.outcome.refused |= {pk: reasons[shipment] for pk, shipment in owner.items() if shipment in reasons}
        return done.outcome

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        owner = shipment_of(ids)
        undone = waybills.undo_registration(
            shipment_ids=set(owner.values()), actor=actor, at=at, batch=batch, reason=reason
        )
        possible = {shipment.pk for shipment in undone.possible}
        lines = OrderLine.objects.filter(pk__in=[pk for pk, shipment in owner.items() if shipment in possible])
        refused = {pk: undone.refused[one] for pk, one in owner.items() if one in undone.refused}
        return Outcome(possible=list(lines), refused=refused, changes=undone.changes)


@register
class ForceWaybill(LineAction):
    """규칙과 다른 송장 등록: a number whose length or check digit the rule blocks, with the reason of a manager."""

    name, label, permission = "force-waybill", "규칙과 다른 송장 등록", "shipping.force_waybill"
    thing, verb = "송장번호", "등록"
    states = (S.READY,)
    is_whole = True
    style = MORE
    form_class = ForcedWaybillForm
    preview_data: ClassVar[dict[str, Any]] = {"courier": "", "waybill": "", "reason": ""}

    def fits(self, row: Any) -> bool:
        return row.delivery_method in TRACKED

    def check(self, form: Any, ids: Collection[int]) -> None:
        if len(set(shipment_of(ids).values())) > 1:
            form.add_error(None, "배송건을 하나만 고르세요. 송장번호 하나는 배송건 하나에만 쓸 수 있습니다.")

    def apply(
        self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, courier: str, waybill: str, reason: str
    ) -> Outcome:
        owner = shipment_of(ids)
        if is_preview() and not waybill:  # nobody has typed it yet
            return Outcome(possible=list(OrderLine.objects.filter(pk__in=ids)))
        entry = waybills.WaybillEntry(courier, waybill, forced_reason=reason)
        entries = dict.fromkeys(sorted(set(owner.values()))[:1], entry)
        done = waybills.register_waybills(entries=entries, actor=actor, at=at, batch=batch)
        reasons = dict.fromkeys(owner.values() - entries.keys(), SAME) | dict.fromkeys(done.unchanged, SAME)
        reasons |= done.refused
        done.outcome.refused |= {pk: reasons[shipment] for pk, shipment in owner.items() if shipment in reasons}
        return done.outcome


@register
class IssueWaybills(ShipmentAction):
    """송장 채번: numbers out of a range at once, out of a courier's API as soon as it answers."""

    name, label, permission = "issue-waybills", "송장 채번", "shipping.register_waybill"
    thing, verb = "송장번호 발급", "요청"
    form_class = IssueForm
    style = SECONDARY
    is_undoable = True
    prepares = True
    undo_data: ClassVar[dict[str, Any]] = {"reason": UNDO_REASON}

    def check(self, form: Any, ids: Collection[int]) -> None:
        """A contract that gives no numbers here says where they come from, and another one may be chosen at once."""
        if chosen := form.cleaned_data.get("contract"):
            try:
                issue.usable(chosen)
            except issue.CannotIssue as problem:
                form.add_error("contract", problem.message)

    def prepare(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, **data: Any) -> None:
        chosen = issue.usable(data.get("contract"))
        if not chosen.is_api:
            issue.reserve(shipment_ids=ids, contract=chosen, actor=actor, at=at, batch=batch)
            failpoint(issue.RESERVED)

    def apply(
        self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, contract: int | None = None
    ) -> Outcome:
        return issue.issue_waybills(shipment_ids=ids, contract_id=contract, actor=actor, at=at, batch=batch).outcome

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return issue.undo_issue(shipment_ids=ids, actor=actor, at=at, batch=batch, reason=reason)

    def overtaken(self, target_ids: Collection[int]) -> dict[int, str]:
        return issue.issued_already(target_ids)

    def afterword(self, batch: Any) -> str:
        waiting = issue.waiting_of(batch)
        return WAITING.format(count=waiting) if waiting else ""


@register
class VoidWaybill(Reasoned, LineAction):
    """송장 삭제, with a reason; the number is not used again."""

    name, label, permission = "void-waybill", "송장 삭제", "shipping.register_waybill"
    thing, verb = "송장번호", "삭제"
    states = (S.READY,)
    is_whole = True
    style = MORE
    is_destructive = True

    def fits(self, row: Any) -> bool:
        return row.standby_at is not None

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return waybills.void_waybills(line_ids=ids, actor=actor, at=at, reason=reason, batch=batch)
