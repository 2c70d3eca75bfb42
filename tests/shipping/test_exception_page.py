"""배송 예외 화면: the queue over HTTP, its acts, two people on one case, the file for the courier, and its cost."""

import io
import json
from datetime import timedelta
from pathlib import Path

import openpyxl
import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AccessLog
from accounts.roles import Role
from core.calendar import due_date
from core.invariants import find_violations
from core.lists import lists
from core.lists.presenter import present
from orders.models import OrderEvent
from shipping.models import Parcel, Shipment, ShippingException
from shipping.pages.shipments import ShippingPage
from shipping.services.exceptions import deciding
from shipping.services.exceptions.opening import Opening, open_cases
from shipping.services.exceptions.rules import Evidence
from shipping.states import ExceptionKind, ExceptionOutcome, ParcelState
from tests.fixtures.orders import NOW, reloaded
from tests.infra.races import race

K = ExceptionKind
URL = "/shipping/exceptions/"


def opened(shipments, kind=K.ADDRESS, *, at=None, detail="대전HUB 주소불명"):
    at = at or timezone.now()
    parcels = Parcel.objects.filter(shipment__in=shipments).order_by("pk")
    open_cases([Opening(one, kind, Evidence(at, detail)) for one in parcels], at=at)
    return list(ShippingException.objects.filter(shipment__in=shipments, kind=kind).order_by("pk"))


def test_the_queue_says_what_to_do_next_and_masks_the_person(make_sent, sign_in):
    [shipment] = make_sent(1)
    opened([shipment])
    text = sign_in(Role.CS).get(URL).content.decode()
    for word in (
        "주소 문제",
        "고객에게 주소 확인",
        "대전HUB 주소불명",
        shipment.waybill,
        shipment.order.number,
        "담당 없음",
    ):
        assert word in text, word
    assert shipment.order.recipient_name not in text


@pytest.mark.parametrize("headers", [{"HX-Request": "true"}, {}])
def test_the_acts_of_a_case_are_named_as_those_of_a_case(make_sent, sign_in, headers):
    [case] = opened(make_sent(1))
    text = sign_in(Role.CS).get(f"{URL}{case.pk}/", headers=headers).content.decode()
    assert 'aria-label="이 예외 처리"' in text
    assert "이 주문 처리" not in text
    assert 'aria-label="주문 내용"' not in text


@pytest.mark.parametrize(("role", "status"), [(Role.FINANCE, 403), (Role.VIEWER, 200), (Role.LOGISTICS, 200)])
def test_who_sees_the_queue(make_sent, sign_in, role, status):
    [case] = opened(make_sent(1))
    client = sign_in(role)
    assert [client.get(url).status_code for url in (URL, f"{URL}{case.pk}/")] == [status, status]


def test_the_acts_of_a_day(make_sent, sign_in, press, make_staff):
    boss, colleague = make_staff(Role.OWNER), make_staff(Role.CS, display_name="서지우")
    [case] = opened(make_sent(1))
    client = sign_in(boss)

    def act(name, **form):
        _, answer = press(client, name, "exceptions", [(case.pk, reloaded(case).version)], **form)
        assert answer.status_code == 200, answer.content.decode()
        return reloaded(case)

    assert act("assign-exception", assignee=str(colleague.pk)).assignee == colleague
    before = reloaded(case).due_at
    asked = act("inquire-exception", text="기사에게 전화함")
    assert (asked.attempts, asked.memo, asked.due_at > before) == (1, "기사에게 전화함", True)
    done = act("close-exception", result="AGREED", reason="새 주소를 받음")
    assert (done.outcome, done.closed_by, done.reason) == ("AGREED", boss, "새 주소를 받음")
    again = act("reopen-exception", reason="다시 실패")
    assert (again.closed_at, again.closed_by, again.outcome) == (None, None, "")
    kinds = list(OrderEvent.objects.filter(subject="exception").order_by("pk").values_list("kind", flat=True))
    assert kinds == ["exception.assigned", "exception.inquired", "exception.closed", "exception.reopened"]
    assert {one.order_id for one in OrderEvent.objects.filter(subject="exception")} == {case.shipment.order_id}


def test_a_viewer_may_not_decide(make_sent, sign_in, press):
    [case] = opened(make_sent(1))
    preview, answer = press(sign_in(Role.VIEWER), "close-exception", "exceptions", [(case.pk, 0)], result="NOTHING")
    assert (preview.status_code, answer) == (403, None)
    assert reloaded(case).closed_at is None


