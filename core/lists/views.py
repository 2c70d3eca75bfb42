"""보기와 열 설정: what a person keeps of a list. Choices live in the person's `prefs`, views in rows."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.db.models import BigIntegerField, CharField, Q, QuerySet

from core.exceptions import Conflict, DomainError, NotFound
from core.models import SavedView
from core.prepared import Given, Prepared
from core.text import BROKEN, REPLACED, one_line

MOST_FROZEN = 4
MOST_VIEWS = 50
LISTS, DEFAULTS = "lists", "default_views"


class ViewRefused(DomainError):
    """보기 오류: the view cannot be kept like this."""

    code = "view_refused"
    status = 422


class Listed(NamedTuple):
    """보기 한 줄: what a list shows of a view."""

    pk: int
    name: str
    owner_id: int
    query: str


def visible(page: str, user: Any) -> QuerySet[SavedView]:
    """보기 목록: a person's own and the shared ones of a page, by name."""
    return _visible(page, user.pk if user is not None else None)


def listed(page: str, user: Any) -> list[Listed]:
    """보기 목록 as the list shows it; one query."""
    return [Listed._make(row) for row in _listed().rows(page=page, owner=user.pk)]


def _visible(page: Any, owner: Any) -> QuerySet[SavedView]:
    return SavedView.objects.filter(Q(owner=owner) | Q(is_shared=True), page=page).order_by("name", "pk")


@cache
def _listed() -> Prepared:
    rows = _visible(Given("page", CharField()), Given("owner", BigIntegerField()))
    return Prepared(rows.values_list(*Listed._fields))


def is_kept(view_id: int) -> bool:
    """보기 여부: whether somebody, anybody, keeps such a view."""
    return SavedView.objects.filter(pk=view_id).exists()


def save_view(
    *, page: str, name: str, query: str, columns: Sequence[str] | None, owner: Any, is_shared: bool
) -> SavedView:
    """보기 저장: keep conditions under a name; the owner's view of the same name is overwritten.

    Raises ViewRefused without a name, Conflict when a colleague shares a view of that name.
    """
    name = _clean_name(name)
    if SavedView.objects.filter(page=page, owner=owner).exclude(name=name).count() >= MOST_VIEWS:
        raise ViewRefused(f"보기는 목록마다 {MOST_VIEWS}개까지 저장할 수 있습니다. 쓰지 않는 보기를 지우세요.")
    values = {"query": query, "columns": list(columns) if columns else None, "is_shared": is_shared}
    try:
        with transaction.atomic():
            view, _ = SavedView.objects.update_or_create(page=page, owner=owner, name=name, defaults=values)
    except IntegrityError as error:
        raise Conflict("같은 이름의 공유 보기가 있습니다. 다른 이름을 입력하세요.") from error
    return view


def rename_view(*, view_id: int, page: str, name: str, owner: Any) -> SavedView:
    """보기 이름 바꾸기. Raises NotFound for a view that is not the person's own, Conflict for a taken name."""
    view = _own(view_id, page, owner)
    view.name = _clean_name(name)
    try:
        with transaction.atomic():
            view.save(update_fields=["name", "updated_at"])
    except IntegrityError as error:
        raise Conflict("같은 이름의 보기가 있습니다. 다른 이름을 입력하세요.") from error
    return view


def _clean_name(name: str) -> str:
    if REPLACED in name:
        raise ViewRefused(BROKEN)
    clean = "" if "\x00" in name else " ".join(one_line(name).split())[:40]
    if not clean:
        raise ViewRefused("보기 이름을 입력하세요.")
    return clean


def delete_view(*, view_id: int, page: str, owner: Any) -> None:
    """보기 삭제. Raises NotFound for a view that is not the person's own."""
    _own(view_id, page, owner).delete()


def set_default(*, view_id: int | None, page: str, user: Any) -> None:
    """기본 보기: the view that opens with the menu; None goes back to the plain list."""
    if view_id is not None and not visible(page, user).filter(pk=view_id).exists():
        raise NotFound("보기를 찾을 수 없습니다.")
    _change(user, DEFAULTS, page, view_id)


def default_view(page: str, user: Any) -> SavedView | None:
    """기본 보기 of a person, when it still exists and is still theirs to see. No query without a choice."""
    view_id = _prefs(user, DEFAULTS).get(page)
    return visible(page, user).filter(pk=view_id).first() if isinstance(view_id, int) else None


def set_columns(*, page: str, columns: Sequence[str], freeze: int, user: Any) -> None:
    """열 설정: the visible columns in order and how many of them stay at the left. Raises ViewRefused."""
    if not columns:
        raise ViewRefused("열을 하나 이상 남겨 두세요.")
    if not 0 <= freeze <= MOST_FROZEN:
        raise ViewRefused(f"왼쪽에 고정할 열은 {MOST_FROZEN}개까지입니다.")
    _change(user, LISTS, page, {"columns": list(dict.fromkeys(columns)), "freeze": freeze})


def chosen_columns(page: str, user: Any) -> list[str] | None:
    """고른 열: keys in order, None when nothing was chosen."""
    columns = _choice(page, user).get("columns")
    return columns if isinstance(columns, list) else None


def chosen_freeze(page: str, user: Any) -> int | None:
    """고정 열 수, None when nothing was chosen."""
    freeze = _choice(page, user).get("freeze")
    return freeze if isinstance(freeze, int) else None


def _choice(page: str, user: Any) -> dict[str, Any]:
    choice = _prefs(user, LISTS).get(page)
    return choice if isinstance(choice, dict) else {}


def _prefs(user: Any, group: str) -> dict[str, Any]:
    found = (getattr(user, "prefs", None) or {}).get(group)
    return found if isinstance(found, dict) else {}


def _own(view_id: int, page: str, owner: Any) -> SavedView:
    view = SavedView.objects.filter(pk=view_id, page=page, owner=owner).first()
    if view is None:
        raise NotFound("보기를 찾을 수 없습니다. 다른 사람이 만든 보기는 바꿀 수 없습니다.")
    return view


def _change(user: Any, group: str, page: str, value: Any) -> None:
    with transaction.atomic():
        row = get_user_model().objects.select_for_update().get(pk=user.pk)
        chosen = _prefs(row, group) | {page: value}
        row.prefs = row.prefs | {group: {name: one for name, one in chosen.items() if one is not None}}
        row.save(update_fields=["prefs"])
    user.prefs = row.prefs
