"""A working day over HTTP: order files go in, parcels go out, orders confirm themselves (domain.md A01, A18)."""

import io
import re
from collections import Counter
from datetime import timedelta

import openpyxl
import pytest
from django.utils import timezone

from accounts.roles import Role
from core import relay
from core.jobs import lease, runner
from core.models import Job, JobState, Message
from orders.models import Order, OrderEvent, OrderLine, SalesChannel
from orders.services import locks, progress
from orders.states import ConfirmedBy, DeliveredBy, LineState, LockKind
from orders.tasks import confirm_after_days
from payments.models import LedgerEntry, Payment
from payments.states import EntryKind, PaymentState
from shipping.models import ExcelTemplate, Parcel, Shipment, TrackingPoll
from shipping.services import shipments
from shipping.services.tracking.asking import poll_due
from shipping.states import ParcelState
from tests.fixtures.answers import text_of
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.products import figures, ledger
from tests.flows.working_day import (
    CUP,
    PASSWORD,
    UNKNOWN,
    Clerk,
    cafe24_file,
    make_goods,
    smartstore_file,
    tell_delivered,
    tell_moving,
    with_numbers,
)  # fmt: skip

FIRST = "680000000011"
IMPORT, UPLOAD, FILE = "/orders/import/", "/shipping/waybills/upload/", "/shipping/waybills/file/"
S = LineState


@pytest.fixture
def clerk(make_staff, sign_in):
    """`clerk(Role.CS)`: a person at the screens."""

    def come(role):
        user = make_staff(role)
        return Clerk(sign_in(user), user)

    return come


def states():
    return Counter(OrderLine.objects.values_list("state", flat=True))


def receive(cs, name, content, *, password=""):
    """An order file through the import screens: password, preview, apply; what preview and result say."""
    answer = cs.upload(IMPORT, name, content)
    if password:
        assert answer.status_code == 422
        assert "암호를 입력하세요" in text_of(answer)
        held = answer.context["form"].data["held"]
        answer = cs.client.post(IMPORT, {"held": held, "password": password})
    assert answer.status_code == 302, text_of(answer)
    before = Order.objects.count()
    preview = cs.page(answer["Location"])
    assert Order.objects.count() == before
    return preview, text_of(cs.client.post(f"{answer['Location']}apply/", follow=True))


def courier_file(logistics):
    """The courier's Excel by the default template, as a download."""
    template = ExcelTemplate.objects.get(is_default=True)
    answer = logistics.client.post(f"{FILE}?period=all", {"template": template.pk, "reason": "송장 출력"})
    assert answer.status_code == 200
    return b"".join(answer.streaming_content)


def connect_the_shirt(cs, goods):
    page = cs.page("/products/mapping/")
    assert "오가닉 면 티셔츠" in page
    channel = SalesChannel.objects.get(code="smartstore")
    group = {"channel": channel.pk, "product": UNKNOWN[0], "option": UNKNOWN[1]}
    assert goods.tee.sku in text_of(cs.client.get("/products/mapping/connect/", group | {"q": "기본 면"}))
    done = cs.client.post("/products/mapping/connect/", group | {"variant": goods.tee.pk}, follow=True)
    assert "품목 4건을 연결했습니다." in text_of(done)


