"""주문 상세: page and slide-over, memo, address, clear text for a reason, acts on one order, what is not there."""

import re

import pytest
from django.utils import timezone

from accounts.models import AccessAction, AccessLog
from accounts.roles import Role
from core.masking import mask_name
from core.phones import normalize_phone
from orders.models import Order, OrderEvent, OrderLine, StaffMemo
from orders.services import locks
from orders.services.changes import add_memo
from orders.states import LineState
from tests.fixtures.answers import body, text_of
from tests.fixtures.orders import ADDRESS, NOW, reloaded

S = LineState
HX = {"HX-Request": "true"}
SLIDE = HX | {"HX-Target": "detail"}


@pytest.fixture
def client(sign_in, staff):
    return sign_in(staff)


def url(order, rest=""):
    return f"/orders/{order.number}/{rest}"


def test_opened_directly_it_is_a_page_and_in_the_list_a_fragment(make_order, client):
    order = make_order()
    page, slide = client.get(url(order)), client.get(url(order), headers=SLIDE)
    refreshed = client.get(url(order), headers=HX | {"HX-Target": "content"})
    assert "<html" in body(page)
    assert "<html" not in body(slide)
    assert 'id="content"' in body(refreshed)
    assert all("HX-Target" in answer["Vary"] for answer in (page, slide))
    for answer in (page, slide):
        for box in ("lines", "payment", "recipient", "history", "memo"):
            assert f'data-panel="{box}"' in body(answer)
        assert "10,000원의 입금을 기다립니다." in text_of(answer)
        assert "입금대기" in text_of(answer)


def test_names_phones_and_addresses_are_masked(make_order, client):
    order = make_order(buyer_name="박진수", depositor_name="박진수", delivery_note="010-9999-8888로 연락")
    shown = text_of(client.get(url(order)))
    for clear in ("박진수", "김수령", "01087654321", "010-8765-4321", "1203호", "010-9999-8888"):
        assert clear not in shown
    assert mask_name("김수령") in shown
    assert "010-8765-****" in shown


@pytest.mark.parametrize(("phone", "marked"), [("0507-1234-5678", 1), ("05071234567", 1), ("010-8765-4321", 0)])
def test_a_substitute_number_says_that_it_is_one(make_order, client, phone, marked):
    order = make_order(recipient_phone=normalize_phone(phone))
    assert body(client.get(url(order))).count(">안심번호<") == marked


@pytest.mark.parametrize("role", Role)
def test_who_packs_reads_name_and_address_of_what_is_in_ready_and_of_nothing_else(
    make_shipments, make_order, sign_in, role
):
    [shipment] = make_shipments(1, recipient_name="김수령", address1="서울 중구 세종대로 110", address2="1203호")
    ready, other = shipment.order, make_order(recipient_name="김수령", address2="1203호", paid=True)
    client = sign_in(role)
    shown = text_of(client.get(url(ready)))
    may = role == Role.LOGISTICS
    assert ("김수령" in shown, "1203호" in shown) == (may, may)
    assert "010-8765-4321" not in shown
    logged = AccessLog.objects.filter(action=AccessAction.VIEW).values_list("purpose", "subjects")
    assert list(logged) == ([("배송준비중 업무", [ready.number])] if may else [])
    hidden = text_of(client.get(url(other)))
    assert ("김수령" in hidden, "1203호" in hidden) == (False, False)
    assert AccessLog.objects.count() == int(may)


def test_lines_in_different_states_are_counted_in_the_head(make_order, make_variant, client, staff):
    order = make_order(lines=[(make_variant(on_hand=9), 1), (make_variant(on_hand=9), 2), (None, 1)], paid=True)
    first = OrderLine.objects.filter(order=order).order_by("seq").first()
    locks.hold(line_ids=[first.pk], actor=staff, at=NOW, reason="색상 확인")
    shown = body(client.get(url(order), headers=SLIDE))
    assert 'class="badge s-preparing">배송보류 1<' in shown
    assert 'class="badge s-preparing">상품준비중 2<' in shown
    assert "배송보류 중입니다. 사유: 색상 확인" in shown
    assert shown.count("data-line=") == 3
    assert "품목 연결" in shown


def test_a_number_that_does_not_exist_is_answered_with_a_search(client):
    answer = client.get("/orders/20260921-0009999/")
    assert answer.status_code == 404
    assert "주문 20260921-0009999를 찾을 수 없습니다." in text_of(answer)
    assert re.search(r'<form[^>]*action="/orders/"[^>]*role="search"', body(answer))
    slide = client.get("/orders/nothing/", headers=SLIDE)
    assert (slide.status_code, slide["Content-Type"]) == (404, "text/plain; charset=utf-8")


