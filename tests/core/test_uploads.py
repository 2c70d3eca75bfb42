"""Files in and out as jobs: preview, partial apply, the same file twice, error files, exports that are whole or not."""

import io
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from openpyxl import load_workbook

from accounts.models import User
from accounts.roles import Role
from core.excel import Column, Kind
from core.exceptions import Conflict, DomainError
from core.jobs import exports, files, items, start
from core.jobs.exports import EXPORTS, Export, Heartbeat, open_export
from core.jobs.items import Verdict
from core.jobs.lease import LeaseLost, claim
from core.jobs.sweep import sweep
from core.jobs.undo import open_undo
from core.jobs.uploads import (
    UPLOADS,
    AlreadyApplied,
    Upload,
    UploadRow,
    exclude_rows,
    open_upload,
    register,
    upload_counts,
)
from core.models import Job, JobItem, JobKind, JobState
from orders.models import OrderEvent, OrderLine
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.work import (
    LineMaker,
    confirmed,
    expire,
    hold_lines,
    locked_rows,
    queued,
    release_lines,
    tally,
    work_on,
)


@pytest.fixture(autouse=True)
def own_folder(settings: Any, tmp_path: Path) -> None:
    """Files of jobs apart from those that the tests of other processes write meanwhile."""
    settings.OMS_DATA_DIR = tmp_path


class HoldUpload(Upload):
    """A text file "line number,word" whose rows hold lines; the word "?" asks first."""

    __test__ = False
    name, label, permission = "test-upload", "시험 보류 파일", "orders.hold"
    model, is_undoable = OrderLine, True
    columns = (Column("number", "품목번호", Kind.TEXT, 20), Column("word", "말", Kind.TEXT, 10))

    def read(self, path: Path, *, options: Mapping[str, Any], actor: Any) -> Iterable[UploadRow]:
        text = path.read_text(encoding="utf-8")
        if "," not in text:
            raise DomainError("열 이름을 찾지 못했습니다.", code="file_no_header")
        rows = [line.split(",") for line in text.splitlines()]
        lines = {line.number: line for line in OrderLine.objects.filter(number__in=[number for number, _ in rows])}
        for index, (number, word) in enumerate(rows, 1):
            line, data = lines.get(number), {"number": number, "word": word}
            if line is None:
                yield UploadRow(index, data, error="주문번호를 찾을 수 없습니다.")
            else:
                yield UploadRow(
                    index,
                    data,
                    target_id=line.pk,
                    group_id=line.order_id,
                    seen_version=line.version,
                    ask="이미 메모가 있습니다." if word == "?" else "",
                    is_same=word == "=",
                )

    def apply(
        self, items: Sequence[JobItem], *, actor: Any, at: Any, batch: Job, **options: Any
    ) -> Mapping[int, Verdict]:
        outcome = hold_lines([item.target_id or 0 for item in items], actor=actor, at=at, batch=batch)
        made = {change.row.pk: change.version for change in outcome.changes}
        return {
            item.pk: Verdict(outcome.refused.get(item.target_id or 0, ""), made_version=made.get(item.target_id or 0))
            for item in items
        }

    def undo(self, ids: Any, *, actor: Any, at: Any, batch: Job) -> Any:
        return release_lines(ids, actor=actor, at=at, batch=batch)


@pytest.fixture
def upload() -> Iterator[HoldUpload]:
    known = UPLOADS[HoldUpload.name] = HoldUpload()
    yield known
    del UPLOADS[HoldUpload.name]


def put(upload: Upload, rows: list[tuple[str, str]], *, actor: User, name: str = "보류.csv") -> Job:
    content = "\n".join(",".join(row) for row in rows).encode()
    return open_upload(upload=upload, actor=actor, file_name=name, content=[content], at=NOW)


def held(job: Job) -> int:
    return OrderEvent.objects.filter(batch=job, kind="line.held").count()


def test_an_upload_is_looked_at_before_anything_changes(upload: HoldUpload, make_lines: LineMaker, staff: User) -> None:
    first, second, third = make_lines(3)
    job = put(upload, [(first.number, ""), (second.number, "?"), (third.number, "="), ("X", "")], actor=staff)
    found = upload_counts(job)
    assert (found.total, found.ready, found.ask, found.error, found.same) == (4, 1, 1, 1, 1)
    assert (job.state, job.kind, job.file_name, job.total) == (JobState.PREVIEW, JobKind.UPLOAD, "보류.csv", 4)
    stored = files.path_of(job.file_path)
    assert stored is not None
    assert (stored.stat().st_mode & 0o777, stored.name.endswith(".csv")) == (0o600, True)
    assert not OrderEvent.objects.filter(subject="line").exists()