def test_a_day_from_the_order_file_to_the_purchase_confirmation(clerk, make_variant, tracker, courier_account):
    start = timezone.now()
    # This shop tells the buyers of its market itself.
    SalesChannel.objects.update(notifies_buyers=True)
    goods = make_goods(make_variant)
    cs, logistics = clerk(Role.CS), clerk(Role.LOGISTICS)

    preview, result = receive(cs, "발주발송.xlsx", smartstore_file(start), password=PASSWORD)
    assert "반영 가능한 5행 등록" in preview
    assert "6행 가운데 5행을 등록했습니다. 1행은 등록하지 않았습니다." in result
    preview, result = receive(cs, "카페24.csv", cafe24_file(start))
    assert "4행 가운데 4행을 등록했습니다." in result
    assert states() == {S.AWAITING_PAYMENT: 3, S.PREPARING: 6}
    assert figures(goods.ear) == (9, 4, 0)
    assert figures(goods.tee) == (12, 0, 0)
    connect_the_shirt(cs, goods)
    assert figures(goods.tee) == (12, 8, 0)
    assert cs.counted("awaiting-payment", at=timezone.now()) == 3
    assert cs.counted("preparing", at=timezone.now()) == 6

    preview, result = cs.press("confirm-payment", "awaiting-payment", cs.rows("awaiting-payment").values())
    assert "3건을 상품준비중으로 바꿉니다" in preview
    assert "고객에게 알림 3건을 보냅니다." in preview
    assert "3건을 상품준비중으로 바꿨습니다." in result
    assert cs.counted("awaiting-payment", at=timezone.now()) == 0
    assert cs.counted("preparing", at=timezone.now()) == 9

    _, result = cs.press("acknowledge", "preparing", cs.rows("preparing").values())
    assert "9건을 발주확인했습니다." in result
    assert OrderLine.objects.filter(acknowledged_at__isnull=True).count() == 0
    preview, result = logistics.press("make-ready", "preparing", logistics.rows("preparing").values())
    assert "재고가 1개 부족합니다. 1건" in preview
    assert "9건 중 8건을 배송준비중으로 바꿨습니다. 1건은 바꾸지 못했습니다." in result
    short = OrderLine.objects.get(state=S.PREPARING)
    assert (short.variant.sku, short.version) == (CUP, 1)
    assert cs.counted("preparing", at=timezone.now()) == 1
    assert cs.counted("ready", at=timezone.now()) == 8

    content, given = with_numbers(courier_file(logistics))
    assert len(given) == 8
    assert FIRST in given.values()
    answer = logistics.upload(UPLOAD, "운송장.xlsx", content, courier="CJGLS")
    assert answer.status_code == 302, text_of(answer)
    assert "반영 가능한 8건 송장 등록" in logistics.page(answer["Location"])
    assert not Parcel.objects.exists()
    logistics.client.post(answer["Location"])
    assert dict(Shipment.objects.values_list("number", "waybill")) == given
    assert cs.counted("ready", at=timezone.now(), query="period=all&tab=standby") == 8
    assert not OrderLine.objects.filter(state=S.READY, standby_at=None).exists()

    preview, result = logistics.press("ship", "ready", logistics.rows("ready").values())
    assert "8건을 배송중으로 바꿉니다" in preview
    assert "8건을 배송중으로 바꿨습니다." in result
    sent_at = timezone.now().replace(microsecond=0)
    assert cs.counted("ready", at=sent_at) == 0
    assert cs.counted("shipping", at=sent_at) == 8
    assert Message.objects.count() == 0
    relay.run_once(at=sent_at + timedelta(hours=1))
    assert Counter(Message.objects.values_list("template", flat=True)) == {"payment_confirmed": 3, "order_shipped": 8}

    arrive(tracker, given, sent_at=sent_at)
    assert cs.counted("shipping", at=timezone.now()) == 0
    assert cs.counted("delivered", at=timezone.now()) == 8

    returned = OrderLine.objects.filter(state=S.DELIVERED).order_by("pk").first()
    asked_at = sent_at + timedelta(days=2)
    locks.place_lock(line_ids=[returned.pk], kind=LockKind.CLAIM, actor=None, at=asked_at, reason="반품 신청")
    last = max(OrderLine.objects.filter(state=S.DELIVERED).values_list("confirm_by", flat=True))
    assert confirm_after_days(at=last) == 7
    assert confirm_after_days(at=last) == 0
    assert cs.counted("delivered", at=timezone.now()) == 1
    assert cs.counted("confirmed", at=timezone.now()) == 7
    relay.run_once(at=last + timedelta(hours=1))

    assert states() == {S.CONFIRMED: 7, S.DELIVERED: 1, S.PREPARING: 1}
    the_books_of_the_day(goods)


def arrive(tracker, given, *, sent_at):
    """The courier delivers all but one, then the last; an order moves once, by the courier's own time."""
    *most, one = given.values()
    tell_delivered(tracker, most, sent_at=sent_at)
    tell_moving(tracker, [one], sent_at=sent_at)
    later = sent_at + timedelta(days=1)
    tracker.control("clock", now=later.isoformat())
    assert poll_due(at=later) == 8
    assert states()[S.DELIVERED] == 7
    assert reloaded(Shipment.objects.get(waybill=one)).step == "SHIPPING"
    tell_delivered(tracker, [one], sent_at=sent_at + timedelta(days=1))
    for _ in range(20):
        due = TrackingPoll.objects.filter(is_active=True).values_list("next_poll_at", flat=True).first()
        if due is None:
            break
        tracker.control("clock", now=due.isoformat())
        poll_due(at=due)
    delivered = OrderLine.objects.filter(state=S.DELIVERED)
    assert set(delivered.values_list("delivered_by", flat=True)) == {DeliveredBy.TRACKER}
    assert Counter(delivered.values_list("delivered_at", flat=True)) == {
        sent_at + timedelta(hours=7): 7,
        sent_at + timedelta(hours=31): 1,
    }


