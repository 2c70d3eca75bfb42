"""입금전취소 orders: what their page says and offers, and how staff bring one back (T24)."""

import re

import pytest

from accounts.roles import Role
from core.exceptions import DomainError
from core.jobs import items
from orders.models import OrderEvent
from orders.services import progress
from orders.services.changes import Recipient, change_recipient
from orders.states import CanceledBy, LineState
from payments.actions.payments import Revive
from payments.tasks import cancel_unpaid_overdue
from products.models import StockLevel
from products.services import stock
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.work import previewed, tally

HX = {"HX-Request": "true"}
ENDED = "끝난 주문이라 배송지를 바꿀 수 없습니다. 화면을 새로 고치세요."


@pytest.fixture
def canceled(make_order, make_variant):
    """An order of two lines that ended at its 입금기한."""
    lines = [(make_variant(on_hand=3), 1), (make_variant(on_hand=3), 2)]
    order = make_order(lines=lines, coupon_amount=1_000)
    progress.cancel_unpaid(order_ids=[order.pk], actor=None, at=NOW, by=CanceledBy.DEADLINE)
    return reloaded(order)


def page_of(client, order):
    return client.get(f"/orders/{order.number}/").content.decode()


def box(page, key):
    """The words of one box of the order page."""
    inside = re.search(rf'data-panel="{key}".*?</section>', page, re.S)
    assert inside, key
    return re.sub(r"<[^>]+>|\s+", " ", inside.group())


def states(order):
    return list(order.lines.order_by("seq").values_list("state", flat=True))


def test_its_page_calls_the_payment_canceled_and_asks_for_no_money(canceled, make_order, sign_in):
    client = sign_in(Role.OWNER)
    said = box(page_of(client, canceled), "payment")
    assert " 취소 " in said
    assert "입금대기" not in said
    assert "남은 금액" not in said
    assert "입금기한" not in said
    open_one = box(page_of(client, make_order()), "payment")
    assert "입금대기" in open_one
    assert "남은 금액" in open_one


def test_its_address_is_final(canceled, staff, sign_in):
    page = page_of(sign_in(Role.OWNER), canceled)
    assert "data-change-recipient" not in page
    recipient = Recipient("이새로", "01022223333", "", "04524", "서울 중구 세종대로 110", "3층", "")
    with pytest.raises(DomainError, match=ENDED):
        change_recipient(
            order_id=canceled.pk, recipient=recipient, expected_version=canceled.version, actor=staff, at=NOW
        )
    kept = reloaded(canceled)
    assert (kept.recipient_name, kept.version) == ("김수령", canceled.version)


@pytest.mark.parametrize("role", [Role.OWNER, Role.CS, Role.LOGISTICS, Role.VIEWER])
def test_reviving_is_offered_on_its_page_and_in_the_list_to_who_may_cancel(canceled, sign_in, role):
    client = sign_in(role)
    may = role in {Role.OWNER, Role.CS}
    assert ('data-action="revive"' in page_of(client, canceled)) is may
    shown = client.get("/orders/", {"tab": "canceled", "period": "all"}).content.decode()
    assert canceled.number in shown
    assert ('data-action="revive"' in shown) is may


def test_staff_revive_it_with_a_reason_and_the_next_run_leaves_it_alone(canceled, staff, sign_in):
    client = sign_in(Role.OWNER)
    posted = {"page": "order", "mode": "ids", "rows": f"{canceled.pk}:{canceled.version}"}
    dialog = client.post("/acts/revive/", posted, headers=HX).content.decode()
    uuid = re.search(r"/acts/([0-9a-f-]{36})/apply/", dialog).group(1)
    assert 'name="reason"' in dialog
    assert client.post(f"/acts/{uuid}/apply/", {"reason": ""}, headers=HX).status_code == 422
    assert states(canceled) == [LineState.CANCELED_UNPAID] * 2
    strip = client.post(f"/acts/{uuid}/apply/", {"reason": "늦게 입금한다고 연락"}, headers=HX).content.decode()
    assert "입금대기로 바꿨습니다" in strip
    assert states(canceled) == [LineState.AWAITING_PAYMENT] * 2
    event = OrderEvent.objects.filter(kind="line.revived").first()
    assert event.reason == "늦게 입금한다고 연락"
    revived = reloaded(canceled)
    assert revived.deposit_by > NOW
    assert sorted(StockLevel.objects.filter(demand__gt=0).values_list("demand", flat=True)) == [1, 2]
    assert cancel_unpaid_overdue(at=NOW) == 0
    assert broken() == []


def test_it_is_not_revived_when_one_of_its_goods_is_sold_out(canceled, staff):
    second = canceled.lines.get(seq=2)
    stock.adjust(changes={second.variant_id: 1}, at=NOW, actor=staff, reason="파손", reference="count-1")
    job = previewed(Revive(), list(canceled.lines.all()), actor=staff)
    assert (tally(job), items.reasons(job)) == ((0, 0, 2), [("재고가 1개 부족합니다.", 2)])
    outcome = Revive().apply([second.pk], actor=staff, at=NOW, batch=None, reason="늦은 입금")
    assert set(outcome.refused.values()) == {"재고가 1개 부족합니다."}
    assert states(canceled) == [LineState.CANCELED_UNPAID] * 2
    assert reloaded(canceled).version == canceled.version
    assert not StockLevel.objects.filter(demand__gt=0).exists()
    assert not OrderEvent.objects.filter(kind="line.revived").exists()
