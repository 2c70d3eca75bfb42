"""What a result file only proposes: suggestions without a key, words for a method or a hold, 합포; by hand."""

import pytest

from accounts.roles import Role
from core.exceptions import Conflict
from core.invariants import find_violations
from core.jobs.undo import open_undo
from core.jobs.uploads import upload_counts
from core.models import ItemResult, JobItem, JobState
from orders.models import OrderEvent, OrderLine
from orders.services import locks
from shipping.models import Parcel, Shipment
from shipping.services import shipments
from shipping.services.methods import change_method
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from shipping.states import DeliveryMethod, ParcelState
from shipping.uploads import chosen_rows, keep_choices
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.shipments import again, waybill_number
from tests.flows.test_waybills_file import CJ, apply, sheet, snapshot, upload, verdicts

PEOPLE = ("수하인명", "수하인전화", "수하인주소1", "운송장번호")
HERE = {
    "recipient_name": "김하은",
    "recipient_phone": "01011112222",
    "address1": "서울 중구 세종대로 110",
    "address2": "5층",
}


def keyless(rows, *, actor, **options):
    return upload(sheet(rows, headers=PEOPLE), actor=actor, **{"courier": "CJGLS"} | options)


def choose(job, *, ticked=(), picks=None):
    keep_choices(job_id=job.pk, shown=[], ticked=ticked, picks=picks or {})


def test_a_row_without_a_key_is_a_suggestion_that_only_its_own_tick_registers(make_shipments, staff):
    [mine], [other] = (
        make_shipments(1, **HERE),
        make_shipments(1, recipient_name="이도윤", recipient_phone="01033334444"),
    )
    before = snapshot()
    job = keyless([["김 하은", "010-1111-2222", "서울 중구 세종대로 110 5층", waybill_number(0)]], actor=staff)
    [item] = JobItem.objects.filter(job=job)
    assert item.reason == "받는 분으로 찾은 제안입니다. 이름·연락처·주소 같음 (확신 높음). 맞으면 선택하세요."
    assert (item.result, item.target_id, item.data["number"]) == (ItemResult.PENDING, mine.pk, mine.number)
    assert item.data["key"] == "김*은 010-1111-****"
    assert "01011112222" not in str(item.data)
    assert snapshot() == before
    with pytest.raises(Conflict):
        apply(job, actor=staff, ticked=None)  # one tick for all never means a suggestion
    assert snapshot() == before
    assert apply(job, actor=staff, ticked=[2]).done == 1
    assert [one.waybill for one in again([mine, other])] == [waybill_number(0), ""]


def test_a_file_without_keys_that_comes_in_pieces_says_what_is_registered_already(make_shipments, staff):
    [mine], [twin] = make_shipments(1, **HERE), make_shipments(1, **HERE)
    [other] = make_shipments(1, recipient_name="이도윤", recipient_phone="01033334444")
    first = ["김하은", "010-1111-2222", "서울 중구 세종대로 110 5층", waybill_number(0)]
    waybills.register_waybills(entries={mine.pk: WaybillEntry("CJGLS", waybill_number(0))}, actor=staff, at=NOW)
    waybills.register_waybills(entries={other.pk: WaybillEntry("CJGLS", waybill_number(2))}, actor=staff, at=NOW)
    rows = [first, [*first[:3], waybill_number(1)], [*first[:3], waybill_number(2)]]
    job = keyless(rows[:2], actor=staff)
    found = upload_counts(job)
    assert (found.total, found.same, found.ask, found.error) == (2, 1, 1, 0)
    assert JobItem.objects.get(job=job, row_number=2).data["number"] == mine.number
    assert JobItem.objects.get(job=job, row_number=3).target_id == twin.pk
    # Another receiver's number is no row that was applied before.
    assert upload_counts(keyless(rows[2:], actor=staff)).same == 0
    assert [one.waybill for one in again([mine, twin, other])] == [waybill_number(0), "", waybill_number(2)]


@pytest.mark.parametrize(
    ("name", "phone", "address", "found"),
    [
        ("집", "010-1111-2222", "", False),
        ("고객", "", "서울 중구 세종대로 110 5층", False),
        ("김*은", "010-****-2222", "서울 중구 세종대로 110 5층", False),
        ("김하은", "", "서울 중구", False),
        ("김하은", "", "", False),
        ("집", "010-1111-2222", "서울 중구 세종대로 110 5층", True),
        ("김*은", "010-1111-2222", "서울 중구 세종대로 110", True),
        ("김하은", "1011112222", "", True),
        ("김하은", "010-****-2222", "서울 중구 세종대로 110, 5층", True),
    ],
)
def test_generic_names_and_masked_values_never_suffice(name, phone, address, found, make_shipments, staff):
    make_shipments(1, **HERE)
    job = keyless([[name, phone, address, waybill_number(0)]], actor=staff)
    [(result, reason)] = verdicts(job).values()
    assert (result == ItemResult.PENDING) is found
    assert found or reason.startswith("받는 분이 맞는 배송건을 찾지 못했습니다.")


