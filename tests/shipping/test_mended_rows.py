"""미리보기에서 고치기: a wrong row is mended where it stands, and nothing else of the file changes (ux.md 3.3)."""

import pytest

from accounts.roles import Role
from core.models import Job, JobItem, JobState
from shipping.models import Parcel
from tests.fixtures.orders import reloaded
from tests.fixtures.shipments import again, waybill_number
from tests.shipping.test_waybill_screens import CJ, book, send

WRONG = "680000000012"


@pytest.fixture
def logistics(sign_in):
    return sign_in(Role.LOGISTICS)


@pytest.fixture
def opened(make_shipments, logistics):
    """`opened(rows)`: address of the preview, its job and the shipments; row n of the file is line n + 2."""

    def make(*numbers, courier=CJ, **fields):
        made = make_shipments(len(numbers))
        rows = [[one.number, courier, number] for one, number in zip(made, numbers, strict=True)]
        url = send(logistics, book([*rows, ["D-20200101-0000001-00", CJ, "1"]]), **fields).headers["Location"]
        return url, Job.objects.get(kind="UPLOAD"), made

    return make


def typed(row, number, courier="CJGLS", **more):
    return {f"mend-courier-{row}": courier, f"mend-number-{row}": number, "mend": str(row), **more}


def items(job):
    rows = JobItem.objects.filter(job=job).order_by("row_number")
    return {row: rest for row, *rest in rows.values_list("row_number", "result", "reason", "target_id", "data")}


def test_a_wrong_number_is_typed_again_and_the_row_is_applied_with_the_others(opened, logistics):
    url, job, (good, bad) = opened(waybill_number(0), WRONG)
    html = logistics.get(url).content.decode()
    assert html.count('name="mend-number-') == 1
    assert f'name="mend-number-3" value="{WRONG}"' in html
    before = items(job)
    answer = logistics.post(url, typed(3, " 6800-0000-0022 "))
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{url}#row-3")
    after = items(job)
    assert {row: one for row, one in after.items() if row != 3} == {row: one for row, one in before.items() if row != 3}
    assert (after[3][:3], after[3][3]["waybill"]) == (["PENDING", "", bad.pk], waybill_number(1))
    page = logistics.get(url).content.decode()
    assert "1건은 오류가 없어졌습니다." in page
    assert "반영 가능한 2건 송장 등록" in page
    assert not Parcel.objects.exists()
    logistics.post(url)
    assert [one.waybill for one in again([good, bad])] == [waybill_number(0), waybill_number(1)]
    assert reloaded(job).state == JobState.PARTIAL


@pytest.mark.parametrize(
    ("number", "courier", "said"),
    [
        ("680000000013", "CJGLS", "CJ대한통운 송장번호 규칙에 맞지 않습니다."),
        ("재고소진", "CJGLS", "송장번호 칸에 &#x27;재고소진&#x27;이 적혀 있습니다."),
        ("6.8E+11", "CJGLS", "지수 형식입니다."),
        ("6800\x00", "CJGLS\x00", "지금은 4자리입니다."),
        ("", "CJGLS", "송장번호가 없습니다."),
        (waybill_number(0), "CJGLS", "파일의 2행과 송장번호가 같습니다."),
        (waybill_number(0), "NOBODY", "찾을 수 없습니다."),
        (waybill_number(0), "", "택배사를 고르세요."),
    ],
)
def test_what_is_no_better_stays_an_error_and_says_why(number, courier, said, opened, logistics):
    url, job, _ = opened(waybill_number(0), WRONG)
    before = items(job)
    logistics.post(url, typed(3, number, courier))
    after = items(job)
    assert (after[3][0], after[3][2]) == ("REFUSED", None)
    assert said in logistics.get(url).content.decode()
    assert (after[2], after[4]) == (before[2], before[4])
    logistics.post(url)
    assert list(Parcel.objects.values_list("waybill", flat=True)) == [waybill_number(0)]


def test_another_courier_mends_a_number_too(opened, logistics):
    url, job, _ = opened("506738618960")
    assert items(job)[2][0] == "REFUSED"
    logistics.post(url, typed(2, "506738618960", "HANJIN"))
    logistics.post(url)
    assert list(Parcel.objects.values_list("courier", "waybill")) == [("HANJIN", "506738618960")]


def test_two_rows_with_one_number_are_told_apart_by_mending_one_and_looking_at_the_other(make_shipments, logistics):
    twice = waybill_number(0)
    made = [make_shipments(recipient_name=name)[0] for name in ("김하나", "이두리")]
    url = send(logistics, book([[one.number, CJ, twice] for one in made])).headers["Location"]
    job = Job.objects.get(kind="UPLOAD")
    assert [items(job)[row][0] for row in (2, 3)] == ["REFUSED", "REFUSED"]
    logistics.post(url, typed(3, waybill_number(1)))
    assert [items(job)[row][0] for row in (2, 3)] == ["REFUSED", "PENDING"]
    # The other one was right: its own number, pressed again, is judged beside the mended row.
    logistics.post(url, {"mend": "2", **typed(2, twice)})
    logistics.post(url)
    assert [one.waybill for one in again(made)] == [twice, waybill_number(1)]


def test_what_was_typed_is_looked_at_before_anything_is_applied(opened, logistics):
    url, job, _ = opened(waybill_number(0), WRONG)
    values = typed(3, waybill_number(1))
    del values["mend"]
    answer = logistics.post(url, values)
    assert answer.headers["Location"] == f"{url}#row-3"
    assert (reloaded(job).state, Parcel.objects.count()) == (JobState.PREVIEW, 0)


def test_ticks_of_the_screen_stay_and_a_registered_number_still_asks(opened, logistics):
    url, job, (first, second) = opened(waybill_number(0), WRONG)
    logistics.post(url)
    assert again([first])[0].waybill == waybill_number(0)
    rows = [[first.number, CJ, waybill_number(5)], [second.number, CJ, "680000000013"]]
    url = send(logistics, book(rows)).headers["Location"]
    logistics.post(url, {"asked": "2", "tick": "2", **typed(3, waybill_number(6))})
    assert "checked" in logistics.get(url).content.decode()
    logistics.post(url, {"asked": "2", "tick": "2"})
    assert [one.waybill for one in again([first, second])] == [waybill_number(5), waybill_number(6)]


def test_a_file_that_must_be_whole_can_be_mended_to_be_whole(opened, make_shipments, logistics):
    [one] = make_shipments(1)
    url = send(logistics, book([[one.number, CJ, WRONG]]), whole="on").headers["Location"]
    assert "이 파일은 반영할 수 없습니다." in logistics.get(url).content.decode()
    logistics.post(url, typed(2, waybill_number(3)))
    logistics.post(url)
    assert again([one])[0].waybill == waybill_number(3)


def test_rows_of_an_applied_file_and_of_others_are_not_mended(opened, logistics, sign_in):
    url, job, _ = opened(waybill_number(0), WRONG)
    assert sign_in(Role.CS).post(url, typed(3, waybill_number(1))).status_code == 403
    before = items(job)
    # A right row has no fields; whoever sends some all the same changes nothing.
    logistics.post(url, typed(2, waybill_number(7)) | {"more": "2"})
    logistics.post(url, typed(4, waybill_number(7)) | {"more": "2"})
    assert items(job) == before
    logistics.post(url)
    done = items(job)
    late = logistics.post(url, typed(3, waybill_number(1)))
    assert late.status_code == 409
    assert "이미 반영한 파일입니다." in late.content.decode()
    assert items(job) == done
