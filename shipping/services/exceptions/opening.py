"""배송 예외의 등록과 종료: set-wise, by whoever holds the parcels; 추적 오류 of the parcels follows.

One open case per parcel and kind. What a person closed is not opened again by the same evidence.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F

from core.calendar import business_calendar
from core.lookups import Among, id_array, text_array
from core.state import follow
from shipping.models import Parcel, ShippingException
from shipping.projection import Projection
from shipping.rollup import refresh_parcels
from shipping.services.exceptions.rules import ALERT_OF, Box, Evidence, ended_by, is_over, opened_by
from shipping.states import ExceptionKind, ExceptionOutcome, ParcelState

DUE_DAYS = 1
"""처리기한: the end of so many business days after a case was opened."""


@dataclass(frozen=True, slots=True)
class News:
    """소식: what is known of a parcel by now, and how it stood before."""

    parcel: Parcel
    seen: Projection
    box: Box


@dataclass(frozen=True, slots=True)
class Opening:
    """등록할 예외."""

    parcel: Parcel
    kind: ExceptionKind
    evidence: Evidence


_OPEN = """
INSERT INTO shipping_shippingexception (created_at, updated_at, kind, parcel_id, shipment_id, detail, opened_at,
    evidence_at, due_at, memo, attempts, outcome, reason, version)
SELECT %(at)s, %(at)s, v.kind, v.parcel_id, v.shipment_id, v.detail, %(at)s, v.evidence_at, %(due)s, '', 0, '', '', 0
FROM unnest(%(kinds)s::text[], %(parcels)s::bigint[], %(shipments)s::bigint[], %(details)s::text[],
            %(evidence)s::timestamptz[]) AS v(kind, parcel_id, shipment_id, detail, evidence_at)
WHERE NOT EXISTS (SELECT 1 FROM shipping_shippingexception e WHERE e.parcel_id = v.parcel_id AND e.kind = v.kind
                  AND (e.closed_at IS NULL OR (e.closed_by_id IS NOT NULL AND e.evidence_at >= v.evidence_at)))
ORDER BY v.parcel_id, v.kind
ON CONFLICT DO NOTHING
RETURNING parcel_id, kind
"""
_RANKS = ", ".join(f"('{kind.value}', '{alert.value}', {n})" for n, (kind, alert) in enumerate(ALERT_OF.items()))
_ALERTS = f"""
UPDATE shipping_parcel p SET alert = now.alert
FROM (SELECT q.id, COALESCE(
          (SELECT a.alert FROM shipping_shippingexception e JOIN (VALUES {_RANKS}) AS a(kind, alert, rank) USING (kind)
           WHERE e.parcel_id = q.id AND e.closed_at IS NULL ORDER BY a.rank LIMIT 1), '') AS alert
      FROM shipping_parcel q WHERE q.id = ANY(%s::bigint[])) AS now
