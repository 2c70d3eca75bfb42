"""자동입금확인 화면: tabs, scores in words, linking and its refusals, bulk acts, a fixed number of queries."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.roles import Role
from core.lists import lists
from core.lists.presenter import present
from core.models import Job
from orders.models import Order, OrderLine
from orders.services import progress
from orders.states import CanceledBy, LineState
from payments.models import BankDeposit, LedgerEntry
from payments.services.deposits import allocating
from payments.services.deposits.allocating import NOT_FOUND
from payments.states import DepositState, NoticeState
from payments.views.deposits import NOT_COMPARED, OLD_SCREEN
from tests.fixtures.answers import body, text_of
from tests.fixtures.orders import broken, reloaded

URL = "/payments/deposits/"
HX = {"HX-Request": "true"}


@pytest.fixture
def queue(make_order, came_in, matched):
    """A deposit of every tab, all of today."""
    at = timezone.now() - timedelta(hours=2)
    later = at + timedelta(hours=1)
    names = ("하나", "두리", "세찌", "네찌", "다섯")
    orders = {
        name: make_order(price=10_000 * n, at=at, depositor_name=name, buyer_name=name)
        for n, name in enumerate(names, start=1)
    }
    Order.objects.filter(pk=orders["네찌"].pk).update(deposit_by=at)
    progress.cancel_unpaid(order_ids=[orders["네찌"].pk], actor=None, at=at, by=CanceledBy.DEADLINE)
    found = {
        "auto": came_in(10_000, "하나", at=later),
        "under": came_in(19_000, "두리", at=later),
        "over": came_in(31_000, "세찌", at=later),
        "late": came_in(40_000, "네찌", at=later),
        "manual": came_in(50_000, "다섯네", at=later),
    }
    matched(at=later)
    return orders, {key: reloaded(one) for key, one in found.items()}


def rows(params):
    query = lists.page("deposits").query(params, user=None, at=timezone.now())
    return [row.id for row in present(query).rows]


def press(client, deposit, *orders, act="allocate", **facts):
    values = {"order": [one.pk for one in orders], "version": deposit.version} | facts
    return client.post(f"{URL}{deposit.pk}/{act}/", values)


def test_every_tab_holds_its_deposits_and_the_menu_counts_what_waits(queue, sign_in):
    _, found = queue
    for tab, deposit in found.items():
        assert rows(f"tab={tab}") == [deposit.pk]
    assert rows("tab=done") == []
    assert len(rows("tab=all")) == 5
    waiting = {one.pk for tab, one in found.items() if tab != "auto"}
    assert lists.menu_counts()["deposits"] == len(waiting) == 4
    assert set(rows("")) == set(rows("tab=waiting")) == waiting
    client = sign_in(Role.FINANCE)
    card = r'href="/payments/deposits/\?tab=waiting" data-card="matching">.*?>4건<'
    assert re.search(card, client.get("/").content.decode())
    page = client.get(URL).content.decode()
    assert "85점: 금액 같음 · 입금자 일부 같음 · 7일 안 주문" in page
    assert "다*네" in page
    assert "다섯네" not in page


def test_deposits_are_found_by_amount_and_name(queue):
    _, found = queue
    assert rows("tab=all&q=31000") == [found["over"].pk]
    assert rows("tab=all&q=두리") == [found["under"].pk]


def test_the_detail_shows_ranked_candidates_and_links_the_ticked_one(queue, sign_in):
    orders, found = queue
    client = sign_in(Role.FINANCE, headers=HX)
    page = client.get(f"{URL}{found['manual'].pk}/", headers={"HX-Target": "detail"}).content.decode()
    assert f'data-candidate="{orders["다섯"].number}"' in page
    assert "85점" in page
    answer = press(client, found["manual"], orders["다섯"])
    assert "입금 50,000원을 주문 1건에 연결했습니다." in text_of(answer)
    assert answer["HX-Trigger"] == "oms:changed"
    assert OrderLine.objects.get(order=orders["다섯"]).state == LineState.PREPARING
    assert rows("tab=done") == [found["manual"].pk]
    done = client.get(f"{URL}{found['manual'].pk}/").content.decode()
    assert orders["다섯"].number in done
    assert 'data-action="unallocate-deposit"' in done


def test_a_refusal_says_why_and_changes_nothing(queue, sign_in):
    orders, found = queue
    client = sign_in(Role.FINANCE, headers=HX)
    booked = LedgerEntry.objects.count()
    answer = press(client, found["over"], orders["세찌"])
    assert answer.status_code == 422
    assert "입금액이 고른 주문의 금액보다 1,000원 많습니다." in text_of(answer)
    assert "연결할 주문을 고르세요." in text_of(press(client, found["over"]))
    assert "주문번호를 찾을 수 없습니다: 1-1" in text_of(press(client, found["over"], numbers="1-1"))
    assert "되살리고 연결하세요" in text_of(press(client, found["late"], orders["네찌"]))
    assert LedgerEntry.objects.count() == booked
    assert press(client, found["over"], orders["세찌"], accepts_difference="on").status_code == 200
    assert press(client, found["late"], orders["네찌"], canceled="revive").status_code == 200
    assert press(client, found["under"], numbers=orders["두리"].number, accepts_difference="on").status_code == 200
    assert broken() == []


@pytest.mark.parametrize("version", [None, "", "x", "-1", "9" * 5000])
@pytest.mark.parametrize("act", ["allocate", "return"])
def test_an_act_of_a_screen_without_its_version_says_what_to_do(queue, sign_in, act, version):
    orders, found = queue
    values = {"order": orders["다섯"].pk, "reason": "주문 없음", "bank": "088", "number": "110123456789"}
    values |= {"holder": "다섯네"} | ({} if version is None else {"version": version})
    answer = sign_in(Role.FINANCE, headers=HX).post(f"{URL}{found['manual'].pk}/{act}/", values)
    assert (answer.status_code, OLD_SCREEN in text_of(answer)) == (422, True)
    assert reloaded(found["manual"]).state == DepositState.QUEUED


def test_looking_again_finds_an_order_that_came_later(queue, sign_in, make_order):
    _, found = queue
    waiting = found["manual"]
    order = make_order(price=50_000, at=waiting.at - timedelta(hours=3), depositor_name="다섯네", buyer_name="다섯네")
    answer = press(sign_in(Role.FINANCE, headers=HX), waiting, act="rematch")
    assert "맞는 주문을 찾아 입금확인했습니다." in text_of(answer)
    assert OrderLine.objects.get(order=order).state == LineState.PREPARING


@pytest.mark.parametrize("pk", [0, 999_999_999, 2**63])
def test_looking_again_for_nothing_says_so(queue, sign_in, pk):
    answer = sign_in(Role.FINANCE, headers=HX).post(f"/payments/deposits/{pk}/rematch/")
    assert answer.status_code in {404, 422}
    assert NOT_FOUND in text_of(answer)


def test_what_is_decided_is_not_looked_at_again(queue, sign_in, staff):
    _, found = queue
    allocating.ignore(deposit_ids=[found["manual"].pk], actor=staff, at=timezone.now(), reason="이자")
    answer = press(sign_in(Role.FINANCE, headers=HX), found["manual"], act="rematch")
    assert (answer.status_code, NOT_COMPARED in text_of(answer)) == (409, True)


def test_a_candidate_that_was_paid_meanwhile_is_shown_as_it_stands_now(queue, sign_in, staff):
    orders, found = queue
    client, page = sign_in(Role.FINANCE), f"{URL}{found['manual'].pk}/"
    assert "85점" in client.get(page).content.decode()
    Order.objects.filter(pk=orders["다섯"].pk).update(paid_amount=49_998)
    shown = client.get(page).content.decode()
    assert "25점" in shown
    assert "49,998원 초과 · 입금자 일부 같음" in shown


def test_bulk_acts_ask_for_a_reason_and_are_recorded(queue, sign_in):
    _, found = queue
    client = sign_in(Role.FINANCE, headers=HX)

    def act(name, deposit, reason):
        chosen = {"page": "deposits", "mode": "ids", "rows": f"{deposit.pk}:{deposit.version}"}
        preview = client.post(f"/acts/{name}/", chosen)
        job = re.search(r"/acts/([0-9a-f-]{36})/apply/", preview.content.decode()).group(1)
        return client.post(f"/acts/{job}/apply/", {"reason": reason})

    assert "1건의 입금을 무시했습니다." in text_of(act("ignore-deposit", found["manual"], "이자"))
    assert reloaded(found["manual"]).state == DepositState.IGNORED
    act("reopen-deposit", reloaded(found["manual"]), "다시 확인")
    assert reloaded(found["manual"]).state == DepositState.QUEUED
    act("unallocate-deposit", found["auto"], "다른 주문 돈")
    assert reloaded(found["auto"]).state == DepositState.QUEUED
    assert broken() == []


def test_an_act_of_another_table_is_not_offered_for_a_state_of_the_same_name(queue, sign_in, make_order):
    """무시 is a state of deposits and of notices: a deposit must not be taken for the notice with its number."""
    _, found = queue
    one, client = found["manual"], sign_in(Role.OWNER, headers=HX)
    allocating.ignore(deposit_ids=[one.pk], actor=None, at=timezone.now(), reason="이자", batch=None)
    assert NoticeState.IGNORED == DepositState.IGNORED
    for url, here, elsewhere in (
        (f"{URL}?tab=done", "reopen-deposit", "replay-notice"),
        (f"{URL}{one.pk}/", "reopen-deposit", "replay-notice"),
        ("/payments/notices/", "replay-notice", "reopen-deposit"),
    ):
        shown = client.get(url, headers=HX).content.decode()
        assert f'data-action="{here}"' in shown, url
        assert f'data-action="{elsewhere}"' not in shown, url
    order = make_order()
    for page, row in (("deposits", one), ("order", order)):
        chosen = {"page": page, "mode": "ids", "rows": f"{row.pk}:{reloaded(row).version}"}
        answer = client.post("/acts/replay-notice/", chosen)
        assert answer.status_code == 422
        assert "할 수 없는 처리입니다: 다시 처리" in text_of(answer)
    assert not Job.objects.filter(act="replay-notice").exists()


@pytest.mark.parametrize("role", [Role.CS, Role.VIEWER, Role.LOGISTICS, Role.AUDITOR])
def test_who_may_not_link_changes_nothing(queue, sign_in, role):
    orders, found = queue
    client = sign_in(role, headers=HX)
    assert press(client, found["manual"], orders["다섯"]).status_code == 403
    assert press(client, found["manual"], act="rematch").status_code == 403
    assert client.get(f"{URL}{found['manual'].pk}/").status_code == (200 if role == Role.CS else 403)
    assert reloaded(found["manual"]).state == DepositState.QUEUED


def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(queue, came_in, matched, make_staff):
    user = make_staff()

    def count(params):
        with CaptureQueriesContext(connection) as captured:
            view = present(lists.page("deposits").query(params, user=user, at=timezone.now()))
        return len(captured), len(view.rows)

    few = count("tab=all")
    for n in range(30):
        came_in(1_000 + n, "모르는이", at=BankDeposit.objects.first().at)
    matched(at=timezone.now())
    many = count("tab=all")
    assert many[1] > few[1]
    assert many[0] == few[0]


def test_an_order_that_a_deposit_keeps_says_so_in_its_list_and_leads_to_the_deposit(queue, sign_in):
    orders, found = queue
    order, linked = orders["다섯"], orders["하나"]
    query = lists.page("awaiting-payment").query("period=all&tab=matching", user=None, at=timezone.now())
    assert {row.number: "입금 확인 중" in row.html for row in present(query).rows}[order.number]
    client = sign_in(Role.FINANCE)
    [path] = re.findall(r'href="([^"]*)">입금 내역 보기</a>', body(client.get(f"/orders/{order.number}/")))
    assert rows(unescape(path).partition("?")[2]) == [found["manual"].pk]
    assert rows(f"tab=all&period=all&q={linked.number}") == [found["auto"].pk]
    assert "입금 내역 보기" not in text_of(client.get(f"/orders/{linked.number}/"))


def test_who_may_not_see_deposits_has_no_way_to_them(queue, sign_in):
    shown = text_of(sign_in(Role.LOGISTICS).get(f"/orders/{queue[0]['다섯'].number}/"))
    assert "입금 내역을 먼저 확인하세요." in shown
    assert "입금 내역 보기" not in shown
