"""Addresses of bulk acts, jobs and dead letters."""

from django.urls import path

from core.views import acts, dead_letters, jobs

app_name = "core"
urlpatterns = [
    path("acts/<uuid:uuid>/apply/", acts.ApplyView.as_view(), name="apply"),
    path("acts/<slug:name>/", acts.ActView.as_view(), name="act"),
    path("jobs/", jobs.JobList.as_view(), name="jobs"),
    path("jobs/undo/", jobs.LastUndoView.as_view(), name="last_undo"),
    path("jobs/<uuid:uuid>/", jobs.JobPage.as_view(), name="job"),
    path("jobs/<uuid:uuid>/strip/", jobs.StripView.as_view(), name="job_strip"),
    path("jobs/<uuid:uuid>/confirm/", jobs.ConfirmView.as_view(), name="confirm"),
    path("jobs/<uuid:uuid>/undo/", jobs.UndoView.as_view(), name="undo"),
    path("jobs/<uuid:uuid>/undo/apply/", jobs.UndoApplyView.as_view(), name="undo_apply"),
    path("jobs/<uuid:uuid>/cancel/", jobs.CancelView.as_view(), name="cancel"),
    path("jobs/<uuid:uuid>/resume/", jobs.ResumeView.as_view(), name="resume"),
    path("jobs/<uuid:uuid>/failed.xlsx", jobs.FailedFileView.as_view(), name="job_failed"),
    path("jobs/<uuid:uuid>/file/", jobs.FileView.as_view(), name="job_file"),
    path("dead-letters/", dead_letters.DeadLetters.as_view(), name="dead_letters"),
    path("dead-letters/retry/", dead_letters.RetryView.as_view(), name="retry_dead"),
]