WHERE p.id = now.id AND p.alert <> now.alert
RETURNING p.shipment_id
"""


def open_cases(cases: Sequence[Opening], *, at: datetime) -> set[tuple[int, ExceptionKind]]:
    """예외 등록: which (parcel id, kind) are open now that were not; the parcels are locked by the caller."""
    if not cases:
        return set()
    due = business_calendar().deadline(at, DUE_DAYS)
    values: dict[str, Any] = {
        "at": at,
        "due": due,
        "kinds": text_array(one.kind.value for one in cases),
        "parcels": id_array(one.parcel.pk for one in cases),
        "shipments": id_array(one.parcel.shipment_id for one in cases),
        "details": text_array(one.evidence.detail[:300] for one in cases),
        "evidence": [one.evidence.at for one in cases],
    }
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, values)
        return {(pk, ExceptionKind(kind)) for pk, kind in cursor.fetchall()}


def close_cases(ids: Collection[int], *, at: datetime, outcome: ExceptionOutcome = ExceptionOutcome.ITSELF) -> int:
    """저절로 해결: open cases by id; what a person closed stays as it was decided."""
    if not ids:
        return 0
    mine = ShippingException.objects.filter(Among("pk", ids), closed_at=None)
    return mine.update(closed_at=at, outcome=outcome, version=F("version") + 1, updated_at=at)


def follow_news(news: Sequence[News], *, at: datetime) -> set[tuple[int, ExceptionKind]]:
    """소식 반영: open what it asks for, close what it makes moot, and show it; returns what is newly open.

    The shipments of these parcels are refreshed by the caller.
    """
    if not news:
        return set()
    known: dict[int, list[tuple[int, ExceptionKind]]] = {}
    for pk, parcel_id, kind in _open_cases([one.parcel.pk for one in news]):
        known.setdefault(parcel_id, []).append((pk, kind))
    openings, moot = [], []
    for one in news:
        wanted = opened_by(one.seen, one.box, at=at)
        openings += [Opening(one.parcel, kind, evidence) for kind, evidence in wanted.items()]
        mine = known.get(one.parcel.pk, [])
        moot += [pk for pk, kind in mine if kind not in wanted and is_over(kind, one.seen, one.box)]
    close_cases(moot, at=at)
    opened = open_cases(openings, at=at)
    # A parcel without a case, before and now, shows nothing.
    shown = {one.parcel.pk for one in news if one.parcel.alert}
    refresh_alerts(shown | known.keys() | {pk for pk, _ in opened})
    return opened


def held_right(parcels: Iterable[Parcel]) -> set[int]:
    """번호가 맞음: ids of parcels of whose present number a person has closed 다른 배송의 번호."""
    numbered_at = {parcel.pk: parcel.numbered_at for parcel in parcels}
    mine = ShippingException.objects.filter(Among("parcel_id", numbered_at), kind=ExceptionKind.NUMBER_REUSED)
    closed = mine.filter(closed_by__isnull=False).values_list("parcel_id", "evidence_at")
    return {pk for pk, at in closed if (since := numbered_at[pk]) is None or at >= since}


def _open_cases(parcel_ids: Collection[int]) -> list[tuple[int, int, ExceptionKind]]:
    """Id, parcel and kind."""
    rows = ShippingException.objects.filter(Among("parcel_id", parcel_ids), closed_at=None)
    return [(pk, parcel, ExceptionKind(kind)) for pk, parcel, kind in rows.values_list("pk", "parcel_id", "kind")]


def refresh_alerts(parcel_ids: Iterable[int]) -> set[int]:
    """추적 오류: what the parcels show of their open cases; the shipments whose parcels show another word now."""
    ids = set(parcel_ids)
    if not ids:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_ALERTS, [id_array(sorted(ids))])
        return {shipment_id for (shipment_id,) in cursor.fetchall()}


@follow(Parcel)
def keep_cases(parcels: Sequence[Parcel], *, at: datetime) -> None:
    """Parcels moved, by the courier's word or by a person: cases that speak of the former state are over."""
    state_of = {parcel.pk: parcel.state for parcel in parcels}
    renumbered = {parcel.pk for parcel in parcels if parcel.is_corrected}
    over = [(pk, box) for pk, box, kind in _open_cases(state_of) if kind in ended_by(state_of[box])]
    corrected = [pk for pk, box in over if box in renumbered]
    moot = [pk for pk, box in over if box not in renumbered]
    if over:
        close_cases(moot, at=at)
        close_cases(corrected, at=at, outcome=ExceptionOutcome.CORRECTED)
        refresh_parcels(refresh_alerts(state_of))
    # What a person says of a box waits for the decision what becomes of its goods.
    kinds = {ParcelState.LOST: ExceptionKind.LOST, ParcelState.RETURNED: ExceptionKind.RETURNED}
    gone = [parcel for parcel in parcels if parcel.state in kinds]
    open_cases([Opening(parcel, kinds[ParcelState(parcel.state)], Evidence(at)) for parcel in gone], at=at)
