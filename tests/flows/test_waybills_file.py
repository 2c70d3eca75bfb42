"""A10: a courier's file of 200 rows, 190 of them fine; every refusal says why and changes nothing."""

import io
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import openpyxl
import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from core.excel import Column, Kind, write_xlsx
from core.exceptions import Conflict
from core.jobs import runner, start
from core.jobs.undo import open_undo
from core.jobs.uploads import AlreadyApplied, exclude_rows, get_upload, open_upload, upload_counts
from core.models import ItemResult, Job, JobItem, JobState
from orders.models import Order, OrderEvent, OrderLine
from orders.services import locks
from orders.services.canceling import cancel_before_shipping
from orders.states import LineState
from payments.services.manual import confirm_manually, revert_manual
from payments.services.watching.overdue import cancel_overdue
from shipping.models import Parcel, Shipment
from shipping.services import shipments
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from shipping.states import ParcelState
from shipping.uploads import CHOOSE_AGAIN
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.shipments import again, waybill_number

CJ = "CJ대한통운"


def sheet(rows, *, headers=("고객주문번호", "택배사", "운송장번호")):
    """The bytes of a result file."""
    target = io.BytesIO()
    write_xlsx(target, [Column(str(i), name, Kind.ANY) for i, name in enumerate(headers)], rows, sheet="결과")
    return target.getvalue()


def upload(content, *, actor, name="결과.xlsx", **options):
    return open_upload(
        upload=get_upload("waybill-upload"), actor=actor, file_name=name, content=[content], at=NOW, options=options
    )


def apply(job, *, actor, ticked=()):
    lease = start.confirm(job_id=job.pk, actor=actor, at=job.created_at, ticked=ticked)
    assert lease is not None
    runner.run(lease, patient=False)
    return reloaded(job)


def verdicts(job):
    """Reason and result of each row of the file."""
    return {item.row_number: (item.result, item.reason) for item in JobItem.objects.filter(job=job)}


def snapshot():
    """Everything an upload could have touched."""
    return (
        list(OrderLine.objects.order_by("pk").values_list("pk", "state", "version", "standby_at")),
        list(Parcel.objects.order_by("pk").values_list("pk", "state", "waybill")),
        OrderEvent.objects.count(),
        list(Shipment.objects.order_by("pk").values_list("pk", "version", "waybill")),
    )


@pytest.fixture
def canceled(make_order, lines_of, staff):
    """A shipment whose order was taken back and canceled."""
    order = make_order()
    confirm_manually(order_ids=[order.pk], actor=staff, at=NOW)
    ids = [line.pk for line in lines_of(order)]
    shipments.make_ready(line_ids=ids, actor=staff, at=NOW)
    shipment = Shipment.objects.get(order=order)
    shipments.return_to_preparing(line_ids=ids, actor=staff, at=NOW)
    revert_manual(order_ids=[order.pk], actor=staff, at=NOW, reason="주문 취소")
    cancel_overdue(order_ids=[order.pk], at=order.deposit_by)
    return shipment


