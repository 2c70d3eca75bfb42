"""Bulk acts: one class per button. The one bulk view does selection, preview, confirmation, run, result and undo.

A selection names base rows of a list page (orders or shipments); `targets()` turns them into the rows that move.
Copy the example in docs/design/conventions.md; register in the app's `actions.py`, which is found by itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Protocol

from django import forms
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models

from core.events import EventKind
from core.exceptions import DomainError
from core.korean import josa
from core.lookups import Among
from core.registry import ByName
from core.state import Outcome

UNITS = {"line": "품목", "order": "주문", "shipment": "배송건", "parcel": "송장", "exception": "예외"}
"""Words for the target rows; used where one base row holds several of them."""

PRIMARY, SECONDARY, DANGER, MORE = "primary", "secondary", "danger", "more"
_RANK = {PRIMARY: 0, SECONDARY: 1, MORE: 2, DANGER: 3}


class ActPage(Protocol):
    """What a list page tells the bulk view about its base rows (core.lists.get_page returns one)."""

    @property
    def name(self) -> str:
        """Name of the list, as the screen sends it."""

    @property
    def url(self) -> str:
        """Its address; empty when it is no list."""

    @property
    def model(self) -> Any:
        """Table of the base rows."""

    def offers(self, action: "BulkAction") -> bool:
        """Whether the act belongs to the rows of the page."""

    def selection(self, query: str, as_of: datetime, user: AbstractBaseUser) -> list[tuple[int, int]]:
        """(id, version) of every row the query string finds, without the rows created after `as_of`."""

    def versions(self, base_ids: Collection[int]) -> Mapping[int, int]:
        """Present versions of base rows; a row that is gone is not in it."""

    def order_ids(self, base_ids: Collection[int]) -> Mapping[int, int]:
        """The order of each base row, for "who changed it" out of the history."""


class Act(ABC):
    """처리: what a bulk act and an upload have in common: words, rights, target rows, undo."""

    name: ClassVar[str]
    label: ClassVar[str]
    permission: ClassVar[str]
    model: ClassVar[type[models.Model]]
    """Table of the target rows; has `version`, and `state` when it is a machine."""
    unit: ClassVar[str] = "line"
    becomes: ClassVar[str] = ""
    """Label of the state the rows go to: "배송중" gives "배송중으로 바꿨습니다"; empty gives "{label}했습니다"."""
    thing: ClassVar[str] = ""
    """What the rows have that the act is done to: "차액 인정" gives "2건의 차액 인정을 신청합니다"; empty: the rows."""
    verb: ClassVar[str] = ""
    """What is done to it, "신청"; empty gives the label."""
    is_undoable: ClassVar[bool] = False
    undo_data: ClassVar[Mapping[str, Any]] = {}
    """Further arguments of `undo` (a reason, for instance)."""
    undo_permission: ClassVar[str] = ""
    """Right that undoing somebody else's batch asks for; empty means `permission`."""
    taken_back_by: ClassVar[str] = ""
    """Label of the button that does the opposite, for an act that 되돌리기 does not take back."""
    is_whole: ClassVar[bool] = False
    """The service always moves the whole order or shipment: when one row is left out, its siblings are too."""
    moves_rows: ClassVar[bool] = True
    """False for an act that makes a document of the rows: whatever `outcome.possible` names is done."""
    remark: ClassVar[str] = ""
    """Sentence of the preview where others tell whether they can be taken back."""
    is_destructive: ClassVar[bool] = False
    """Above 100 rows the person types the number of rows."""
    chunk: ClassVar[int | None] = None
    """Target rows of one transaction; more than usual only where nobody else can wait for them, fewer where a row is
    much work: those who wait for one should not wait for longer than 50 ms."""
    sends: ClassVar[Collection[EventKind]] = ()
    """Kinds of events whose holding subscribers send messages to people; the preview counts them."""

    def undo(self, *args: Any, **kwargs: Any) -> Outcome:
        """되돌리기: `undo(ids, *, actor, at, batch, **undo_data)` calls the opposite service; only if `is_undoable`."""
        raise DomainError(f"{josa(self.label, '은/는')} 되돌릴 수 없습니다.", code="not_undoable")

    def versions(self, target_ids: Collection[int]) -> dict[int, int]:
        """대상 버전: present versions of target rows; a row that is gone is not in it."""
        return dict(self.model._default_manager.filter(Among("pk", target_ids)).values_list("pk", "version"))

    def busy(self, target_ids: Collection[int]) -> set[int]:
        """처리 중인 대상: target rows that another session holds just now; needs a transaction, locks the others."""
        rows = self.model._default_manager.filter(pk__in=target_ids)
        free = rows.select_for_update(of=("self",), no_key=True, skip_locked=True).values_list("pk", flat=True)
        return set(target_ids) - set(free)

    def groups(self, target_ids: Collection[int]) -> dict[int, int]:
        """기준 행: the order of each target row, or the row itself where the table knows no order."""
        key = "order_id" if any(field.attname == "order_id" for field in self.model._meta.concrete_fields) else "pk"
        return dict(self.model._default_manager.filter(pk__in=target_ids).values_list("pk", key))

    def names(self, target_ids: Collection[int]) -> dict[int, str]:
        """대상 이름: what staff call the target rows (numbers), for the list of failed rows."""
        return {pk: str(row) for pk, row in self.model._default_manager.in_bulk(target_ids).items()}

    def overtaken(self, target_ids: Collection[int]) -> dict[int, str]:
        """먼저 된 일: by row what the act finds done already, of rows that changed since the screen.

        Rows without a sentence are told of by who changed them.
        """
        return {}

    def document(self, job: Any) -> tuple[str, str] | None:
        """결과 문서: (label, address) of what a job of this act has made for the person to open."""
        return None

    @property
    def subject(self) -> str:
        """대상 종류: name of the target rows in the event table."""
        return str(getattr(self.model, "event_subject", ""))

    def of(self, count: str) -> str:
        """무엇을: what is acted on, as the object of `will` and `did`: "2건을", "2건의 차액 인정을"."""
        return josa(f"{count}의 {self.thing}" if self.thing else count, "을/를")

    def will(self) -> str:
        """할 일: "배송중으로 바꿉니다"."""
        return f"{josa(self.becomes, '으로/로')} 바꿉니다" if self.becomes else f"{self.verb or self.label}합니다"

    def did(self) -> str:
        """한 일: "배송중으로 바꿨습니다"."""
        return f"{josa(self.becomes, '으로/로')} 바꿨습니다" if self.becomes else f"{self.verb or self.label}했습니다"

    def sentences(self, sums: Mapping[str, int]) -> list[str]:
        """미리보기 문장: what the totals of the outcomes mean; `sums` are those of `Outcome.sums`."""
        return []

    def afterword(self, batch: Any) -> str:
        """결과 덧붙임: what goes on after the job has ended; empty for acts that are done when they are done."""
        return ""

    def did_not(self) -> str:
        """못 한 일: "바꾸지 못했습니다"."""
        return "바꾸지 못했습니다" if self.becomes else "처리하지 못했습니다"


