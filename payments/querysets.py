"""What queries on some tables of payments can do: the moves of what has no state machine, each written once, and the
version by which a screen knows what it saw.

A move writes only rows that stand where it begins and returns how many: what somebody else has moved meanwhile stays.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Case, F, QuerySet, Value, When

from payments.states import NoticeState, Resolution, VirtualState


class NoticeQuerySet(QuerySet[Any]):
    """알림의 이동 by others than the drain, whose verdicts are one statement of its own."""

    def park(self, *, at: datetime, reason: str) -> int:
        """확인 필요: a person looks at it first."""
        return self.update(state=NoticeState.PARKED, reason=reason, finished_at=at)

    def keep_as_test(self, *, at: datetime) -> int:
        """시험: it was about nothing; it is not taken up again."""
        return self.update(state=NoticeState.TEST, finished_at=at)

    def hear_again(self, *, at: datetime, reason: str) -> int:
        """다시 처리: due at once as if it had just come; whoever still works on it is shut out (`claim`)."""
        ended = self.filter(finished_at__isnull=False)
        return ended.update(
            state=NoticeState.RETRY, reason=reason, due_at=at, finished_at=None, attempts=0, claim=F("claim") + 1
        )

    def hurry(self, *, at: datetime, later_than: datetime, reason: str) -> int:
        """앞당기기: what was to be tried again later than some moment is due at once, as if it had just come."""
        waiting = self.filter(state=NoticeState.RETRY, finished_at=None, due_at__gt=later_than)
        return waiting.update(reason=reason, due_at=at, attempts=0, claim=F("claim") + 1)


class VirtualQuerySet(QuerySet[Any]):
    """가상계좌의 이동."""

    def unasked(self) -> "VirtualQuerySet":
        """닫는 중, and no PG was told yet: nothing has happened that could not be left."""
        return self.filter(state=VirtualState.CLOSING, attempts=0)

    def over(self) -> "VirtualQuerySet":
        """끝난 계좌: what another one can follow."""
        return self.filter(state__in=[VirtualState.CLOSED, VirtualState.FAILED]) | self.unasked()

    def open(self, *, at: datetime, **given: Any) -> int:
        """발급: the PG has opened it; `given` is what it says of the account."""
        return self._unopened().update(
            state=VirtualState.ISSUED, issued_at=at, next_try_at=None, last_error="", updated_at=at, **given
        )

    def open_in_vain(self, *, at: datetime, **given: Any) -> int:
        """취소 뒤의 발급: the order was canceled before we heard of it; it is closed again at once."""
        return self._unopened().update(
            state=VirtualState.CLOSING,
            issued_at=at,
            attempts=0,
            next_try_at=at,
            last_error="",
            updated_at=at,
            **given,
        )

    def end_unopened(self, *, at: datetime, **given: Any) -> int:
        """끝난 채로 앎: when we hear of it the PG says that it is over already."""
        return self._unopened().update(
            state=VirtualState.CLOSED, closed_at=at, next_try_at=None, last_error="", updated_at=at, **given
        )

    def _unopened(self) -> "VirtualQuerySet":
        return self.filter(state__in=[VirtualState.PENDING, VirtualState.FAILED])

    def ask_soon(self, *, at: datetime, error: str = "") -> int:
        """다시 확인: what nobody has shown us yet is asked about at `at`; whoever asks just now has no say any more."""
        pending = self.filter(state=VirtualState.PENDING, next_try_at__isnull=False)
        return pending.update(next_try_at=at, last_error=error[:300], updated_at=at)

    def give_up(self, *, at: datetime, error: str) -> int:
        """발급 실패: nobody asks any more, until a person or a revived order does."""
        pending = self.filter(state=VirtualState.PENDING)
        return pending.update(state=VirtualState.FAILED, next_try_at=None, last_error=error[:300], updated_at=at)

    def close_after(self, hold: timedelta, *, at: datetime) -> int:
        """닫기 요청: the PG is told after `hold`."""
        issued = self.filter(state=VirtualState.ISSUED)
        return issued.update(
            state=VirtualState.CLOSING, attempts=0, next_try_at=at + hold, last_error="", updated_at=at
        )

    def close_soon(self, *, at: datetime) -> int:
        """닫기 앞당기기: what could not be closed is tried again at once; whoever tries just now goes on."""
        closing = self.filter(state=VirtualState.CLOSING, next_try_at__gt=at).exclude(last_error="")
        return closing.update(next_try_at=at, updated_at=at)

    def leave_open(self, *, at: datetime, error: str = "") -> int:
        """닫지 않음: the order wants it again, or the PG does not close it."""
        closing = self.filter(state=VirtualState.CLOSING)
        return closing.update(state=VirtualState.ISSUED, next_try_at=None, last_error=error[:300], updated_at=at)

    def close(self, *, at: datetime) -> int:
        """닫음: no more money can come."""
        closing = self.filter(state=VirtualState.CLOSING)
        return closing.update(state=VirtualState.CLOSED, closed_at=at, next_try_at=None, last_error="", updated_at=at)

    def end(self, *, at: datetime) -> int:
        """끝남: the PG says that it is over, without having been told."""
        issued = self.filter(state=VirtualState.ISSUED)
        return issued.update(state=VirtualState.CLOSED, closed_at=at, next_try_at=None, updated_at=at)

    def start_over(self, *, at: datetime, bank: str, due_at: datetime) -> int:
        """새로 발급: of one that ended, or that no PG was told to close yet, nothing stays but its place."""
        return self.over()._begin(at=at, bank=bank, due_at=due_at)

    def replace(self, *, at: datetime, bank: str, due_at: datetime) -> int:
        """다른 계좌로 발급: the same of one that the PG has opened without anybody hearing its number."""
        return self.filter(state=VirtualState.PENDING)._begin(at=at, bank=bank, due_at=due_at)

    def _begin(self, *, at: datetime, bank: str, due_at: datetime) -> int:
        return self.update(
            state=VirtualState.PENDING,
            bank=bank,
            number="",
            holder="",
            due_at=due_at,
            issued_at=None,
            closed_at=None,
            attempts=0,
            next_try_at=at,
            last_error="",
            updated_at=at,
        )

    def look_again(self, *, at: datetime) -> int:
        """다시 확인: of one that somebody else opened and that we gave up; it keeps its reference."""
        failed = self.filter(state=VirtualState.FAILED)
        return failed.update(state=VirtualState.PENDING, attempts=0, next_try_at=at, last_error="", updated_at=at)


class ProblemQuerySet(QuerySet[Any]):
    """예외의 이동 by itself; what people decide is written with its event (services/ledger/problems.py)."""

    def fit(self, *, at: datetime) -> int:
        """저절로 맞음: of what is open, the money fits by now."""
        return self.filter(resolved_at=None).update(resolution=Resolution.FITS, resolved_at=at, updated_at=at)


class Claimed(models.Manager.from_queryset(NoticeQuerySet)):  # type: ignore[misc]
    """알림: `version` counts how often a notice was taken up."""

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().annotate(version=F("claim"))


class Resolved(models.Manager.from_queryset(ProblemQuerySet)):  # type: ignore[misc]
    """예외: `version` counts how often 차액 인정 was asked for, and the decision."""

    def get_queryset(self) -> QuerySet[Any]:
        is_open = When(resolved_at__isnull=True, then=Value(0))
        version = Case(is_open, default=Value(1), output_field=models.IntegerField())
        return super().get_queryset().annotate(version=F("asks") + version)