def test_logistics_loses_and_resends_and_cs_may_not_resend(make_sent, sign_in, press):
    [shipment] = make_sent(1)
    [case] = opened([shipment], K.SUSPECTED_LOST)
    clerk = sign_in(Role.LOGISTICS)
    press(clerk, "lose-parcel", "exceptions", [(case.pk, 0)], reason="택배사가 분실 인정")
    assert Parcel.objects.get().state == ParcelState.LOST
    [lost] = ShippingException.objects.filter(closed_at=None)
    assert (lost.kind, reloaded(case).outcome) == (K.LOST, ExceptionOutcome.ITSELF)
    preview, _ = press(sign_in(Role.CS), "resend", "exceptions", [(lost.pk, lost.version)], reason="다시")
    assert preview.status_code == 403
    press(clerk, "resend", "exceptions", [(lost.pk, lost.version)], reason="새로 보냄")
    assert (reloaded(shipment).step, Shipment.objects.filter(step="READY").count()) == ("CLOSED", 1)
    assert find_violations("INV-01", "INV-07", "INV-08", "INV-09") == []


def test_the_detail_offers_only_what_fits_the_box(make_sent, sign_in):
    [case] = opened(make_sent(1), K.STALLED)
    client = sign_in(Role.OWNER)
    text = client.get(f"{URL}{case.pk}/").content.decode()
    assert 'data-action="lose-parcel"' in text
    assert f"{due_date(case.due_at):%Y-%m-%d}까지" in text
    assert 'data-action="resend"' not in text
    assert 'class="btn primary" data-action="inquire-exception"' in text
    deciding.lose(exception_ids=[case.pk], actor=None, at=timezone.now(), reason="분실")
    lost = ShippingException.objects.get(kind=K.LOST)
    text = client.get(f"{URL}{lost.pk}/").content.decode()
    assert ('data-action="resend"' in text, 'data-action="lose-parcel"' in text) == (True, False)
    assert 'class="btn primary" data-action="resend"' in text
    assert "취소와 환불은 아직" in text
    assert client.get(f"{URL}999999/").status_code == 404


def close(pk, actor_pk, reason):
    from accounts.models import User  # noqa: PLC0415 - in a forked process

    done = deciding.close(
        exception_ids=[pk], result=ExceptionOutcome.NOTHING, actor=User.objects.get(pk=actor_pk), at=timezone.now(),
        reason=reason,
    )  # fmt: skip
    return done.moved_ids, list(done.refused.values())


@pytest.mark.django_db(transaction=True)
def test_two_people_close_one_case_and_the_second_is_told(make_sent, make_staff):
    people = [make_staff(Role.OWNER), make_staff(Role.CS)]
    [case] = opened(make_sent(1))
    jobs = [lambda one=one: close(case.pk, one.pk, one.display_name) for one in people]
    results = race(jobs)
    moved = [ids for ids, _ in results if ids]
    refused = [texts for ids, texts in results if not ids]
    assert moved == [[case.pk]]
    assert len(refused) == 1
    assert "이미 처리한 예외입니다: 조치 없음" in refused[0][0]
    assert OrderEvent.objects.filter(kind="exception.closed").count() == 1


def test_one_open_case_for_a_parcel_and_kind_whoever_asks(make_sent):
    sent = make_sent(2)
    first = opened(sent)
    assert [case.pk for case in opened(sent)] == [case.pk for case in first]
    [case, _] = first
    at = timezone.now()
    deciding.close(exception_ids=[case.pk], result=ExceptionOutcome.SOLVED, actor=None, at=at, reason="확인")
    closed = reloaded(case)
    assert closed.closed_by is None
    opened([closed.shipment], at=at + timedelta(hours=1))
    done = deciding.reopen(exception_ids=[case.pk], actor=None, at=at, reason="다시")
    assert list(done.refused.values()) == [deciding.OPEN_ALREADY]


def test_the_file_for_the_courier_names_goods_and_money_and_nobody(make_sent, sign_in, staff):
    lost, broken, either, other, unpaid = make_sent(5)
    opened([lost], K.LOST)
    opened([broken], K.DAMAGED)
    opened([either], K.ACCIDENT, detail="미배송 상품 사고(파손/분실)")
    opened([other], K.ADDRESS)
    opened([unpaid], K.ACCIDENT, detail="미배송 결재 불가")
    answer = sign_in(staff).get(f"{URL}claims/")
    book = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content)))
    rows = list(book.active.iter_rows(values_only=True))
    assert rows[0][:6] == ("택배사", "송장번호", "종류", "주문번호", "물품", "물품 금액")
    assert {(row[1], row[2], row[5]) for row in rows[1:]} == {
        (lost.waybill, "분실", 10_000), (broken.waybill, "파손", 10_000), (either.waybill, "배송사고", 10_000),
    }  # fmt: skip
    assert lost.order.recipient_name not in json.dumps(rows, default=str, ensure_ascii=False)
    assert AccessLog.objects.filter(purpose="택배사 배상 청구", row_count=3).count() == 1