class BulkAction(Act):
    """선택 처리: one button on the lists that it fits, and one service behind it."""

    states: ClassVar[Collection[str]]
    """States of the target rows in which the act makes sense; a page offers it when one of its own is among them."""
    form_class: ClassVar[type[forms.Form] | None] = None
    """What is asked for first; its `sealed_fields` names the fields that a job keeps under seal, and no longer than it
    needs them (core/jobs/inputs.py)."""
    preview_data: ClassVar[Mapping[str, Any]] = {}
    """Values that stand in for the form's while nobody has filled it in yet."""
    style: ClassVar[str] = SECONDARY
    hotkey: ClassVar[str] = ""
    prepares: ClassVar[bool] = False
    """`prepare` is called for each chunk, outside of its transaction."""

    @abstractmethod
    def apply(self, *args: Any, **kwargs: Any) -> Outcome:
        """처리: `apply(ids, *, actor, at, batch, **cleaned form data)` calls the service for a chunk of target ids.

        Runs inside a transaction; inside `previewing()` it is the preview. A DomainError refuses the whole chunk. The
        outcome's rows are rows of `model`; `batch` goes to `record()`.
        """

    def ask_first(self, ids: Collection[int], *, at: datetime) -> Mapping[str, Any]:
        """미리보기 전 조회: what the preview must ask others about, outside any transaction (a PG).

        Further arguments of `apply` in the preview alone.
        """
        return {}

    def prepare(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, **data: Any) -> None:
        """처리 전 준비: what must be committed before the chunk's own transaction begins; only if `prepares`.

        May be done again for the same rows after a crash, and must then find what it has done.
        """

    def check(self, form: Any, ids: Collection[int]) -> None:
        """맞지 않는 입력: what of the bound form does not fit the rows becomes an error of the form.

        Asked of a form with errors of its own too, so that the dialog, which stays open with what was typed, names
        everything at once: `form.cleaned_data` has what could be read.
        """

    def takes(self, base: type[models.Model]) -> bool:
        """기준 행: whether rows of a table lead to the act's target rows; unless overridden they are the same.

        States alone do not tell: several tables call one of theirs IGNORED.
        """
        return base is self.model

    def fits(self, row: Any) -> bool:
        """맞는 대상: whether the act makes sense for a loaded target row in one of its states.

        A screen of a single thing offers no other acts; lists offer them all, and the preview tells the reasons.
        """
        return True

    def targets(self, base_ids: Collection[int], page: ActPage) -> dict[int, tuple[int, int]]:
        """대상: target rows of base rows as {target id: (base id, version)}; unless overridden the base rows."""
        rows = self.model._default_manager.filter(pk__in=base_ids).values_list("pk", "version")
        return {pk: (pk, version) for pk, version in rows}


ACTIONS: ByName[BulkAction] = ByName()
register = ACTIONS.register


def get_action(name: str) -> BulkAction | None:
    """선택 처리 찾기: the act of a name, None when there is none."""
    return ACTIONS.get(name)


def actions_for(base: type[models.Model], states: Iterable[str], user: Any) -> list[BulkAction]:
    """처리 버튼: the acts on rows of a table that fit one of the states and that the person may do.

    Primary ones first, destructive ones last.
    """
    wanted = set(states)
    found = [one for one in ACTIONS.values() if one.takes(base) and wanted & set(one.states)]
    found = [one for one in found if user.has_perm(one.permission)]
    return sorted(found, key=lambda each: _RANK.get(each.style, 1))