def the_books_of_the_day(goods):
    """Stock, money, messages and events at the end, to the unit and the won."""
    assert figures(goods.tee) == (4, 0, 0)
    assert figures(goods.ear) == (5, 0, 0)
    assert figures(goods.cup) == (1, 2, 0)
    one = OrderLine.objects.filter(variant=goods.tee).order_by("pk").first()
    assert [row[:4] for row in ledger(goods.tee) if row[4].startswith(one.number)] == [
        ("DEMAND", 0, 2, 0),
        ("ALLOCATE", 0, -2, 2),
        ("SHIP", -2, 0, -2),
    ]
    manual = LedgerEntry.objects.filter(kind=EntryKind.MANUAL)
    assert Counter(manual.values_list("amount", flat=True)) == {33_000: 3}
    assert set(Payment.objects.values_list("state", flat=True)) == {PaymentState.PAID}
    assert all(order.paid_amount == order.due_amount for order in Order.objects.all())
    told = {"payment_confirmed": 3, "order_shipped": 8, "order_delivered": 8}
    assert Counter(Message.objects.values_list("template", flat=True)) == told
    assert set(Parcel.objects.values_list("state", flat=True)) == {ParcelState.DELIVERED}
    for line in OrderLine.objects.all():
        versions = OrderEvent.objects.filter(subject="line", subject_id=line.pk).order_by("version")
        assert list(versions.values_list("version", flat=True)) == list(range(1, line.version + 1))
    chain = OrderEvent.objects.filter(subject="line", order=one.order_id).order_by("pk")
    assert [kind for kind in chain.values_list("kind", flat=True) if kind != "line.locked"] == [
        "line.mapped",
        "line.acknowledged",
        "line.ready",
        "line.waybill_registered",
        "line.shipped",
        "line.picked_up",
        "line.delivered",
    ]
    assert OrderEvent.objects.filter(kind="line.confirmed", actor=None).count() == 7
    assert set(Job.objects.values_list("state", flat=True)) <= {JobState.DONE, JobState.PARTIAL}
    assert broken() == []


def test_a01_waybill_item_number_and_phone_with_name_find_the_same_order(clerk, make_sent, make_order, sign_in):
    [shipment] = make_sent(1, lines=2, recipient_name="한가람", recipient_phone="01055550045")
    make_sent(40, first=100, recipient_name="한가람", recipient_phone="01055550046")
    make_sent(9, first=200, recipient_name="오서준", recipient_phone="01055550045")
    assert shipment.waybill == FIRST
    cs = clerk(Role.CS)
    number = shipment.order.number
    colleague = sign_in(Role.CS)
    for words_typed in (FIRST, "6800-0000-0011", f"{number}-02", "0045 한가람"):
        query = f"q={words_typed}".replace(" ", "+")
        assert list(cs.rows("orders", query)) == [number], words_typed
        again = colleague.get(f"/orders/?{query}").content.decode()
        assert re.findall(r'<tbody[^>]* data-order="([^"]+)"', again) == [number]
        file = cs.excel("orders", query)
        spoken = re.search(r'data-count="total">주문 (\d+)건 · 품목 (\d+)건', again)
        assert (int(spoken[1]), int(spoken[2])) == (1, len(file)) == (1, 2)
    many = cs.page("/orders/?q=한가람")
    assert 'data-total="41"' in many
    assert len({row[0] for row in cs.excel("orders", "q=한가람")}) == 41


