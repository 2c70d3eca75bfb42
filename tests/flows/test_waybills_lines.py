"""A courier's file with a row for each line: the rows of one shipment are judged together, a row twice is an error."""

import pytest

from core.jobs.uploads import upload_counts
from core.models import ItemResult, JobState
from orders.models import OrderLine
from shipping.models import Parcel
from shipping.services.merges import merging
from tests.fixtures.orders import NOW
from tests.fixtures.shipments import again, waybill_number
from tests.flows.test_waybills_file import CJ, apply, sheet, snapshot, upload, verdicts


def lines_of_each(made):
    """A row per line: 배송번호 and 품목별 주문번호."""
    items = OrderLine.objects.filter(order__in=[one.order_id for one in made]).order_by("order_id", "seq")
    of_order = {one.order_id: one for one in made}
    return [(of_order[line.order_id], line.number) for line in items]


@pytest.mark.parametrize("has_lines", [True, False])
def test_a_file_with_a_row_for_each_line_comes_back_whole(has_lines, make_shipments, staff):
    """The courier template 품목마다 한 줄, with and without 품목별 주문번호 beside the 배송번호."""
    made = make_shipments(6, lines=3) + make_shipments(5) + make_shipments(1, lines=2)
    number = {one.pk: waybill_number(i) for i, one in enumerate(made)}
    rows = [[one.number, line, CJ, number[one.pk]] for one, line in lines_of_each(made)]
    headers = ("배송번호", "품목별 주문번호", "택배사", "운송장번호")
    if not has_lines:
        rows, headers = [[row[0], *row[2:]] for row in rows], (headers[0], *headers[2:])
    job = upload(sheet(rows, headers=headers), actor=staff, ship=True)
    found = upload_counts(job)
    assert (found.total, found.ready, found.same, found.error) == (25, 12, 13, 0)
    assert not Parcel.objects.exists()
    job = apply(job, actor=staff)
    assert (job.state, job.done) == (JobState.DONE, 12)
    assert {one.pk: one.waybill for one in again(made)} == number
    assert {one.step for one in again(made)} == {"SHIPPING"}
    assert Parcel.objects.count() == 12


def test_a_row_that_stands_twice_is_an_error_in_every_kind_of_file(make_shipments, staff):
    two, three, plain = make_shipments(1, lines=2) + make_shipments(1, lines=3) + make_shipments(1)
    before = snapshot()
    per_shipment = [[one.number, CJ, waybill_number(i)] for i, one in enumerate((two, three, plain, three))]
    per_shipment[3][2] = waybill_number(1)
    job = upload(sheet(per_shipment), actor=staff)
    assert verdicts(job)[5] == (ItemResult.REFUSED, "파일의 3행과 송장번호가 같습니다.")
    assert upload_counts(job).ready == 3

    nameless = [[one.number, CJ, waybill_number(0)] for one in (two, two, two)]
    job = upload(sheet(nameless), actor=staff)
    assert verdicts(job)[4] == (ItemResult.REFUSED, "파일의 2행과 송장번호가 같습니다.")
    assert upload_counts(job).same == 1

    headers = ("배송번호", "품목별 주문번호", "택배사", "운송장번호")
    lines = [[one.number, line, CJ, waybill_number(0)] for one, line in lines_of_each([two])]
    job = upload(sheet([*lines, lines[1]], headers=headers), actor=staff)
    assert verdicts(job)[4] == (ItemResult.REFUSED, "파일의 3행과 송장번호가 같습니다.")
    lines = [row[1:] for row in lines]
    job = upload(sheet([*lines, lines[1]], headers=headers[1:]), actor=staff)
    assert verdicts(job)[4] == (ItemResult.REFUSED, "파일의 3행과 송장번호가 같습니다.")
    assert snapshot() == before


def test_another_number_for_a_line_of_the_same_shipment_is_an_error(make_shipments, staff):
    [shipment] = make_shipments(1, lines=2)
    rows = [[one.number, line, CJ, waybill_number(i)] for i, (one, line) in enumerate(lines_of_each([shipment]))]
    before = snapshot()
    job = upload(sheet(rows, headers=("배송번호", "품목별 주문번호", "택배사", "운송장번호")), actor=staff)
    assert verdicts(job)[3] == (ItemResult.REFUSED, "파일의 2행과 같은 배송건입니다.")
    assert snapshot() == before


def test_a_merged_shipment_may_come_back_with_a_row_for_each_of_its_orders(make_shipments, staff):
    """The template 주문마다 한 줄: the same key as often as there are orders, beside shipments of several lines."""
    merged, other, plain = make_shipments(3)
    [several] = make_shipments(1, lines=2, recipient_name="이도윤", recipient_phone="01033334444")
    merging.merge_shipments(shipment_ids=[merged.pk, other.pk], actor=staff, at=NOW)
    rows = [[one.number, CJ, waybill_number(i)] for i, one in enumerate((merged, several, plain))]
    job = upload(sheet([rows[0], *rows]), actor=staff)
    found = upload_counts(job)
    assert (found.total, found.ready, found.same, found.error) == (4, 3, 1, 0)
    job = upload(sheet([rows[0], rows[0], *rows]), actor=staff)
    assert verdicts(job)[4] == (ItemResult.REFUSED, "파일의 2행과 송장번호가 같습니다.")