def test_a10_two_hundred_rows(make_shipments, make_numbered, canceled, staff):
    used = make_numbered(2, first=500)
    fine = make_shipments(190)
    more = make_shipments(6)
    line_ids = shipments.lines_of([more[2].pk, more[3].pk])
    locks.hold(line_ids=line_ids, actor=staff, at=NOW, reason="고객 부재, 9/28 이후")
    rows = [[one.number, CJ, waybill_number(i)] for i, one in enumerate(fine)]
    rows += [[f"D-20260101-000000{i}-00", CJ, waybill_number(600 + i)] for i in range(3)]
    rows += [[more[i].number, CJ, used[i].waybill] for i in range(2)]
    rows += [[more[i].number, CJ, waybill_number(700 + i)] for i in (2, 3)]
    rows += [[more[4].number, CJ, ""]]
    rows += [[fine[0].number, CJ, waybill_number(0)]]
    rows += [[canceled.number, CJ, waybill_number(800)]]
    assert len(rows) == 200
    before = snapshot()
    content = sheet(rows)
    job = upload(content, actor=staff)
    found = upload_counts(job)
    assert (found.total, found.ready, found.ask, found.error, found.same) == (200, 190, 0, 10, 0)
    told = {row: reason for row, (result, reason) in verdicts(job).items() if result == ItemResult.REFUSED}
    when = "09-28 11:00"
    assert told == {
        192: "주문번호를 찾을 수 없습니다.",
        193: "주문번호를 찾을 수 없습니다.",
        194: "주문번호를 찾을 수 없습니다.",
        195: f"다른 주문 {used[0].order.number}에서 쓰고 있는 송장번호입니다.",
        196: f"다른 주문 {used[1].order.number}에서 쓰고 있는 송장번호입니다.",
        197: "배송보류 중입니다. 사유: 고객 부재, 9/28 이후",
        198: "배송보류 중입니다. 사유: 고객 부재, 9/28 이후",
        199: "송장번호가 없습니다.",
        200: "파일의 2행과 송장번호가 같습니다.",
        201: f"이미 취소된 주문입니다. 시스템이 {when}에 취소했습니다.",
    }
    assert snapshot() == before

    job = apply(job, actor=staff)
    assert (job.state, job.done, job.failed) == (JobState.PARTIAL, 190, 10)
    assert all(one.has_waybill for one in again(fine))
    assert OrderLine.objects.filter(state=LineState.READY, standby_at__isnull=False).count() == 190 + 2
    assert Parcel.objects.filter(state=ParcelState.NUMBERED).count() == 192
    assert not any(one.has_waybill for one in again(more))

    book = openpyxl.load_workbook(io.BytesIO(b"".join(get_upload("waybill-upload").error_file(job))))
    cells = [[cell.value for cell in row] for row in book.active.iter_rows()]
    assert cells[0] == ["고객주문번호", "택배사", "운송장번호", "오류 내용"]
    # The sheet's row r is rows[r - 2]; an empty cell comes back as None.
    assert cells[1:] == [[*(value or None for value in rows[row - 2]), told[row]] for row in sorted(told)]

    with pytest.raises(AlreadyApplied) as refused:
        upload(content, actor=staff)
    assert str(refused.value).endswith(f"에 {staff.display_name} 님이 이미 반영했습니다.")


def test_a14_a_held_shipment_takes_no_number_and_keeps_its_deadline(make_shipments, staff):
    [shipment] = make_shipments(1)
    ids = shipments.lines_of([shipment.pk])
    deadline = shipment.ship_by
    locks.hold(line_ids=ids, actor=staff, at=NOW, reason="고객 부재, 9/28 이후")
    job = upload(sheet([[shipment.number, CJ, waybill_number(1)]]), actor=staff)
    assert verdicts(job) == {2: (ItemResult.REFUSED, "배송보류 중입니다. 사유: 고객 부재, 9/28 이후")}
    with pytest.raises(Conflict, match="처리할 수 있는 행이 없습니다"):
        start.confirm(job_id=job.pk, actor=staff, at=job.created_at)
    assert not Parcel.objects.exists()
    locks.release_hold(line_ids=ids, actor=staff, at=NOW + timedelta(days=3))
    assert (reloaded(shipment).is_held, reloaded(shipment).ship_by, reloaded(shipment).step) == (
        False,
        deadline,
        "READY",
    )


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("6.8E+11", "송장번호가 지수 형식입니다. 엑셀에서 셀 서식을 텍스트로 바꿔 주세요."),
        ("", "송장번호가 없습니다."),
        ("12345", "송장번호는 숫자 10 또는 12자리여야 합니다. 지금은 5자리입니다."),
        ("680000000012", "CJ대한통운 송장번호 규칙에 맞지 않습니다. 번호를 다시 확인하세요."),
        ("68000000가011", "송장번호에 쓸 수 없는 글자가 있습니다. 숫자만 입력하세요."),
    ],
)
def test_a_cell_that_is_no_number_is_refused_and_changes_nothing(cell, reason, make_shipments, staff):
    [shipment] = make_shipments(1)
    before = snapshot()
    job = upload(sheet([[shipment.number, CJ, cell]]), actor=staff)
    assert verdicts(job) == {2: (ItemResult.REFUSED, reason)}
    assert JobItem.objects.get(job=job).data["shown"] == str(cell or "").strip()
    assert snapshot() == before


