"""What a person selected on a list, turned into items with verdicts: the preview of a bulk act."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from core.actions import ACTIONS, ActPage, BulkAction
from core.events import KINDS, SUBSCRIBERS
from core.exceptions import Conflict, DomainError
from core.jobs.history import changed_orders, changed_rows, since_the_screen, told_since_screen
from core.jobs.items import NewItem, busy_targets, chunks, insert_items
from core.jobs.retry import retrying
from core.jobs.work import NOT_POSSIBLE, WITH_ITS_GROUP, form_values
from core.models import Job, JobKind
from core.state import Outcome, StateGuard, one_preview, previewing
from core.text import whole_number

MAX_IDS = 2_000
UNREADABLE = "선택한 행을 알아볼 수 없습니다. 목록을 새로 고친 뒤 다시 선택하세요."
"""Ids in one request (ux.md 2.4)."""
MAX_ROWS = 20_000
"""Base rows of one act, however they were selected: the preview runs inside the request."""
GONE = "목록에서 사라진 행입니다. 목록을 새로 고치세요."


class BadSelection(DomainError):
    """선택 오류: the request does not say which rows are meant."""

    code = "bad_selection"
    status = 422


class StillRunning(Conflict):
    """처리 중: the same person's unfinished job still has some of these rows before it."""

    code = "still_running"


@dataclass(frozen=True, slots=True)
class Selection:
    """선택: base rows with the versions that the screen showed; `expected` is the number the person saw.

    `lines` are single lines of further base rows, ticked one by one, with their own versions. `as_of` is when the list
    was read on which all of them were seen, None when nobody said.
    """

    rows: Mapping[int, int]
    is_filter: bool = False
    lines: Mapping[int, int] = field(default_factory=dict)
    expected: int | None = None
    as_of: datetime | None = None


@dataclass(slots=True)
class _Preview:
    items: list[NewItem] = field(default_factory=list)
    orders: set[Any] = field(default_factory=set)
    sums: dict[str, int] = field(default_factory=dict)


def by_ids(text: str, lines: str = "", *, as_of: datetime | None = None) -> Selection:
    """선택한 행: "id:version,id:version" for base rows and for single lines.

    Raises BadSelection for anything else, nothing, or more than 2,000.
    """
    try:
        rows, single = _pairs(text), _pairs(lines)
    except ValueError:
        raise BadSelection(UNREADABLE) from None
    if not rows and not single:
        raise BadSelection("처리할 행을 먼저 선택하세요.")
    if len(rows) + len(single) > MAX_IDS:
        raise BadSelection(f"한 번에 {MAX_IDS:,}건까지 선택할 수 있습니다. 조회 결과 모두 선택을 쓰세요.")
    return Selection(rows, lines=single, as_of=as_of)


def _pairs(text: str) -> dict[int, int]:
    pairs = [part.split(":") for part in text.split(",") if part.strip()]
    return {_number(pk): _number(version) for pk, version in pairs}


def by_filter(page: ActPage, *, query: str, as_of: datetime, expected: int | None, user: Any) -> Selection:
    """조회 결과 모두: the list's own query run again, without rows created after `as_of`. Raises BadSelection."""
    rows = dict(page.selection(query, as_of, user))
    if not rows:
        raise BadSelection("조건에 맞는 행이 없습니다. 목록을 새로 고치세요.")
    if len(rows) > MAX_ROWS:
        raise BadSelection(f"한 번에 {MAX_ROWS:,}건까지 처리합니다. 지금은 {len(rows):,}건입니다. 조건을 좁히세요.")
    return Selection(rows, is_filter=True, expected=expected, as_of=as_of)


