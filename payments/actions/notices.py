"""Buttons of the webhook inbox: 다시 처리."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from core.actions import PRIMARY, BulkAction, register
from core.state import Outcome
from payments.models import PgNotice
from payments.services.notices import replaying
from payments.states import NoticeState

N = NoticeState


@register
class ReplayNotice(BulkAction):
    """다시 처리: the preview asks the PGs and says what would change."""

    name, label, permission = "replay-notice", "다시 처리", "payments.replay_event"
    model = PgNotice
    unit = "notice"
    states = (N.RETRY, N.PROCESSED, N.IGNORED, N.REJECTED, N.PARKED, N.DEAD)
    style = PRIMARY

    def ask_first(self, ids: Collection[int], *, at: datetime) -> Mapping[str, Any]:
        return {"forecasts": replaying.forecast(replaying.ask(ids), at=at)}

    def apply(
        self,
        ids: Collection[int],
        *,
        actor: Any,
        at: datetime,
        batch: Any,
        forecasts: Mapping[int, replaying.Forecast] | None = None,
    ) -> Outcome:
        return replaying.replay(notice_ids=ids, actor=actor, at=at, batch=batch, forecasts=forecasts)

    def sentences(self, sums: Mapping[str, int]) -> list[str]:
        found = []
        if sums.get("in"):
            found.append(f"입금 {sums['in']:,}원이 원장에 더해집니다.")
        if sums.get("out"):
            found.append(f"{sums['out']:,}원이 원장에서 빠집니다.")
        if sums.get("same"):
            found.append(f"결제 {sums['same']:,}건은 PG와 원장이 같아 바뀌는 내용이 없습니다.")
        if sums.get("unknown"):
            found.append(f"결제 {sums['unknown']:,}건은 PG에서 확인하지 못했거나 사람이 확인해야 합니다.")
        return found