@pytest.mark.parametrize("role", list(Role))
def test_each_role_sees_the_order_and_only_its_own_buttons(make_order, sign_in, role):
    order = make_order()
    shown = body(sign_in(role).get(url(order)))
    assert ('data-action="confirm-payment"' in shown) is (role in {Role.OWNER, Role.CS, Role.FINANCE})
    assert ('data-action="cancel-unpaid"' in shown) is (role in {Role.OWNER, Role.CS})
    assert ("data-reveal" in shown) is (role in {Role.OWNER, Role.CS})
    assert ("data-change-recipient" in shown) is (role in {Role.OWNER, Role.CS})
    assert ('id="memo-text"' in shown) is (role in {Role.OWNER, Role.CS, Role.LOGISTICS, Role.FINANCE})


@pytest.mark.parametrize(
    ("rest", "allowed"),
    [
        ("reveal/", {Role.OWNER, Role.CS}),
        ("recipient/", {Role.OWNER, Role.CS}),
        ("memos/", {Role.OWNER, Role.CS, Role.LOGISTICS, Role.FINANCE}),
    ],
)
@pytest.mark.parametrize("role", list(Role))
def test_a_post_without_the_right_changes_nothing_and_is_logged(make_order, sign_in, role, rest, allowed):
    order = make_order()
    answer = sign_in(role, headers=HX).post(url(order, rest), {"reason": "고객 전화", "text": "확인", **ADDRESS})
    if role in allowed:
        assert answer.status_code in {200, 422}
        return
    assert answer.status_code == 403
    assert AccessLog.objects.get().action == "DENIED"
    assert (reloaded(order).version, StaffMemo.objects.count()) == (order.version, 0)


# Acts on one order


def act(client, name, order, shown, **fields):
    rows = re.search(rf'data-action="{name}"[^>]*data-rows="([^"]+)"', shown).group(1)
    values = {"page": "order", "mode": "ids", "rows": rows, "query": "", "as_of": "", "expected": "1"}
    return client.post(f"/acts/{name}/", values | fields, headers=HX)


def test_the_order_is_acted_on_through_the_bulk_view(make_order, lines_of, client):
    order = make_order(paid=True)
    shown = body(client.get(url(order)))
    assert re.search(r'data-action="make-ready"[^>]*data-page="order"', shown)
    done = act(client, "acknowledge", order, shown)
    job = re.search(r"/acts/([0-9a-f-]{36})/apply/", body(done))
    if job:
        done = client.post(f"/acts/{job.group(1)}/apply/", headers=HX)
    assert "1건을 발주확인했습니다." in text_of(done)
    assert lines_of(order)[0].acknowledged_at is not None
    again = body(client.get(url(order)))
    assert 'data-action="acknowledge"' not in again
    assert "발주확인" in again


def test_hold_is_offered_until_it_is_held_and_release_afterwards(make_order, lines_of, client, staff):
    order = make_order(paid=True)
    shown = body(client.get(url(order)))
    assert 'data-action="hold"' in shown
    assert 'data-action="release-hold"' not in shown
    locks.hold(line_ids=[lines_of(order)[0].pk], actor=staff, at=NOW, reason="고객 부재")
    held = body(client.get(url(order)))
    assert 'data-action="hold"' not in held
    assert 'data-action="release-hold"' in held
    assert "배송보류 중입니다. 사유: 고객 부재" in held


def test_an_act_on_an_order_that_moved_meanwhile_changes_nothing(make_order, lines_of, client, make_staff):
    order = make_order(paid=True)
    shown = body(client.get(url(order)))
    other = make_staff(Role.CS, display_name="이도윤")
    locks.hold(line_ids=[lines_of(order)[0].pk], actor=other, at=timezone.now(), reason="고객 부재")
    refused = text_of(act(client, "acknowledge", order, shown))
    assert "이도윤 님이" in refused
    assert lines_of(order)[0].acknowledged_at is None


# Memo