def test_two_candidates_alike_or_two_rows_for_one_leave_the_choice_open(make_shipments, staff):
    made = make_shipments(2, **HERE)
    row = ["김하은", "01011112222", "서울 중구 세종대로 110 5층"]
    job = keyless([[*row, waybill_number(0)], [*row, waybill_number(1)]], actor=staff)
    items = list(JobItem.objects.filter(job=job).order_by("row_number"))
    assert [item.target_id for item in items] == [None, None]
    assert {pk for item in items for pk, *_ in item.data["candidates"]} == {one.pk for one in made}
    before = snapshot()
    with pytest.raises(Conflict, match="2행과 3행에 같은 배송건"):
        choose(job, picks={2: made[0].pk, 3: made[0].pk})
    with pytest.raises(Conflict):
        apply(job, actor=staff, ticked=[])
    assert snapshot() == before
    choose(job, picks={2: made[1].pk})
    job = apply(job, actor=staff, ticked=[2])
    assert (job.done, job.failed) == (1, 1)
    assert [one.waybill for one in again(made)] == ["", waybill_number(0)]


def test_a_shipment_that_nobody_offered_cannot_be_chosen(make_shipments, staff):
    made, [other] = make_shipments(2, **HERE), make_shipments(1)
    job = keyless([["김하은", "01011112222", "", waybill_number(0)]], actor=staff)
    choose(job, picks={2: other.pk})
    assert apply(job, actor=staff, ticked=[2]).done == 0
    assert not Parcel.objects.exists()
    assert not any(one.has_waybill for one in again(made))


def test_words_become_proposals_that_are_followed_and_taken_back(make_shipments, make_staff):
    staff = make_staff(Role.LOGISTICS)
    visit, held, plain, left = make_shipments(4)
    rows = [[visit.number, CJ, "직접수령"], [held.number, CJ, "재고소진"], [plain.number, CJ, waybill_number(0)]]
    rows += [[left.number, CJ, "차량배차"]]
    before = snapshot()
    job = upload(sheet(rows), actor=staff)
    assert verdicts(job) == {
        2: (ItemResult.PENDING, "송장번호 칸에 '직접수령'이 적혀 있습니다. 선택하면 배송방법을 방문수령으로 바꿉니다."),
        3: (ItemResult.PENDING, "송장번호 칸에 '재고소진'이 적혀 있습니다. 선택하면 배송보류합니다."),
        4: (ItemResult.PENDING, ""),
        5: (ItemResult.PENDING, "송장번호 칸에 '차량배차'가 적혀 있습니다. 선택하면 배송방법을 직접전달로 바꿉니다."),
    }
    assert snapshot() == before
    job = apply(job, actor=staff, ticked=[2, 3])
    assert (job.done, job.failed) == (3, 1)
    visit, held, plain, left = again([visit, held, plain, left])
    assert [one.method for one in (visit, held, left)] == [
        DeliveryMethod.VISIT,
        DeliveryMethod.PARCEL,
        DeliveryMethod.PARCEL,
    ]
    assert set(OrderLine.objects.filter(order=visit.order_id).values_list("delivery_method", flat=True)) == {"VISIT"}
    assert (held.is_held, plain.has_waybill, left.is_held) == (True, True, False)
    assert find_violations() == []
    again_file = upload(sheet(list(reversed(rows[:3]))), actor=staff)
    assert upload_counts(again_file).same == 3

    undo = open_undo(job=job, actor=staff, at=job.finished_at)
    assert set(JobItem.objects.filter(job=undo).values_list("result", flat=True)) == {ItemResult.PENDING}
    apply(undo, actor=staff)
    assert (reloaded(undo).done, reloaded(job).state) == (3, JobState.UNDONE)
    now = again([visit, held, plain])
    assert [(one.method, one.is_held, one.waybill) for one in now] == [("PARCEL", False, "")] * 3
    assert find_violations() == []


def test_a_word_where_the_courier_should_stand_is_a_proposal_too(make_shipments, staff):
    quick, unknown, visit = make_shipments(3)
    rows = [[quick.number, "퀵", "퀵"], [unknown.number, "없는 택배", waybill_number(0)]]
    rows += [[visit.number, "직접수령", ""]]
    job = upload(sheet(rows), actor=staff)
    assert verdicts(job) == {
        2: (ItemResult.PENDING, "송장번호 칸에 '퀵'이 적혀 있습니다. 선택하면 배송방법을 퀵서비스로 바꿉니다."),
        3: (ItemResult.REFUSED, "택배사 '없는 택배'를 찾을 수 없습니다. 설정의 택배사 이름 또는 코드를 쓰세요."),
        4: (ItemResult.PENDING, "택배사 칸에 '직접수령'이 적혀 있습니다. 선택하면 배송방법을 방문수령으로 바꿉니다."),
    }
    apply(job, actor=staff, ticked=[2, 4])
    assert [one.method for one in again([quick, unknown, visit])] == ["QUICK", "PARCEL", "VISIT"]