def test_a14_a_held_order_shows_it_and_goes_on_where_it_stood(clerk, make_shipments):
    [shipment] = make_shipments(1)
    logistics = clerk(Role.LOGISTICS)
    [row] = logistics.rows("ready").values()
    _, result = logistics.press("hold", "ready", [row], reason="고객 부재, 9/28 이후")
    assert "1건을 배송보류했습니다." in result
    page = logistics.page("/orders/ready/?period=all")
    assert '<span class="badge s-ready">배송보류</span>' in page
    content = openpyxl.Workbook()
    content.active.append(["배송번호", "송장번호"])
    content.active.append([shipment.number, FIRST])
    target = io.BytesIO()
    content.save(target)
    url = logistics.upload(UPLOAD, "운송장.xlsx", target.getvalue(), courier="CJGLS")["Location"]
    assert "배송보류 중입니다. 사유: 고객 부재, 9/28 이후" in logistics.page(url)
    assert not Parcel.objects.exists()
    [row] = logistics.rows("ready").values()
    logistics.press("release-hold", "ready", [row])
    after = reloaded(shipment)
    assert (after.is_held, after.ship_by, after.step) == (False, shipment.ship_by, "READY")


def test_a18_only_a_clean_proven_delivery_confirms_itself(make_sent, make_shipments, staff):
    clean, returned, presumed = (shipments.lines_of([one.pk])[0] for one in make_sent(3))
    for pk in (clean, returned):
        progress.deliver(delivered_at={pk: NOW}, by=DeliveredBy.TRACKER, actor=None, at=NOW)
    progress.deliver(delivered_at={presumed: NOW}, by=DeliveredBy.DAYS, actor=None, at=NOW)
    locks.place_lock(line_ids=[returned], kind=LockKind.CLAIM, actor=None, at=NOW, reason="반품 신청", reference="R-1")
    due = OrderLine.objects.get(pk=clean).confirm_by
    assert due == NOW + timedelta(days=7)
    assert confirm_after_days(at=due - timedelta(seconds=1)) == 0
    before = OrderEvent.objects.count()
    assert confirm_after_days(at=due) == 1
    assert OrderEvent.objects.filter(kind="line.confirmed").count() == 1
    assert confirm_after_days(at=due + timedelta(days=1)) == 0
    assert OrderEvent.objects.count() > before
    found = dict(OrderLine.objects.values_list("pk", "state"))
    assert found == {clean: S.CONFIRMED, returned: S.DELIVERED, presumed: S.DELIVERED}
    assert OrderLine.objects.get(pk=clean).confirmed_by == ConfirmedBy.DAYS


def test_the_same_order_file_again_is_named_and_changes_nothing(clerk, make_variant):
    make_goods(make_variant)
    cs, content = clerk(Role.CS), cafe24_file(timezone.now())
    receive(cs, "카페24.csv", content)
    before = (Order.objects.count(), OrderEvent.objects.count(), Job.objects.count())
    answer = cs.upload(IMPORT, "카페24.csv", content)
    assert answer.status_code == 409
    assert f"{cs.user.display_name} 님이 이미 반영했습니다." in text_of(answer)
    assert (Order.objects.count(), OrderEvent.objects.count(), Job.objects.count()) == before


def test_a_large_press_waits_for_a_worker_and_counts_agree_afterwards(clerk, make_shipments, courier_account):
    make_shipments(210)
    logistics, cs = clerk(Role.LOGISTICS), clerk(Role.CS)
    hx, at = {"HX-Request": "true"}, timezone.now().isoformat()
    content, given = with_numbers(courier_file(logistics))
    url = logistics.upload(UPLOAD, "운송장.xlsx", content, courier="CJGLS")["Location"]
    logistics.client.post(url)
    work_off()
    assert Parcel.objects.filter(state=ParcelState.NUMBERED).count() == len(given) == 210
    form = {"page": "ready", "mode": "filter", "query": "period=all", "as_of": at, "expected": "210"}
    answer = logistics.client.post("/acts/ship/", form, headers=hx)
    job = re.search(r"/acts/([0-9a-f-]{36})/apply/", answer.content.decode())[1]
    answer = logistics.client.post(f"/acts/{job}/apply/", headers=hx)
    assert "0 / 210건 처리 중" in text_of(answer)
    assert states() == {S.READY: 210}
    work_off()
    assert "210건을 배송중으로 바꿨습니다." in text_of(logistics.client.get(f"/jobs/{job}/strip/", headers=hx))
    assert 'data-total="210"' in cs.page("/orders/shipping/?period=all")
    assert len(cs.excel("shipping")) == 210


def work_off():
    """What a worker does with the job that waits."""
    [job] = Job.objects.filter(state=JobState.QUEUED)
    runner.run(lease.claim(job_id=job.pk, at=timezone.now()))
    assert reloaded(job).state == JobState.DONE, reloaded(job).error
