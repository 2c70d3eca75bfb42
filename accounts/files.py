"""기록하는 파일: uploads whose refused rows hold personal data log who takes the error file away."""

from django.http import HttpRequest
from django.utils import timezone

from accounts.access import staff_of
from accounts.clients import client_of
from accounts.models import AccessAction
from accounts.services import record_access
from core.jobs.uploads import Upload, refused_rows
from core.models import Job


class LoggedUpload(Upload):
    """기록하는 올리기: mix-in for uploads of personal data (reliability.md R-06)."""

    def opened(self, *, job: Job, request: HttpRequest) -> None:
        record_access(
            actor=staff_of(request),
            action=AccessAction.EXPORT,
            at=timezone.now(),
            client=client_of(request),
            purpose=f"{self.label} 오류 파일",
            row_count=refused_rows(job).count(),
            detail={"job": str(job.uuid)},
        )
