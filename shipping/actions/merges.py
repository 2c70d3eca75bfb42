"""Buttons for shipments of one receiver: 합포장 and 합포장 풀기."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from core.actions import MORE, ActPage, register
from core.state import Outcome
from shipping.actions.base import ShipmentAction
from shipping.services.merges import keys, merging


@register
class MergeShipments(ShipmentAction):
    """합포장: shipments of one receiver become one, under the number of the earliest order."""

    name, label, permission = "merge-shipments", "합포장", "orders.split"
    style = MORE
    is_undoable = True

    def targets(self, base_ids: Collection[int], page: ActPage) -> dict[int, tuple[int, int]]:
        """What belongs together stands together, so that it is done in one transaction."""
        versions = self.versions(base_ids)
        first: dict[Any, int] = {}
        of = keys.keys_of(versions)
        return {pk: (first.setdefault(of[pk], pk), versions[pk]) for pk in sorted(versions)}

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return merging.merge_shipments(shipment_ids=ids, actor=actor, at=at, batch=batch)

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return merging.undo_merge(shipment_ids=ids, actor=actor, at=at, batch=batch)

    def sentences(self, sums: Mapping[str, int]) -> list[str]:
        number = sums.get(merging.SEVERAL_NOTES, 0)
        return [f"배송메시지가 서로 다른 묶음이 {number:,}개 있습니다. 메시지를 모두 출력합니다."] if number else []


@register
class UnmergeShipments(ShipmentAction):
    """합포장 풀기: every order gets its own 배송번호 back."""

    name, label, permission = "unmerge-shipments", "합포장 풀기", "orders.split"
    style = MORE
    taken_back_by = "합포장"

    def will(self) -> str:
        return "합포장에서 풉니다"

    def did(self) -> str:
        return "합포장에서 풀었습니다"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        outcome = merging.unmerge(shipment_ids=ids, actor=actor, at=at, batch=batch)
        # The shipments that come back were not among the selected rows.
        outcome.changes = [change for change in outcome.changes if change.row.pk in set(ids)]
        return outcome