def test_good_rows_are_applied_and_questions_need_a_tick(
    upload: HoldUpload, make_lines: LineMaker, staff: User
) -> None:
    lines = make_lines(4)
    rows = [(lines[0].number, ""), (lines[1].number, "?"), (lines[2].number, "?"), (lines[3].number, "="), ("X", "")]
    job = confirmed(put(upload, rows, actor=staff), actor=staff, ticked=[2])
    assert (job.state, job.done, job.failed) == (JobState.PARTIAL, 2, 2)
    assert [reloaded(line).version for line in lines] == [1, 1, 0, 0]
    reasons = dict(JobItem.objects.filter(job=job, result="REFUSED").values_list("row_number", "reason"))
    assert reasons == {
        3: "확인이 필요한 행을 고르지 않아 반영하지 않았습니다.",
        4: "변화 없음",
        5: "주문번호를 찾을 수 없습니다.",
    }


def test_all_questions_can_be_ticked_at_once(upload: HoldUpload, make_lines: LineMaker, staff: User) -> None:
    lines = make_lines(2)
    job = confirmed(put(upload, [(line.number, "?") for line in lines], actor=staff), actor=staff, ticked=None)
    assert (job.state, held(job)) == (JobState.DONE, 2)


def test_rows_can_be_left_out_by_hand(upload: HoldUpload, make_lines: LineMaker, staff: User) -> None:
    lines = make_lines(2)
    job = put(upload, [(line.number, "") for line in lines], actor=staff)
    assert exclude_rows(job=job, row_numbers=[1]) == 1
    assert (confirmed(job, actor=staff).done, reloaded(lines[0]).version) == (1, 0)


def test_a_row_that_moved_since_the_preview_is_refused(
    upload: HoldUpload, make_lines: LineMaker, staff: User, make_staff: Callable[..., User]
) -> None:
    first, second = make_lines(2)
    job = put(upload, [(first.number, ""), (second.number, "")], actor=staff)
    hold_lines([first.pk], actor=make_staff(Role.CS, display_name="이도윤"), at=NOW)
    done = confirmed(job, actor=staff)
    assert (done.done, done.failed) == (1, 1)
    reason = JobItem.objects.get(job=job, row_number=1).reason
    assert reason == "화면을 연 뒤 09-21 11:00에 이도윤 님이 내용을 바꿨습니다(배송보류)."
    assert reloaded(first).version == 1


def test_a_bad_file_leaves_nothing_behind(upload: HoldUpload, staff: User) -> None:
    with pytest.raises(DomainError, match="열 이름"):
        open_upload(upload=upload, actor=staff, file_name="x.csv", content=[b"nothing"], at=NOW)
    assert not any(files.folder().iterdir())
    assert not Job.objects.exists()


def test_the_same_file_is_applied_once(upload: HoldUpload, make_lines: LineMaker, staff: User) -> None:
    rows = [(make_lines(1)[0].number, "")]
    confirmed(put(upload, rows, actor=staff), actor=staff)
    with pytest.raises(AlreadyApplied, match=rf"이 파일은 .* {staff.display_name} 님이 이미 반영했습니다"):
        put(upload, rows, actor=staff)
    assert Job.objects.filter(kind=JobKind.UPLOAD).count() == 1


def test_two_previews_of_the_same_file_apply_once(
    upload: HoldUpload, make_lines: LineMaker, staff: User, make_staff: Callable[..., User]
) -> None:
    rows = [(make_lines(1)[0].number, "")]
    first, second = put(upload, rows, actor=staff), put(upload, rows, actor=make_staff(Role.CS))
    confirmed(first, actor=staff)
    with pytest.raises(AlreadyApplied):
        start.confirm(job_id=second.pk, actor=staff, at=second.created_at)
    assert (reloaded(second).state, OrderEvent.objects.filter(kind="line.held").count()) == (JobState.PREVIEW, 1)