def test_a_memo_is_written_and_only_its_author_deletes_it(make_order, client, staff, sign_in):
    order = make_order()
    saved = client.post(url(order, "memos/"), {"text": "문 앞에 두기", "is_pinned": "on"}, headers=HX)
    assert (saved.status_code, saved["HX-Trigger"]) == (200, "oms:changed")
    assert "문 앞에 두기" in body(saved)
    assert "포장할 때 경고" in body(saved)
    memo = StaffMemo.objects.get()
    assert (memo.author, memo.is_pinned, reloaded(order).has_memo) == (staff, True, True)
    stranger = sign_in(Role.CS, headers=HX)
    refused = stranger.post(url(order, f"memos/{memo.pk}/delete/"))
    assert refused.status_code == 403
    assert "다른 사람이 쓴 메모는 지울 수 없습니다." in body(refused)
    assert StaffMemo.objects.get().deleted_at is None
    deleted = client.post(url(order, f"memos/{memo.pk}/delete/"), headers=HX)
    assert "메모가 없습니다." in body(deleted)
    assert not reloaded(order).has_memo
    assert "메모 삭제" in text_of(client.get(url(order)))


def test_an_empty_memo_is_refused_and_what_was_typed_stays(make_order, client):
    order = make_order()
    empty = client.post(url(order, "memos/"), {"text": "  "}, headers=HX)
    assert empty.status_code == 422
    assert "메모를 입력하세요." in body(empty)
    long = client.post(url(order, "memos/"), {"text": "가" * 2001}, headers=HX)
    assert long.status_code == 422
    assert "가" * 2001 in body(long)
    assert StaffMemo.objects.count() == 0
    assert reloaded(order).version == order.version


def test_without_scripts_a_memo_leads_back_to_the_page(make_order, client):
    order = make_order()
    assert client.post(url(order, "memos/"), {"text": "확인"}).headers["Location"] == url(order)


# Clear text


def test_clear_text_needs_a_reason_and_is_logged_before_it_is_shown(make_order, client, staff):
    order = make_order(delivery_note="경비실 010-7777-6666")
    add_memo(order_id=order.pk, text="고객 010-5555-4444", is_pinned=False, actor=staff, at=NOW)
    assert "김수령" not in body(client.get(url(order, "reveal/")))
    for reason in ("", "왜"):
        refused = client.post(url(order, "reveal/"), {"reason": reason}, headers=HX)
        assert refused.status_code == 422
        assert "김수령" not in body(refused)
    assert not AccessLog.objects.exists()
    shown = client.post(url(order, "reveal/"), {"reason": "고객 문의 전화"}, headers=HX)
    for clear in ("김수령", "010-8765-4321", "101동 1203호", "010-7777-6666", "010-5555-4444", "홍길동"):
        assert clear in text_of(shown)
    assert 'hx-trigger="load delay:30s"' in body(shown)
    log = AccessLog.objects.get()
    assert (log.actor, log.action, log.purpose, log.subjects) == (staff, "VIEW", "고객 문의 전화", [order.number])
    assert client.get(url(order, "reveal/?hide")).content == b""


def test_nothing_is_shown_when_the_log_cannot_be_written(make_order, client, monkeypatch):
    order = make_order()

    def broken(**facts):
        raise RuntimeError("the log is full")

    monkeypatch.setattr("orders.views.reveal.record_access", broken)
    client.raise_request_exception = False
    answer = client.post(url(order, "reveal/"), {"reason": "고객 문의 전화"}, headers=HX)
    assert answer.status_code == 500
    assert "김수령" not in body(answer)


# History and cost


def test_the_timeline_tells_who_did_what_and_lines_that_moved_together_once(make_order, make_variant, client):
    order = make_order(lines=[(make_variant(on_hand=9), 1) for _ in range(3)], paid=True)
    shown = body(client.get(url(order)))
    client.post(
        "/acts/hold/",
        {"page": "order", "mode": "ids", "rows": f"{order.pk}:{order.version}", "reason": "고객 부재"},
        headers=HX,
    )
    job = OrderEvent.objects.filter(kind="line.held").first()
    assert job is None
    dialog = act(client, "hold", order, shown)
    uuid = re.search(r"/acts/([0-9a-f-]{36})/apply/", body(dialog)).group(1)
    client.post(f"/acts/{uuid}/apply/", {"reason": "고객 부재"}, headers=HX)
    timeline = body(client.get(url(order), headers=SLIDE)).partition('class="timeline"')[2].partition("</ol>")[0]
    assert timeline.count("<b>배송보류</b>") == 1
    assert "고객 부재" in timeline
    assert "김하은 님" in timeline
    assert f"/jobs/{uuid}/" in timeline
    assert "시스템" in timeline
    assert "<b>주문 접수</b>" in timeline


def test_a_split_order_links_to_its_family(make_order, client):
    root, child = make_order(), make_order()
    Order.objects.filter(pk=child.pk).update(root=root, parent=root)
    for one, other in ((root, child), (child, root)):
        assert f'href="{url(other)}"' in body(client.get(url(one))).partition("data-family")[2]
