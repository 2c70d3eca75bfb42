"""What lists have in common whose rows are not orders."""

from collections.abc import Collection

from core.lists import FollowedRows, Group, RowHead


class OwnRows(FollowedRows):
    """주문이 아닌 행: known by their own ids and states, part of no one order's history."""

    def head(self, group: Group) -> RowHead:
        row = group.record
        return RowHead(row.id, row.version, str(row.id), row.state)

    def order_ids(self, base_ids: Collection[int]) -> dict[int, int]:
        return {}