def test_what_was_sent_once_more_stays_in_the_file_until_its_deadline(make_sent, sign_in, staff):
    """Whoever presses 재발송 first has not given up what the courier owes."""
    resent, settled = make_sent(2)
    mine, other = (opened([one], K.LOST)[0] for one in (resent, settled))
    at, facts = timezone.now(), {"actor": staff, "reason": "택배사 분실"}
    deciding.lose(exception_ids=[mine.pk], at=at, **facts)
    assert deciding.resend(exception_ids=[mine.pk], at=at, **facts).refused == {}
    deciding.close(exception_ids=[other.pk], result=ExceptionOutcome.CLAIMED, at=at, **facts)
    client = sign_in(staff)

    def told():
        book = openpyxl.load_workbook(io.BytesIO(b"".join(client.get(f"{URL}claims/").streaming_content)))
        head, *rows = book.active.iter_rows(values_only=True)
        return [(row[1], row[head.index("재발송")]) for row in rows]

    assert reloaded(mine).outcome == ExceptionOutcome.RESENT
    assert told() == [(resent.waybill, "재발송")]
    ShippingException.objects.filter(pk=mine.pk).update(opened_at=at - timedelta(days=15))
    assert told() == []


def test_the_order_shows_its_open_cases_and_both_dates(make_sent, sign_in):
    [shipment] = make_sent(1)
    [case] = opened([shipment])
    Parcel.objects.update(first_scan_at=NOW + timedelta(hours=5))
    text = sign_in(Role.OWNER).get(f"/orders/{shipment.order.number}/").content.decode()
    assert f'href="{URL}{case.pk}/"' in text
    assert "배송시작 09-21 11:00 · 집하 09-21 16:00" in text
    columns = {column.key for column in ShippingPage().all_columns}
    assert {"passed", "scanned"} <= columns


def test_the_badge_of_no_pickup_comes_after_its_hours(make_sent, sign_in):
    make_sent(1, at=timezone.now() - timedelta(hours=23))
    client = sign_in(Role.OWNER)
    assert ">미집하<" not in client.get("/orders/shipping/?period=all").content.decode()
    Shipment.objects.update(shipped_at=timezone.now() - timedelta(hours=25))
    assert ">미집하<" in client.get("/orders/shipping/?period=all").content.decode()
    Shipment.objects.update(first_scan_at=timezone.now())
    assert ">미집하<" not in client.get("/orders/shipping/?period=all").content.decode()


COUNTS = json.loads((Path(settings.BASE_DIR) / "tests" / "query_counts.json").read_text())["lists"]["exceptions"]


def test_the_queue_asks_the_same_for_few_and_for_many(make_sent, staff):
    for first, count in ((0, 2), (50, 12)):
        opened(make_sent(count, first=first))
        for params, expected in COUNTS.items():
            with CaptureQueriesContext(connection) as captured:
                view = present(lists.page("exceptions").query(params, user=staff, at=timezone.now()))
            assert len(captured) == expected, (params, [one["sql"][:200] for one in captured.captured_queries])
            assert view.rows


def test_the_queue_is_read_through_its_index(make_sent, staff):
    """30,000 cases of which 200 are open: neither page nor count nor sweep reads the closed ones."""
    [shipment] = make_sent(1)
    parcel = Parcel.objects.get()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO shipping_shippingexception (created_at, updated_at, kind, parcel_id, shipment_id, detail,
                opened_at, evidence_at, due_at, memo, attempts, closed_at, outcome, reason, version)
            SELECT now(), now(), 'STALLED', %s, %s, '', now() - n * interval '1 min', now(), now(), '', 0, now(),
                   'NOTHING', '', 0 FROM generate_series(1, 30000) n
            """,
            [parcel.pk, shipment.pk],
        )
        cursor.execute("ANALYZE shipping_shippingexception")
    opened([shipment])
    query = lists.page("exceptions").query("", user=staff, at=timezone.now())
    rows = query.queryset().order_by("due_at", "id")[:50]
    assert "exception_due" in rows.explain()
    assert "Seq Scan on shipping_shippingexception" not in rows.explain()
    assert "Index" in ShippingException.objects.filter(closed_at=None).order_by().explain()