@pytest.mark.parametrize(
    ("courier", "reason"),
    [
        ("없는택배", "택배사 '없는택배'를 찾을 수 없습니다. 설정의 택배사 이름 또는 코드를 쓰세요."),
        ("롯데/경동", "택배사 '롯데/경동'에 맞는 택배사가 여럿입니다: 롯데택배, 경동택배. 하나만 쓰세요."),
    ],
)
def test_an_unknown_courier_is_refused(courier, reason, make_shipments, staff):
    [shipment] = make_shipments(1)
    job = upload(sheet([[shipment.number, courier, waybill_number(1)]]), actor=staff)
    assert verdicts(job) == {2: (ItemResult.REFUSED, reason)}


def test_a_number_cell_and_hyphens_and_the_default_courier_are_understood(make_shipments, staff):
    first, second = make_shipments(2)
    rows = [[first.number, int(waybill_number(0))], [second.order.number, "6800-0000-0022"]]
    job = upload(sheet(rows, headers=("배송번호", "송장번호")), actor=staff, courier="CJGLS")
    apply(job, actor=staff)
    assert [one.waybill for one in again([first, second])] == [waybill_number(0), waybill_number(1)]


def test_lines_of_one_shipment_share_a_box(make_shipments, staff):
    [shipment] = make_shipments(1, lines=2)
    numbers = OrderLine.objects.filter(order=shipment.order_id).order_by("seq").values_list("number", flat=True)
    rows = [[number, "택배,등기,소포", CJ, waybill_number(1)] for number in numbers]
    job = upload(sheet(rows, headers=("상품주문번호", "배송방법", "택배사", "송장번호")), actor=staff)
    assert upload_counts(job).ready == 1
    assert upload_counts(job).same == 1
    apply(job, actor=staff)
    assert Parcel.objects.get().items.count() == 2


def test_another_number_needs_a_tick_and_the_old_one_ends(make_numbered, staff):
    first, second = make_numbered(2)
    rows = [[one.number, CJ, waybill_number(50 + i)] for i, one in enumerate((first, second))]
    job = upload(sheet(rows), actor=staff)
    assert upload_counts(job).ask == 2
    assert verdicts(job)[2] == (
        ItemResult.PENDING, f"이미 등록된 송장번호 {waybill_number(0)}과 다릅니다. 바꾸려면 선택하세요.",
    )  # fmt: skip
    job = apply(job, actor=staff, ticked=[2])
    assert (job.done, job.failed) == (1, 1)
    assert [one.waybill for one in again([first, second])] == [waybill_number(50), waybill_number(1)]
    assert Parcel.objects.get(waybill=waybill_number(0)).state == ParcelState.VOID
    assert OrderEvent.objects.filter(kind="parcel.voided").count() == 1


def test_the_same_numbers_in_another_file_change_nothing(make_numbered, staff):
    made = make_numbered(3)
    before = snapshot()
    job = upload(sheet([[one.number, CJ, one.waybill] for one in reversed(made)]), actor=staff)
    assert upload_counts(job).same == 3
    with pytest.raises(Conflict):
        start.confirm(job_id=job.pk, actor=staff, at=job.created_at)
    assert snapshot() == before


def test_the_tick_sends_what_was_registered_now_or_before(make_shipments, make_numbered, staff):
    fresh, known = make_shipments(2), make_numbered(1, first=900)
    rows = [[one.number, CJ, waybill_number(i)] for i, one in enumerate(fresh)] + [
        [known[0].number, CJ, known[0].waybill]
    ]
    job = apply(upload(sheet(rows), actor=staff, ship=True), actor=staff)
    assert (job.state, job.done) == (JobState.DONE, 3)
    assert {one.step for one in again(fresh + known)} == {"SHIPPING"}
    assert set(Parcel.objects.values_list("state", flat=True)) == {ParcelState.HANDED_OVER}


