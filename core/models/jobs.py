"""Jobs: every bulk act, upload and export is one row with a verdict per item."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.rows import QuickRow
from core.state import StateField, StateGuard, transition
from core.triggers import state_triggers, told_triggers


class JobState(models.TextChoices):
    """작업 상태 as staff read it on 작업 현황."""

    PREVIEW = "PREVIEW", "확인 전"
    QUEUED = "QUEUED", "대기"
    RUNNING = "RUNNING", "진행 중"
    DONE = "DONE", "완료"
    PARTIAL = "PARTIAL", "일부 실패"
    FAILED = "FAILED", "실패"
    CANCELED = "CANCELED", "취소함"
    UNDONE = "UNDONE", "되돌림"


FINISHED = (JobState.DONE, JobState.PARTIAL)
RESUMABLE = (JobState.FAILED, JobState.CANCELED)
JOB_MOVES = (
    (JobState.PREVIEW, JobState.QUEUED),
    (JobState.PREVIEW, JobState.CANCELED),
    (JobState.QUEUED, JobState.RUNNING),
    (JobState.QUEUED, JobState.CANCELED),
    (JobState.RUNNING, JobState.DONE),
    (JobState.RUNNING, JobState.PARTIAL),
    (JobState.RUNNING, JobState.FAILED),
    (JobState.RUNNING, JobState.CANCELED),
    (JobState.FAILED, JobState.QUEUED),
    (JobState.CANCELED, JobState.QUEUED),
    (JobState.DONE, JobState.UNDONE),
    (JobState.PARTIAL, JobState.UNDONE),
)
UNDO_WINDOW = timedelta(minutes=30)


class JobKind(models.TextChoices):
    """작업 종류: how the job runs."""

    ACT = "ACT", "선택 처리"
    UPLOAD = "UPLOAD", "파일 올리기"
    EXPORT = "EXPORT", "내려받기"
    UNDO = "UNDO", "되돌리기"


class Job(StateGuard):
    """작업: one bulk act, upload, export or undo; also the batch that its events name."""

    event_subject = "job"

    uuid = models.UUIDField("공개 번호", default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField("종류", max_length=8, choices=JobKind.choices)
    act = models.CharField("처리", max_length=60)
    label = models.CharField("이름", max_length=80)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    state = StateField("상태", choices=JobState.choices, default=JobState.PREVIEW)
    params = models.JSONField("조건", default=dict)
    undoes = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="undo_jobs")
    is_quiet = models.BooleanField("알림 보내지 않기", default=False)
    total = models.PositiveIntegerField("전체", default=0)
    done = models.PositiveIntegerField("성공", default=0)
    failed = models.PositiveIntegerField("실패 건수", default=0)
    # Whoever holds the lease may write; the token rises with each lease so that a late worker finds itself fenced off.
    lease_until = models.DateTimeField("임대 기한", null=True, blank=True)
    lease_token = models.PositiveIntegerField("임대 번호", default=0)
    cancel_requested = models.BooleanField("멈춤 요청", default=False)
    attempts = models.PositiveSmallIntegerField("시도", default=0)
    error = models.TextField("오류", blank=True)
    file_name = models.CharField("파일 이름", max_length=200, blank=True)
    file_path = models.CharField("파일 위치", max_length=300, blank=True)
    file_hash = models.CharField("파일 지문", max_length=64, blank=True, db_index=True)
    created_at = models.DateTimeField("등록일시", auto_now_add=True)
    started_at = models.DateTimeField("시작일시", null=True, blank=True)
    finished_at = models.DateTimeField("끝난일시", null=True, blank=True)
    undo_until = models.DateTimeField("되돌리기 기한", null=True, blank=True)

    class Meta:
        verbose_name = "작업"
        triggers = [
            *state_triggers(pairs=JOB_MOVES, initial=[JobState.PREVIEW, JobState.QUEUED]),
            *told_triggers("job"),
        ]
        indexes = [
            models.Index(fields=["-id"], name="job_open", condition=Q(state__in=["QUEUED", "RUNNING"])),
            models.Index(fields=["actor", "-id"], name="job_by_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.label} {self.uuid}"

    @property
    def seen_at(self) -> datetime | None:
        """본 시각: when the list was read on which the rows of the act were chosen; None when nobody said."""
        text = self.params.get("as_of")
        return datetime.fromisoformat(text) if text else None

    @transition(state, source=[JobState.PREVIEW, *RESUMABLE], target=JobState.QUEUED, custom={"label": "시작"})
    def enqueue(self, *, at: datetime) -> None:
        self.cancel_requested = False
        self.error = ""

    @transition(state, source=JobState.QUEUED, target=JobState.RUNNING, custom={"label": "진행"})
    def start(self, *, at: datetime) -> None:
        self.started_at = self.started_at or at

    @transition(state, source=JobState.RUNNING, target=JobState.DONE, custom={"label": "완료"})
    def finish(self, *, at: datetime, done: int, failed: int, undoable: bool) -> None:
        self._close(at=at, done=done, failed=failed, undoable=undoable)

    @transition(state, source=JobState.RUNNING, target=JobState.PARTIAL, custom={"label": "일부 실패"})
    def finish_partly(self, *, at: datetime, done: int, failed: int, undoable: bool) -> None:
        self._close(at=at, done=done, failed=failed, undoable=undoable)

    @transition(state, source=JobState.RUNNING, target=JobState.FAILED, custom={"label": "실패"})
    def fail(self, *, at: datetime, error: str) -> None:
        self.error, self.finished_at, self.lease_until = error, at, None

    @transition(
        state,
        source=[JobState.PREVIEW, JobState.QUEUED, JobState.RUNNING],
        target=JobState.CANCELED,
        custom={"label": "멈추기"},
    )
    def cancel(self, *, at: datetime) -> None:
        self.finished_at, self.lease_until = at, None

    @transition(state, source=FINISHED, target=JobState.UNDONE, custom={"label": "되돌리기"})
    def undo(self, *, at: datetime) -> None:
        self.undo_until = None

    def _close(self, *, at: datetime, done: int, failed: int, undoable: bool) -> None:
        self.done, self.failed, self.finished_at, self.lease_until = done, failed, at, None
        self.undo_until = at + UNDO_WINDOW if undoable and done else None

    @property
    def is_open(self) -> bool:
        return self.state in {JobState.QUEUED, JobState.RUNNING}

    @classmethod
    def after_move(cls, rows: Sequence[Any], *, at: datetime) -> None:
        """Jobs have no summary to keep."""


class ItemResult(models.TextChoices):
    """처리 결과 of one item of a job."""

    PENDING = "PENDING", "대기"
    OK = "OK", "처리"
    REFUSED = "REFUSED", "제외"


class JobItem(QuickRow):
    """작업 한 건: one target row with the version the person saw, its verdict and the version the job gave it."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="items", db_index=False)  # job_item_once
    target_id = models.BigIntegerField("대상", null=True)
    group_id = models.BigIntegerField("묶음 대상", null=True)
    seen_version = models.PositiveIntegerField("본 버전", null=True)
    made_version = models.PositiveIntegerField("바꾼 버전", null=True)
    row_number = models.PositiveIntegerField("파일 행", null=True)
    result = models.CharField("결과", max_length=8, choices=ItemResult.choices, default=ItemResult.PENDING)
    reason = models.TextField("사유", blank=True)
    data = models.JSONField("내용", null=True, blank=True)

    class Meta:
        verbose_name = "작업 한 건"
        constraints = [models.UniqueConstraint(fields=["job", "target_id"], name="job_item_once")]
        indexes = [
            models.Index(fields=["job", "id"], name="job_item_pending", condition=Q(result="PENDING")),
            models.Index(fields=["job", "id"], name="job_item_refused", condition=Q(result="REFUSED")),
        ]

    def __str__(self) -> str:
        return f"{self.job_id}:{self.target_id or self.row_number}"


class SlotRun(models.Model):
    """정기 작업 한 번: the row that a periodic job claims, so that two beats run it once."""

    job = models.CharField("작업", max_length=60)
    slot = models.DateTimeField("회차")
    claimed_at = models.DateTimeField("시작일시")
    finished_at = models.DateTimeField("끝난일시", null=True, blank=True)
    error = models.TextField("오류", blank=True)

    class Meta:
        verbose_name = "정기 작업"
        constraints = [models.UniqueConstraint(fields=["job", "slot"], name="slot_once")]

    def __str__(self) -> str:
        return f"{self.job} {self.slot:%Y-%m-%d %H:%M}"