@pytest.mark.django_db(transaction=True)
def test_two_people_with_the_same_file_at_once(
    upload: HoldUpload, make_lines: LineMaker, staff: User, make_staff: Callable[..., User]
) -> None:
    lines = make_lines(3)
    people = [staff, make_staff(Role.CS)]
    jobs = [put(upload, [(line.number, "") for line in lines], actor=person) for person in people]
    gate, errors = threading.Barrier(2), []

    def press(job: Job, person: User) -> None:
        gate.wait()
        try:
            confirmed(job, actor=person)
        except AlreadyApplied as error:
            errors.append(error.message)
        connection.close()

    threads = [threading.Thread(target=press, args=pair) for pair in zip(jobs, people, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 1
    assert "이미 반영했습니다" in errors[0]
    assert [reloaded(line).version for line in lines] == [1, 1, 1]


def test_an_undone_file_may_be_applied_again(upload: HoldUpload, make_lines: LineMaker, staff: User) -> None:
    [line] = make_lines(1)
    batch = confirmed(put(upload, [(line.number, "")], actor=staff), actor=staff)
    taken_back = open_undo(job=batch, actor=staff, at=NOW)
    assert confirmed(taken_back, actor=staff).done == 1
    assert reloaded(line).open_locks == 0
    again = confirmed(put(upload, [(line.number, "")], actor=staff), actor=staff)
    assert (again.state, reloaded(line).open_locks) == (JobState.DONE, 2)


def test_a_second_person_may_apply_what_the_first_prepared(
    upload: HoldUpload, make_lines: LineMaker, staff: User, make_staff: Callable[..., User]
) -> None:
    other = make_staff(Role.CS)
    job = put(upload, [(make_lines(1)[0].number, "")], actor=staff)
    assert confirmed(job, actor=other).actor_id == other.pk
    assert OrderEvent.objects.get(kind="line.held").actor_id == other.pk


def test_the_error_file_holds_the_refused_rows(upload: HoldUpload, make_lines: LineMaker, staff: User) -> None:
    [line] = make_lines(1)
    job = confirmed(put(upload, [(line.number, ""), ("=cmd", "x"), (line.number + "9", "=")], actor=staff), actor=staff)
    sheet = load_workbook(io.BytesIO(b"".join(upload.error_file(job)))).active
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
        ["품목번호", "말", "오류 내용"],
        ["=cmd", "x", "주문번호를 찾을 수 없습니다."],
        [line.number + "9", "=", "주문번호를 찾을 수 없습니다."],
    ]
    assert sheet["A2"].data_type == "s"


def test_an_upload_is_registered_once() -> None:
    with pytest.raises(ValueError, match="registered twice"):
        register(type("Again", (HoldUpload,), {"name": next(iter(UPLOADS))}))


def test_old_files_and_previews_are_removed(upload: HoldUpload, make_lines: LineMaker, staff: User) -> None:
    job = put(upload, [(make_lines(1)[0].number, "")], actor=staff)
    sweep(at=job.created_at + timedelta(hours=25))
    assert (reloaded(job).state, files.path_of(job.file_path)) == (JobState.CANCELED, None)
    kept, _ = files.store([b"x"])
    assert sweep(at=job.created_at + timedelta(days=6)).files == 0
    assert sweep(at=job.created_at + timedelta(days=8)).files >= 1
    assert files.path_of(kept) is None


@pytest.mark.parametrize("name", ["", "../settings.py", "a/b", ".hidden", "/etc/passwd"])
def test_only_names_of_stored_files_are_looked_up(name: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        files.path_of(name)


# Exports


class NumbersExport(Export):
    name, label, permission = "test-export", "시험 내려받기", "orders.export"
    suffix = ".txt"

    def __init__(self) -> None:
        self.middle: Callable[[Heartbeat], None] = lambda beat: None

    def pieces(self, *, job: Job, at: Any, progress: Heartbeat) -> Iterator[bytes]:
        for number in range(job.params["rows"]):
            yield f"{number}\n".encode()
            progress.rows = number + 1
            self.middle(progress)


@pytest.fixture
def export() -> Iterator[NumbersExport]:
    known = EXPORTS[NumbersExport.name] = NumbersExport()
    yield known
    del EXPORTS[NumbersExport.name]


def asked(export: Export, *, actor: User, rows: int = 3) -> Job:
    return open_export(export=export, actor=actor, file_name="번호.txt", total=rows, params={"rows": rows}, at=NOW)


@pytest.mark.django_db(transaction=True)
def test_an_export_is_written_and_offered_whole(export: NumbersExport, staff: User) -> None:
    job = asked(export, actor=staff)
    assert job.state == JobState.QUEUED
    done = work_on(job)
    path = files.path_of(done.file_path)
    assert path is not None
    assert (done.state, done.done, path.read_text()) == (JobState.DONE, 3, "0\n1\n2\n")


@pytest.mark.django_db(transaction=True)
def test_a_full_disk_fails_the_export_and_leaves_no_file(export: NumbersExport, staff: User) -> None:
    def full(beat: Heartbeat) -> None:
        raise OSError(28, "No space left on device")

    export.middle = full
    job = work_on(asked(export, actor=staff))
    assert (job.state, job.error, job.file_path) == (JobState.FAILED, exports.DISK_FULL, "")
    assert not any(files.folder().iterdir())
    export.middle = lambda beat: None
    start.resume(job_id=job.pk, actor=staff, at=NOW)
    assert work_on(job).state == JobState.DONE


@pytest.mark.django_db(transaction=True)
def test_an_export_that_lost_its_lease_offers_nothing(export: NumbersExport, staff: User) -> None:
    job = asked(export, actor=staff)
    others: list[Any] = []

    def take_over(beat: Heartbeat) -> None:
        if not others:
            expire(job)
            others.append(claim(job_id=job.pk, at=NOW))

    export.middle = take_over
    slow = work_on(job)
    assert (slow.state, slow.file_path) == (JobState.RUNNING, "")
    assert not any(files.folder().iterdir())
    assert others[0] is not None


@pytest.mark.django_db(transaction=True)
def test_the_heartbeat_keeps_the_lease_and_hears_of_a_stop(
    export: NumbersExport, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "LEASE", timedelta(seconds=0.6))
    job = asked(export, actor=staff, rows=400)

    def slowly(beat: Heartbeat) -> None:
        # Long enough after the start for a beat or two to have told how far it is.
        if beat.rows == 50:
            start.cancel(job_id=job.pk, actor=staff, at=NOW)
        threading.Event().wait(0.02)

    export.middle = slowly
    stopped = work_on(job)
    assert (stopped.state, stopped.file_path) == (JobState.CANCELED, "")
    assert 0 < stopped.done < 400


@pytest.mark.django_db(transaction=True)
def test_the_person_needs_the_right_when_the_export_runs(export: NumbersExport, staff: User) -> None:
    job = asked(export, actor=staff)
    User.objects.filter(pk=staff.pk).update(role=Role.VIEWER)
    failed = work_on(job)
    assert (failed.state, failed.file_path) == (JobState.FAILED, "")
    assert "권한" in failed.error


def test_a_lost_heartbeat_is_told(export: NumbersExport, staff: User) -> None:
    found = claim(job_id=asked(export, actor=staff).pk, at=NOW)
    assert found is not None
    beat = Heartbeat(found)
    beat.check()
    beat._lost.set()
    with pytest.raises(LeaseLost):
        beat.check()


def test_a_conflict_is_what_a_second_apply_gets() -> None:
    assert issubclass(AlreadyApplied, Conflict)
    assert AlreadyApplied("x").status == 409


def test_a_large_upload_waits_for_a_worker(
    upload: HoldUpload, make_lines: LineMaker, staff: User, small_chunks: int
) -> None:
    lines = make_lines(7)
    job = queued(put(upload, [(line.number, "") for line in lines], actor=staff), actor=staff)
    assert (work_on(job).state, tally(job)) == (JobState.DONE, (0, 7, 0))
    assert locked_rows([lines[0].pk])[0].version == 1


def test_items_without_a_group_are_judged_in_chunks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "CHUNK", 3)
    loose = [items.NewItem(pk, None, 0) for pk in range(7)]
    assert [len(chunk) for chunk in items.chunks(loose)] == [3, 3, 1]
    whole = [items.NewItem(pk, 1 + pk // 5, 0) for pk in range(7)]
    assert [len(chunk) for chunk in items.chunks(whole)] == [5, 2]
