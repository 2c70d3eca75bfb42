"""Files with several sheets, and files without rows: orders, waybills, stock and statements ask or refuse alike."""

import io

import openpyxl
import pytest

from core.models import Job, JobState
from tests.fixtures import files

WRONG = "틀린 값 1"
"""Neither a code nor an amount; with its digit no remark below a table either."""

pytestmark = pytest.mark.django_db


def with_sheets(content, *, before=(), after=()):
    """The file with a guide before its sheet, and its rows once more on a sheet behind it."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    rows = list(book.active.iter_rows(values_only=True))
    for name in before:
        book.create_sheet(name, 0).append(["이 파일은 이렇게 채웁니다"])
    for name in after:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.active = 0
    return files.saved(book), [one for one in book.sheetnames if one not in {*before, *after}][0]


def held_of(answer):
    return answer.context["form"].data["held"]


def test_a_file_with_several_sheets_asks_which_one_is_meant(file_kind, owner):
    content, name = with_sheets(file_kind.content(), before=["안내"], after=["둘째"])
    before = file_kind.written()
    asked = file_kind.post(owner, content)
    assert asked.status_code == 200
    assert "시트가 여러 개인 파일입니다." in asked.content.decode()
    assert [value for value, _ in asked.context["form"].fields["sheet"].choices] == ["안내", name, "둘째"]
    assert not Job.objects.exists()
    answer = owner.post(file_kind.upload, {**file_kind.data, "held": held_of(asked), "sheet": name})
    assert answer.status_code == 302
    job = Job.objects.get()
    assert (job.state, job.total, job.params["options"]["sheet"]) == (JobState.PREVIEW, 1, name)
    assert file_kind.written() == before
    file_kind.press(owner, answer["Location"], "apply")
    assert Job.objects.get().done == 1


def test_the_next_sheet_of_an_applied_file_can_be_sent_and_the_same_one_not(file_kind, owner):
    content, name = with_sheets(file_kind.content(), after=["둘째"])

    def send(sheet):
        held = held_of(file_kind.post(owner, content))
        return owner.post(file_kind.upload, {**file_kind.data, "held": held, "sheet": sheet})

    file_kind.press(owner, send(name)["Location"], "apply")
    again = send(name)
    assert again.status_code == 409
    assert "이미 반영했습니다." in again.content.decode()
    assert send("둘째").status_code == 302
    assert Job.objects.count() == 2


def test_a_file_without_rows_is_refused(file_kind, owner):
    book, before = openpyxl.load_workbook(io.BytesIO(file_kind.content())), file_kind.written()
    book.active.delete_rows(book.active.max_row)
    answer = file_kind.post(owner, files.saved(book))
    assert answer.status_code == 422
    assert "열 이름 아래에 읽을 행이 없습니다." in answer.content.decode()
    assert not Job.objects.exists()
    assert file_kind.written() == before


def test_a_sheet_without_rows_asks_for_another(file_kind, owner):
    content, name = with_sheets(file_kind.content(), after=["둘째"])
    book = openpyxl.load_workbook(io.BytesIO(content))
    book[name].delete_rows(book[name].max_row)
    asked = file_kind.post(owner, files.saved(book))
    refused = owner.post(file_kind.upload, {**file_kind.data, "held": held_of(asked), "sheet": name})
    assert refused.status_code == 422
    assert "열 이름 아래에 읽을 행이 없습니다." in refused.content.decode()
    assert not Job.objects.exists()
    answer = owner.post(file_kind.upload, {**file_kind.data, "held": held_of(refused), "sheet": "둘째"})
    assert answer.status_code == 302
    assert Job.objects.get().total == 1


@pytest.mark.parametrize("sheet", ["없는 시트", "\x00", "가" * 101])
def test_a_sheet_that_is_not_in_the_file_is_asked_for_anew(file_kind, owner, sheet):
    content, _ = with_sheets(file_kind.content(), after=["둘째"])
    held = held_of(file_kind.post(owner, content))
    answer = owner.post(file_kind.upload, {**file_kind.data, "held": held, "sheet": sheet})
    assert answer.status_code in {200, 422}
    assert not Job.objects.exists()


def test_an_error_file_is_made_of_the_chosen_sheet(file_kind, owner):
    content, name = with_sheets(file_kind.content(), before=["안내"])
    book = openpyxl.load_workbook(io.BytesIO(content))
    last = book[name].max_row
    book[name].append([WRONG if cell.value else None for cell in book[name][last]])
    held = held_of(file_kind.post(owner, files.saved(book)))
    place = owner.post(file_kind.upload, {**file_kind.data, "held": held, "sheet": name})["Location"]
    job = Job.objects.get()
    path = f"{place}errors.xlsx" if "stock" in place else f"/jobs/{job.uuid}/failed.xlsx"
    found = openpyxl.load_workbook(io.BytesIO(b"".join(owner.get(path).streaming_content))).active
    values = [cell for row in found.iter_rows(values_only=True) for cell in row]
    assert WRONG in values
    assert "이 파일은 이렇게 채웁니다" not in values