def test_numbers_that_are_sent_at_once_write_orders_and_shipments_once(make_shipments, make_numbered, staff):
    made = make_shipments(2) + make_numbered(1, first=900)
    rows = [[one.number, CJ, one.waybill or waybill_number(i)] for i, one in enumerate(made)]
    rows.append([make_numbered(1, first=950)[0].number, CJ, waybill_number(7)])
    job = upload(sheet(rows), actor=staff, ship=True)
    before = [(reloaded(one).version, reloaded(one.order).version) for one in made]
    done = apply(job, actor=staff, ticked=None)
    assert (done.state, done.done) == (JobState.DONE, 4), "the last one's other number was replaced"
    after = [(one.version, one.order.version, one.step, one.parcel_count) for one in again(made)]
    assert after == [(shipment + 1, order + 1, "SHIPPING", 1) for shipment, order in before]
    assert set(Order.objects.values_list("stage", flat=True)) == {LineState.SHIPPING}
    assert Counter(Parcel.objects.values_list("state", flat=True)) == {"HANDED_OVER": 4, "VOID": 1}


def test_a_canceled_line_does_not_keep_the_rest_of_its_shipment_back(make_shipments, staff):
    [shipment] = make_shipments(1, lines=2)
    gone, stays = shipments.lines_of([shipment.pk])
    cancel_before_shipping(line_ids=[gone], actor=staff, at=NOW, reason="고객 요청")
    job = apply(upload(sheet([[shipment.number, CJ, waybill_number(0)]]), actor=staff, ship=True), actor=staff)
    assert (job.state, verdicts(job)) == (JobState.DONE, {2: (ItemResult.OK, "")})
    states = dict(OrderLine.objects.filter(pk__in=[gone, stays]).values_list("pk", "state"))
    assert (states, again([shipment])[0].step) == ({gone: "CANCELED", stays: "SHIPPING"}, "SHIPPING")


def test_sending_a_chunk_costs_the_statements_of_one_shipment(make_shipments, staff):
    def statements(made, first):
        entries = {one.pk: WaybillEntry("CJGLS", waybill_number(first + i)) for i, one in enumerate(made)}
        with CaptureQueriesContext(connection) as seen:
            done = waybills.register_and_ship(entries=entries, actor=staff, at=NOW)
        assert sorted(done.possible) == sorted(entries)
        texts = [one["sql"] for one in seen]
        assert sum("UPDATE orders_order o" in sql for sql in texts) == 1
        assert sum(sql.startswith('SELECT "id" FROM "orders_order"') for sql in texts) == 1
        return len(texts)

    assert statements(make_shipments(1), 0) == statements(make_shipments(6), 10)


def test_undo_takes_shipments_back_and_voids_the_numbers(make_shipments, staff):
    made = make_shipments(3)
    rows = [[one.number, CJ, waybill_number(i)] for i, one in enumerate(made)]
    job = apply(upload(sheet(rows), actor=staff, ship=True), actor=staff)
    undo = open_undo(job=job, actor=staff, at=job.finished_at)
    assert set(JobItem.objects.filter(job=undo).values_list("result", flat=True)) == {ItemResult.PENDING}
    apply(undo, actor=staff)
    assert (reloaded(undo).done, reloaded(job).state) == (3, JobState.UNDONE)
    assert {(one.step, one.waybill) for one in again(made)} == {("READY", "")}
    assert set(Parcel.objects.values_list("state", flat=True)) == {ParcelState.VOID}


def test_what_changed_after_the_preview_is_refused_with_its_reason(make_shipments, staff):
    held, taken, gone, fine = make_shipments(4)
    rows = [[one.number, CJ, waybill_number(i)] for i, one in enumerate((held, taken, gone, fine))]
    job = upload(sheet(rows), actor=staff)
    locks.hold(line_ids=shipments.lines_of([held.pk]), actor=staff, at=NOW, reason="고객 부재")
    waybills.register_waybills(entries={taken.pk: WaybillEntry("CJGLS", waybill_number(70))}, actor=staff, at=NOW)
    shipments.return_to_preparing(line_ids=shipments.lines_of([gone.pk]), actor=staff, at=NOW)
    job = apply(job, actor=staff)
    assert (job.done, job.failed) == (1, 3)
    assert {row: reason for row, (_, reason) in verdicts(job).items()} == {
        2: "배송보류 중입니다. 사유: 고객 부재",
        3: f"이미 등록된 송장번호 {waybill_number(70)}과 다릅니다. {CHOOSE_AGAIN}",
        4: "배송준비중 주문이 아닙니다. 지금 상태: 상품준비중",
        5: "",
    }
    assert reloaded(taken).waybill == waybill_number(70)


