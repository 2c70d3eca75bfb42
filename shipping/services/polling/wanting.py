"""바로 조회: parcels that a person, or a push of a source, wants asked about before their time.

Staff have 5 % of an account's quota for it, pushes 30 % at most, because anybody can send those; neither asks more
often than the source allows for one parcel. Source: shipping.md 4.1, 11.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Q

from core.calendar import short
from core.lookups import Among
from core.state import Outcome, is_preview, preview_notes
from shipping.couriers import COURIERS
from shipping.models import Parcel, Shipment, ShipmentStep, TrackingAccount, TrackingPoll
from shipping.models.parcel import LIVE
from shipping.services.polling import budgets, lanes
from shipping.services.polling.polls import AT_ONCE
from shipping.services.polling.sources import code_for
from shipping.services.refusals import NOT_SENT
from shipping.states import TRACKED

EVERY = timedelta(minutes=10)
"""Staff may ask for the same parcel again after so long."""
NOT_ASKED = "배송조회를 하지 않는 송장입니다."
NO_ACCOUNT = "이 택배사를 조회하는 계정이 없습니다. 설정의 배송조회를 확인하세요."
NO_QUOTA = "직접 조회에 남겨 둔 한도를 다 썼습니다. 정해진 시간에 저절로 조회합니다."
AGAIN = "{at}에 이미 조회를 신청했습니다. 10분 뒤에 다시 신청하세요."
NO_COURIER = "택배사가 나르지 않는 배송건이라 조회할 송장이 없습니다."
TOO_SOON = "이 계정은 같은 송장을 {minutes}분에 한 번만 조회할 수 있습니다. {at} 뒤에 다시 신청하세요."


@dataclass
class Wanted:
    """배송조회 신청 결과: parcels that are asked about next, and why others are not."""

    parcel_ids: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)


def ask_couriers(*, shipment_ids: Collection[int], at: datetime) -> Outcome:
    """배송조회 of shipments on their way: one is refused when none of its boxes can be asked about now.

    Its rows are the shipments, which do not change: answers come later and change them then.
    """
    rows = {row.pk: row for row in Shipment.objects.filter(Among("pk", shipment_ids)).order_by("pk")}
    sent = [pk for pk, row in rows.items() if row.step == ShipmentStep.SHIPPING]
    boxes: dict[int, list[int]] = defaultdict(list)
    live = Parcel.objects.filter(Among("shipment_id", sent), state__in=LIVE).order_by("shipment_id", "seq", "pk")
    for shipment_id, pk in live.values_list("shipment_id", "pk"):
        boxes[shipment_id].append(pk)
    found = poll_now(parcel_ids=[pk for mine in boxes.values() for pk in mine], at=at)
    good = {pk for pk, mine in boxes.items() if found.parcel_ids.intersection(mine)}
    why = {pk: _why_not(boxes[pk], found) for pk in boxes.keys() - good}
    bare = {pk: NOT_ASKED if rows[pk].method in TRACKED else NO_COURIER for pk in sent if pk not in boxes}
    gone = dict.fromkeys(set(shipment_ids) - set(sent), NOT_SENT)
    return Outcome(possible=[rows[pk] for pk in sent if pk in good], refused=why | bare | gone)


def _why_not(parcel_ids: Collection[int], found: Wanted) -> str:
    """The reason of a shipment: of a box that is still asked about, rather than of one that has arrived."""
    reasons = [found.refused[pk] for pk in parcel_ids]
    return next((text for text in reasons if text != NOT_ASKED), NOT_ASKED)


def poll_now(*, parcel_ids: Collection[int], at: datetime) -> Wanted:
    """배송조회 신청: put parcels before everything that is due, within seconds; at most every ten minutes each.

    A preview takes nothing and says the same.
    """
    polls = {poll.pk: poll for poll in TrackingPoll.objects.filter(Among("pk", parcel_ids), is_active=True)}
    found = Wanted(refused={pk: NOT_ASKED for pk in parcel_ids if pk not in polls})
    by_account: dict[int, list[TrackingPoll]] = defaultdict(list)
    accounts = lanes.asking_now(at=at) if polls else {}
    for poll in sorted(polls.values(), key=lambda one: one.pk):
        account = accounts.get(poll.courier)
        reason = NO_ACCOUNT if account is None else _too_soon(poll, account, at=at)
        if account is None or reason:
            found.refused[poll.pk] = reason
        else:
            by_account[account.pk].append(poll)
    # In one order, so that two people do not wait for each other's budgets.
    for _, mine in sorted(by_account.items()):
        account = accounts[mine[0].courier]
        ids = [poll.pk for poll in mine]
        if is_preview():
            given = _left_for_preview(account, wanted=len(mine), at=at)
            found.parcel_ids.update(ids[:given])
        else:
            given = budgets.take_for_staff(account, wanted=len(mine), at=at)
            put = _put_first(ids[:given], least=_least(account), at=at)
            found.parcel_ids |= put
            found.refused |= _overtaken(set(ids[:given]) - put)
        found.refused |= dict.fromkeys(ids[given:], NO_QUOTA)
    return found


def _left_for_preview(account: TrackingAccount, *, wanted: int, at: datetime) -> int:
    """What the share of staff has left, less what this preview has promised to others."""
    notes, key = preview_notes(), ("staff-polls", account.pk)
    promised = notes.get(key, 0)
    given = max(0, budgets.left_for_staff(account, wanted=promised + wanted, at=at) - promised)
    notes[key] = promised + given
    return given


def _too_soon(poll: TrackingPoll, account: TrackingAccount, *, at: datetime) -> str:
    if poll.wanted_at is not None and poll.wanted_at > at - EVERY:
        return AGAIN.format(at=short(poll.wanted_at))
    least = _least(account)
    if poll.last_ok_at is not None and poll.last_ok_at > at - least:
        return TOO_SOON.format(minutes=account.min_interval // 60, at=short(poll.last_ok_at + least))
    return ""


def _least(account: TrackingAccount) -> timedelta:
    return timedelta(seconds=account.min_interval)


def _put_first(ids: Collection[int], *, least: timedelta, at: datetime) -> set[int]:
    """A parcel that is being asked about just now, or was since we looked, keeps its turn: its answer is fresh."""
    mine = TrackingPoll.objects.filter(pk__in=ids, is_active=True)
    mine = mine.filter(Q(wanted_at=None) | Q(wanted_at__lte=at - EVERY))
    told = set(mine.values_list("pk", flat=True))
    free = mine.filter(Q(lease_until=None) | Q(lease_until__lt=at), pk__in=told)
    free.filter(Q(last_ok_at=None) | Q(last_ok_at__lte=at - least)).update(next_poll_at=AT_ONCE)
    mine.filter(pk__in=told).update(wanted_at=at)
    return told


def _overtaken(parcel_ids: Collection[int]) -> dict[int, str]:
    """Why not, of parcels that somebody else asked about, or whose questions ended, since we looked."""
    if not parcel_ids:
        return {}
    still = TrackingPoll.objects.filter(pk__in=parcel_ids, is_active=True, wanted_at__isnull=False)
    asked = {pk: AGAIN.format(at=short(at)) for pk, at in still.values_list("pk", "wanted_at") if at}
    return dict.fromkeys(parcel_ids, NOT_ASKED) | asked


def hint(*, source: str, carrier: str, number: str, at: datetime) -> bool:
    """배송 알림: a push says that something happened to a number of a carrier, in the codes of the account `source`.

    The parcel comes due now, never sooner than the source allows for one parcel and out of 30 % of the quota; True when
    it did. An unknown number makes nothing and says nothing: whoever sends pushes learns nothing from us.
    """
    account = TrackingAccount.objects.filter(code=source, is_active=True).first()
    if account is None:
        return False
    slugs = [slug for slug in COURIERS if carrier and code_for(slug, account.kind) == carrier]
    mine = Parcel.objects.filter(waybill=number, courier__in=slugs).values_list("pk", flat=True)
    due = TrackingPoll.objects.filter(pk__in=list(mine), is_active=True, next_poll_at__gt=at)
    poll = due.filter(Q(lease_until=None) | Q(lease_until__lt=at)).first()
    if poll is None or not budgets.take_for_hint(account, at=at):
        return False
    least = _least(account)
    sooner = max(at, poll.last_ok_at + least) if poll.last_ok_at else at
    same = TrackingPoll.objects.filter(pk=poll.pk, lease_token=poll.lease_token, next_poll_at__gt=sooner)
    return bool(same.update(next_poll_at=sooner))