def open_act(
    *,
    action: BulkAction,
    page: ActPage,
    selection: Selection,
    actor: Any,
    at: datetime,
    form: Mapping[str, Sequence[str]] | None = None,
) -> Job:
    """미리보기: a job in PREVIEW whose items say what would be done and what not, and why. Nothing else is written.

    The verdicts come from `apply` itself on locked rows, without its writes. Raises StillRunning.
    """
    targets, items = _targets(action, page, selection)
    _refuse_busy(action, actor, [item.target_id for item in targets if item.target_id is not None])
    seen = {"as_of": selection.as_of.isoformat()} if selection.as_of else {}
    job = Job.objects.create(kind=JobKind.ACT, act=action.name, label=action.label, actor=actor, params=seen)
    preview = _Preview(items)
    asked = action.ask_first([item.target_id for item in targets if item.target_id is not None], at=at)
    data = {**form_values(action, form), **asked}
    with one_preview():
        for chunk in chunks(targets):
            retrying(partial(_judge, action, chunk, preview, job=job, actor=actor, at=at, data=data))
    params = seen | {
        "page": page.name,
        "url": page.url,
        "filter": selection.is_filter,
        "expected": selection.expected,
        "selected": len(selection.rows) + len(selection.lines),
        "messages": message_count(action.sends, preview.orders),
        "undoable": action.is_undoable,
        "sentences": action.sentences(preview.sums),
    }
    with transaction.atomic():
        insert_items(job, preview.items)
        Job.objects.filter(pk=job.pk).update(params=params)
    job.params = params
    return job


def message_count(kinds: Collection[Any], orders: Collection[Any]) -> int:
    """보낼 알림 수: one message per order and subscriber that sends them."""
    codes = {kind.code for kind in kinds if kind.code in KINDS}
    senders = [one for one in SUBSCRIBERS.values() if one.holds and one.kinds & codes]
    return len(senders) * len(orders)


def refuse_busy_again(*, action: BulkAction, actor: Any, target_ids: Collection[int]) -> None:
    """처리 중인 대상 거절: the same check at apply, when another act was started after the preview."""
    _refuse_busy(action, actor, target_ids)


def _targets(action: BulkAction, page: ActPage, selection: Selection) -> tuple[list[NewItem], list[NewItem]]:
    """Items to be judged, and items that are out already: gone, changed since the screen, or without a target."""
    seen = selection.rows
    present = dict(seen) if selection.is_filter else dict(page.versions(list(seen)))
    changed = [pk for pk, version in seen.items() if pk in present and present[pk] != version]
    fresh = [pk for pk, version in seen.items() if present.get(pk) == version]
    found = action.targets(fresh, page)
    # An act on the base rows themselves may let several of them stand as one, under the first of them.
    own = found.keys() if page.model is action.model else set()
    without = set(fresh) - {base for base, _ in found.values()} - own
    orders = dict(page.order_ids([*changed, *without])) if changed or without else {}
    reasons = dict.fromkeys((pk for pk in seen if pk not in present), GONE)
    reasons |= dict.fromkeys(changed, since_the_screen("다른 직원이", "내용을 바꿨습니다"))
    reasons |= _who_changed(action, page, changed, orders)
    reasons |= dict.fromkeys(without, f"지금은 할 수 없는 상태입니다: {action.label}")
    # A base row that is what the act moves bears its own name on the page of the job, else that of its order.
    is_own = page.model is action.model
    out = [NewItem(pk if is_own else None, pk, None, text, {"order": orders.get(pk)}) for pk, text in reasons.items()]
    targets = [NewItem(pk, base, version) for pk, (base, version) in found.items()]
    if not selection.lines:
        return targets, out
    single, single_out = _single_lines(action, selection.lines)
    chosen = {item.target_id for item in targets}
    return [*targets, *(item for item in single if item.target_id not in chosen)], [*out, *single_out]


