"""Who changed a row since a screen or a batch saw it, as a sentence."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from django.core.exceptions import FieldDoesNotExist

from core.calendar import short
from core.events import KINDS, event_model
from core.korean import josa
from core.people import named

Phrase = Callable[[str, str], str]
"""Makes a sentence of when and who ("11-22 14:03에 이도윤 님이") and what ("배송중으로 바꿨습니다")."""


def since_the_screen(who: str, what: str) -> str:
    """화면을 연 뒤 바뀜 (ux.md 6.4, stale)."""
    return f"화면을 연 뒤 {who} {what}."


def since_the_batch(who: str, what: str) -> str:
    """처리한 뒤 바뀜: why an undo leaves the row alone."""
    return f"처리한 뒤 {who} {what}."


def changed_rows(model: Any, ids: Collection[int], phrase: Phrase) -> dict[int, str]:
    """바뀐 대상: a sentence per row of a machine, from its own newest event. One query."""
    events = event_model().objects.filter(subject=getattr(model, "event_subject", ""), subject_id__in=list(ids))
    newest = events.select_related("actor").order_by("subject_id", "-version").distinct("subject_id")
    found = {event.subject_id: phrase(_when_and_who(event), _what(event, model)) for event in newest}
    return {pk: found.get(pk, _unknown(phrase)) for pk in ids}


def changed_orders(model: Any, orders: Mapping[int, int], phrase: Phrase) -> dict[int, str]:
    """바뀐 주문: a sentence per base row, from the newest event of its order (base id to order id). One query."""
    events = event_model().objects.filter(order_id__in=set(orders.values()))
    newest = events.select_related("actor").order_by("order_id", "-id").distinct("order_id")
    found = {event.order_id: phrase(_when_and_who(event), _what(event, model)) for event in newest}
    return {base: found.get(order, _unknown(phrase)) for base, order in orders.items()}


def told_since_screen(owner: Any, ids: Collection[int]) -> dict[int, str]:
    """화면을 연 뒤 바뀐 대상 of an act: what it finds done already, else who changed the row."""
    return changed_rows(owner.model, ids, since_the_screen) | owner.overtaken(ids)


def told_since_batch(owner: Any, ids: Collection[int]) -> dict[int, str]:
    """처리한 뒤 바뀐 대상 of an act that is undone."""
    return changed_rows(owner.model, ids, since_the_batch)


def who_did(event: Any) -> str:
    """누가: "이도윤 님이", or "시스템이" for what nobody pressed."""
    return f"{named(event.actor)}이"


def _when_and_who(event: Any) -> str:
    return f"{short(event.at)}에 {who_did(event)}"


def _what(event: Any, model: Any) -> str:
    label = _state_label(model, event.to_state) if event.to_state != event.from_state else ""
    if label:
        return f"{josa(label, '으로/로')} 바꿨습니다"
    known = KINDS.get(event.kind)
    return f"내용을 바꿨습니다({known.label})" if known else "내용을 바꿨습니다"


def _state_label(model: Any, state: str) -> str:
    try:
        return str(dict(model._meta.get_field("state").flatchoices).get(state, ""))
    except FieldDoesNotExist:
        return ""


def _unknown(phrase: Phrase) -> str:
    return phrase("다른 직원이", "내용을 바꿨습니다")