def test_rows_left_out_by_hand_stay_as_they_are(make_shipments, staff):
    made = make_shipments(2)
    job = upload(sheet([[one.number, CJ, waybill_number(i)] for i, one in enumerate(made)]), actor=staff)
    assert exclude_rows(job=job, row_numbers=[2]) == 1
    apply(job, actor=staff)
    assert [one.has_waybill for one in again(made)] == [False, True]


@pytest.mark.django_db(transaction=True)
def test_two_people_with_the_same_file_at_once_apply_it_once(make_shipments, make_staff):
    made = make_shipments(30)
    content = sheet([[one.number, CJ, waybill_number(i)] for i, one in enumerate(made)])
    people = [make_staff(), make_staff()]
    jobs = [upload(content, actor=person) for person in people]

    def confirm(pair):
        try:
            job, person = pair
            lease = start.confirm(job_id=job.pk, actor=person, at=job.created_at)
            runner.run(lease, patient=False)
            return "applied"
        except Conflict as refused:
            return refused.message
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        told = sorted(pool.map(confirm, zip(jobs, people, strict=True)))
    assert told[1 if told[0] != "applied" else 0] == "applied"
    assert [text for text in told if "이미 반영했습니다" in text]
    assert Parcel.objects.count() == 30
    assert Job.objects.filter(state=JobState.DONE).count() == 1


def test_one_number_for_two_recipients_makes_all_of_its_rows_errors(make_shipments, staff):
    [one] = make_shipments(1, recipient_name="김하은")
    [two] = make_shipments(1, recipient_name="이도윤")
    [other] = make_shipments(1)
    rows = [[one.number, CJ, waybill_number(0)], [other.number, CJ, waybill_number(1)]]
    rows += [[two.number, CJ, waybill_number(0)], [one.number, CJ, waybill_number(2)]]
    before = snapshot()
    job = upload(sheet(rows), actor=staff)
    found = upload_counts(job)
    assert (found.ready, found.ask, found.error) == (1, 0, 3)
    assert {row: reason for row, (_, reason) in verdicts(job).items() if reason} == {
        2: "파일의 4행과 송장번호가 같습니다.",
        4: "파일의 2행과 송장번호가 같습니다.",
        5: "파일의 2행과 같은 배송건입니다.",
    }
    assert snapshot() == before
    apply(job, actor=staff)
    assert [one.has_waybill for one in again([one, two, other])] == [False, False, True]


def test_one_number_for_shipments_of_one_recipient_that_cannot_be_merged_says_why(make_shipments, staff):
    made = make_shipments(2)
    locks.hold(line_ids=shipments.lines_of([made[1].pk]), actor=staff, at=NOW, reason="고객 부재")
    job = upload(sheet([[one.number, CJ, waybill_number(0)] for one in made]), actor=staff)
    assert upload_counts(job).error == 2
    told = verdicts(job)
    assert told[2][1].startswith("파일의 3행과 송장번호가 같습니다. 받는 분이 같아도")
    assert told[3][1].startswith("파일의 2행과 송장번호가 같습니다. 받는 분이 같아도")
    assert told[3][1].endswith("배송보류 중입니다. 보류를 해제한 뒤 합포장하세요.")
    assert not Parcel.objects.exists()


def test_a_file_that_must_be_whole_is_not_applied_with_a_single_error(make_shipments, staff):
    made = make_shipments(2)
    rows = [[one.number, CJ, waybill_number(i)] for i, one in enumerate(made)] + [["D-20200101-0000001-00", CJ, "1"]]
    job = upload(sheet(rows), actor=staff, whole=True)
    before = snapshot()
    with pytest.raises(Conflict) as caught:
        apply(job, actor=staff)
    assert caught.value.message == (
        "오류가 있는 행이 1건 있어 아무 행도 반영하지 않았습니다. 오류를 고친 파일을 다시 올리세요."
    )
    assert snapshot() == before
    assert reloaded(job).state == JobState.PREVIEW
    good = upload(sheet(rows[:2]), actor=staff, whole=True)
    exclude_rows(job=good, row_numbers=[3])
    assert apply(good, actor=staff).done == 1
    assert [one.has_waybill for one in again(made)] == [True, False]
