"""Buttons on 배송 예외: who looks after it, what was asked, what came of it, and what becomes of box and goods."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from accounts.models import User
from core.actions import MORE, SECONDARY, BulkAction, register
from core.state import Outcome
from orders.actions import BEFORE_REASON, Reasoned
from shipping.forms.exceptions import RESOLVE, AssignForm, CloseForm, InquiryForm, NoteForm
from shipping.models import ShippingException
from shipping.services.exceptions import deciding
from shipping.states import ExceptionOutcome, ExceptionStage


class ExceptionAction(BulkAction):
    """예외 처리의 바탕."""

    model = ShippingException
    unit = "exception"
    permission = RESOLVE
    states: ClassVar[tuple[ExceptionStage, ...]] = (ExceptionStage.OPEN,)
    style = SECONDARY

    def groups(self, target_ids: Collection[int]) -> dict[int, int]:
        """A case stands for itself."""
        return {pk: pk for pk in target_ids}


@register
class Assign(ExceptionAction):
    """담당자 지정."""

    name, label = "assign-exception", "담당자 지정"
    form_class = AssignForm
    preview_data: ClassVar[dict[str, Any]] = {"assignee": None}
    thing, verb = "담당자", "지정"

    def apply(
        self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, assignee: int | None = None
    ) -> Outcome:
        person = User.objects.filter(pk=assignee).first() if assignee else None
        return deciding.assign(exception_ids=ids, assignee=person, actor=actor, at=at, batch=batch)


@register
class Note(ExceptionAction):
    """메모."""

    name, label = "note-exception", "메모"
    form_class = NoteForm
    preview_data: ClassVar[dict[str, Any]] = {"text": BEFORE_REASON}
    style = MORE

    def will(self) -> str:
        return "메모를 남깁니다"

    def did(self) -> str:
        return "메모를 남겼습니다"

    def of(self, count: str) -> str:
        return f"{count}에"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, text: str) -> Outcome:
        return deciding.note(exception_ids=ids, text=text, actor=actor, at=at, batch=batch)


@register
class Inquire(ExceptionAction):
    """택배사에 문의함: due again in two business days."""

    name, label = "inquire-exception", "택배사에 문의함"
    form_class = InquiryForm
    preview_data: ClassVar[dict[str, Any]] = {"text": ""}

    def will(self) -> str:
        return "택배사 문의 중으로 바꾸고 2영업일 뒤에 다시 봅니다"

    def did(self) -> str:
        return "문의한 것으로 적었습니다"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, text: str = "") -> Outcome:
        return deciding.inquire(exception_ids=ids, text=text, actor=actor, at=at, batch=batch)


@register
class CloseException(Reasoned, ExceptionAction):
    """처리 완료, with what came of it and why."""

    name, label = "close-exception", "처리 완료"
    taken_back_by = "다시 열기"
    form_class = CloseForm
    preview_data: ClassVar[dict[str, Any]] = {"reason": BEFORE_REASON, "result": ExceptionOutcome.NOTHING}

    def will(self) -> str:
        return "처리 완료로 닫습니다"

    def did(self) -> str:
        return "처리 완료로 닫았습니다"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str, result: str) -> Outcome:
        return deciding.close(
            exception_ids=ids, result=ExceptionOutcome(result), actor=actor, at=at, reason=reason, batch=batch
        )


@register
class Reopen(Reasoned, ExceptionAction):
    """다시 열기."""

    name, label = "reopen-exception", "다시 열기"
    taken_back_by = "처리 완료"
    states = (ExceptionStage.DONE,)

    def will(self) -> str:
        return "처리 전으로 다시 엽니다"

    def did(self) -> str:
        return "처리 전으로 다시 열었습니다"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return deciding.reopen(exception_ids=ids, actor=actor, at=at, reason=reason, batch=batch)


@register
class AskAgain(ExceptionAction):
    """다시 조회: the courier is asked at once."""

    name, label = "ask-courier-again", "다시 조회"
    states = (ExceptionStage.OPEN, ExceptionStage.DONE)
    style = MORE

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return deciding.ask_again(exception_ids=ids, actor=actor, at=at, batch=batch)


@register
class Lose(Reasoned, ExceptionAction):
    """분실 처리: a person gives the box up."""

    name, label = "lose-parcel", "분실 처리"
    taken_back_by = "다시 배송"
    style = MORE
    is_destructive = True

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return deciding.lose(exception_ids=ids, actor=actor, at=at, reason=reason, batch=batch)


@register
class ComeBack(Reasoned, ExceptionAction):
    """반송 도착 확인: the box is in the house."""

    name, label = "come-back", "반송 도착 확인"
    style = MORE
    thing, verb = "반송 도착", "확인"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return deciding.come_back(exception_ids=ids, actor=actor, at=at, reason=reason, batch=batch)


@register
class Resume(Reasoned, ExceptionAction):
    """다시 배송: the same box goes to the buyer after all."""

    name, label = "resume-parcel", "다시 배송"
    style = MORE

    def will(self) -> str:
        return "같은 송장으로 다시 배송중으로 둡니다"

    def did(self) -> str:
        return "같은 송장으로 다시 배송중으로 두었습니다"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return deciding.resume(exception_ids=ids, actor=actor, at=at, reason=reason, batch=batch)


@register
class Resend(Reasoned, ExceptionAction):
    """재발송: the goods go to 배송준비중 under a new 배송번호."""

    name, label, permission = "resend", "재발송", "shipping.resend"
    style = SECONDARY

    def will(self) -> str:
        return "새 배송번호로 다시 보내도록 배송준비중으로 되돌립니다"

    def did(self) -> str:
        return "새 배송번호로 배송준비중으로 되돌렸습니다"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return deciding.resend(exception_ids=ids, actor=actor, at=at, reason=reason, batch=batch)