def test_a_method_changes_only_while_nothing_has_a_number(make_numbered, staff):
    [one] = make_numbered(1)
    before = snapshot()
    outcome = change_method(shipment_ids=[one.pk], method=DeliveryMethod.QUICK, actor=staff, at=NOW)
    assert outcome.refused == {one.pk: "송장번호가 등록되어 있습니다. 송장을 먼저 삭제하세요."}
    assert snapshot() == before


def test_one_number_on_two_keys_of_one_door_needs_one_tick_and_is_one_box(make_shipments, staff):
    first, second, other = make_shipments(3)
    rows = [[first.number, CJ, waybill_number(0)], [other.number, CJ, waybill_number(1)]]
    rows += [[second.number, CJ, waybill_number(0)]]
    before = snapshot()
    job = upload(sheet(rows), actor=staff)
    assert verdicts(job)[2] == (
        ItemResult.PENDING,
        "받는 분이 같은 배송건 2개에 같은 송장번호입니다. 합포장하면 이 번호 하나로 등록합니다. (파일의 2, 4행)",
    )
    assert verdicts(job)[4] == (ItemResult.PENDING, "파일의 2행을 고르면 함께 합포장합니다.")
    assert snapshot() == before
    choose(job, ticked=[2])
    assert chosen_rows(job) == {2, 4}
    job = apply(job, actor=staff, ticked=chosen_rows(job))
    assert (job.state, job.done) == (JobState.DONE, 3)
    first, second, other = again([first, second, other])
    assert (first.waybill, second.merged_into_id, second.step) == (waybill_number(0), first.pk, "CLOSED")
    assert Parcel.objects.get(waybill=waybill_number(0)).items.count() == 2
    assert find_violations() == []
    repeated = upload(sheet(list(reversed(rows))), actor=staff)
    assert upload_counts(repeated).same == 3

    undo = open_undo(job=job, actor=staff, at=job.finished_at)
    apply(undo, actor=staff)
    assert reloaded(undo).done == 3
    assert [(one.step, one.waybill, one.merged_into_id) for one in again([first, second, other])] == [
        ("READY", "", None)
    ] * 3
    assert set(Parcel.objects.values_list("state", flat=True)) == {ParcelState.VOID}
    assert find_violations() == []


def test_a_row_of_a_box_is_left_out_with_all_of_it(make_shipments, staff, sign_in):
    made = make_shipments(4)
    numbers = [waybill_number(0)] * 3 + [waybill_number(1)]
    job = upload(sheet([[one.number, CJ, number] for one, number in zip(made, numbers, strict=True)]), actor=staff)
    client, url = sign_in(Role.LOGISTICS), f"/shipping/waybills/upload/{job.uuid}/"
    page = client.get(url).content.decode()
    assert page.count('name="exclude"') == 2
    assert "2행 합포 3건 제외" in page
    client.post(url, {"asked": "2", "tick": "2", "exclude": "3"})
    assert upload_counts(job).error == 3
    client.post(url)
    assert [one.waybill for one in again(made)] == ["", "", "", waybill_number(1)]
    assert not Shipment.objects.exclude(merged_into=None).exists()


def test_without_the_tick_both_rows_of_a_box_are_refused(make_shipments, staff):
    made = make_shipments(2)
    job = upload(sheet([[one.number, CJ, waybill_number(0)] for one in made]), actor=staff)
    before = snapshot()
    for ticked in ([], None):
        with pytest.raises(Conflict):
            apply(job, actor=staff, ticked=ticked)
    assert snapshot() == before


def without_jobs():
    """Everything an upload could have touched; the job itself may tell what became of it."""
    lines, parcels, _, made = snapshot()
    return lines, parcels, made, OrderEvent.objects.exclude(subject="job").count()


@pytest.mark.parametrize("late", ["held", "used", "moved"])
def test_a_box_that_cannot_be_made_any_more_changes_nothing(late, make_shipments, staff):
    made, [rival] = make_shipments(2), make_shipments(1, recipient_name="이도윤")
    job = upload(sheet([[one.number, CJ, waybill_number(0)] for one in made]), actor=staff)
    if late == "held":
        locks.hold(line_ids=shipments.lines_of([made[1].pk]), actor=staff, at=NOW, reason="고객 부재")
    elif late == "used":
        waybills.register_waybills(entries={rival.pk: WaybillEntry("CJGLS", waybill_number(0))}, actor=staff, at=NOW)
    else:
        shipments.return_to_preparing(line_ids=shipments.lines_of([made[1].pk]), actor=staff, at=NOW)
    before = without_jobs()
    job = apply(job, actor=staff, ticked=[2, 3])
    assert (job.done, job.failed) == (0, 2)
    assert without_jobs() == before
    assert not Shipment.objects.filter(merged_into__isnull=False).exists()
    assert all(reason for _, reason in verdicts(job).values())