def _who_changed(
    action: BulkAction, page: ActPage, changed: Collection[int], orders: Mapping[int, int]
) -> dict[int, str]:
    if changed and page.model is action.model and issubclass(page.model, StateGuard):
        # A machine of its own: each of its versions has its own event.
        return changed_rows(page.model, changed, since_the_screen)
    done = action.overtaken(changed) if page.model is action.model else {}
    return changed_orders(action.model, {pk: orders[pk] for pk in changed if pk in orders}, since_the_screen) | done


def _single_lines(action: BulkAction, seen: Mapping[int, int]) -> tuple[list[NewItem], list[NewItem]]:
    if action.is_whole or action.unit != "line":
        raise BadSelection(f"일부만 골라서 할 수 없는 처리입니다: {action.label}. 목록에서 주문을 선택해 처리하세요.")
    groups, present = action.groups(list(seen)), action.versions(list(seen))
    changed = [pk for pk, version in seen.items() if pk in present and present[pk] != version]
    reasons = dict.fromkeys((pk for pk in seen if pk not in present), GONE)
    reasons |= told_since_screen(action, changed) if changed else {}
    rest = [NewItem(pk, groups.get(pk, pk), version) for pk, version in seen.items() if pk not in reasons]
    return rest, [NewItem(pk, groups.get(pk, pk), None, text) for pk, text in reasons.items()]


def _refuse_busy(action: BulkAction, actor: Any, target_ids: Collection[int]) -> None:
    same_rows = [name for name, other in ACTIONS.items() if other.model is action.model]
    rival = busy_targets(actor=actor, acts=same_rows, target_ids=target_ids)
    if rival is not None:
        raise StillRunning(
            f"선택한 행을 처리하는 작업({rival.label})이 아직 끝나지 않았습니다."
            " 작업 현황에서 끝난 것을 확인한 뒤 다시 처리하세요."
        )


def _judge(
    action: BulkAction, chunk: Sequence[NewItem], preview: _Preview, *, job: Job, actor: Any, at: datetime, data: Any
) -> None:
    ids = {item.target_id: item for item in chunk if item.target_id is not None}
    refused: dict[int, str] = {}
    outcome = Outcome()
    while rest := {pk: item for pk, item in ids.items() if pk not in refused}:
        try:
            with previewing():
                outcome = action.apply(list(rest), actor=actor, at=at, batch=job, **data)
                if moved := _moved(action, rest, outcome):
                    raise _Moved
        except _Moved:
            # Sums and promises are of all that the act was given: it is asked again without what it may not move.
            outcome = Outcome()
            refused |= moved
        except DomainError as error:
            outcome = Outcome()
            refused |= dict.fromkeys(rest, error.message)
        else:
            refused |= outcome.refused
            break
    possible = {row.pk: row for row in outcome.possible if isinstance(row, action.model)}
    for name, total in outcome.sums.items():
        preview.sums[name] = preview.sums.get(name, 0) + total
    for pk, item in ids.items():
        reason = "" if pk in possible and pk not in refused else refused.get(pk, NOT_POSSIBLE)
        preview.items.append(NewItem(pk, item.group_id, item.seen_version, reason))
        if not reason:
            preview.orders.add(getattr(possible[pk], "event_order_id", None))


class _Moved(Exception):
    """Somebody changed rows between the look at their versions and their lock."""


def _moved(action: BulkAction, asked: Mapping[int, NewItem], outcome: Outcome) -> dict[int, str]:
    """Reasons of rows that are no longer what the person saw, and of what goes only together with them."""
    rows: list[Any] = [row for row in outcome.possible if isinstance(row, action.model) and row.pk in asked]
    late = [row.pk for row in rows if row.version != asked[row.pk].seen_version]
    if not late:
        return {}
    whole = {asked[pk].group_id for pk in late} if action.is_whole else set()
    siblings = dict.fromkeys((pk for pk, item in asked.items() if item.group_id in whole), WITH_ITS_GROUP)
    return siblings | told_since_screen(action, late)


def _number(text: str) -> int:
    number = whole_number(text.strip())
    if number is None:
        raise ValueError(text)
    return number
