"""은행 이체 목록: a refund that stood in a file for the bank says so, in the list, in the next file and before it."""

import io
from functools import partial

import pytest
from django.utils import timezone
from openpyxl import load_workbook

from accounts.models import AccessLog
from accounts.roles import Role
from core.lists import lists
from core.lists.presenter import present
from orders.models import OrderEvent
from payments.actions.refunds import LISTED
from payments.models import Refund
from payments.services.deposits import deposit_returns
from payments.services.refunds import by_hand
from payments.services.refunds.listing import listings, note_listed
from payments.states import DepositState, RefundState
from tests.fixtures.answers import text_of
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.refunds import ACCOUNT
from tests.infra.races import race

URL = "/payments/refunds/excel/?tab=bank"
REASON = {"reason": "오후 이체"}


def taken(client, url=URL):
    """The rows of a file that the person takes away, by column."""
    answer = client.post(url, REASON)
    assert answer.status_code == 200
    header, *rows = load_workbook(io.BytesIO(b"".join(answer.streaming_content))).active.values
    return [dict(zip(header, row, strict=True)) for row in rows]


def shown(user, params="tab=bank"):
    page = present(lists.page("refunds").query(params, user=user, at=timezone.now()))
    return "".join(row.html for row in page.rows)


@pytest.mark.django_db(transaction=True)
def test_a_refund_keeps_by_whom_and_when_it_was_taken_to_the_bank(paid_refund, finance, sign_in):
    refund, client = paid_refund(), sign_in(finance)
    assert "이미 내려받은" not in client.get(URL).content.decode()
    [row] = taken(client)
    assert not row["은행 목록"]
    event = OrderEvent.objects.get(kind="refund.listed")
    assert (event.order_id, event.subject_id, event.actor, event.reason) == (
        refund.order_id, refund.pk, finance, "오후 이체"
    )  # fmt: skip
    assert (reloaded(refund).version, reloaded(refund).state) == (refund.version, RefundState.APPROVED)
    assert f"{finance.display_name} 님" in shown(finance)
    assert broken() == []


@pytest.mark.django_db(transaction=True)
def test_who_ends_a_transfer_is_told_of_those_that_no_list_took_to_the_bank(paid_refund, finance, sign_in):
    listed, client = paid_refund(amount=4_000), sign_in(finance)
    taken(client)
    forgotten = paid_refund(amount=3_000)

    def asked(*refunds):
        rows = ",".join(f"{one.pk}:{one.version}" for one in refunds)
        chosen = {"page": "refunds", "mode": "ids", "rows": rows}
        return text_of(client.post("/acts/pay-refund/", chosen, headers={"HX-Request": "true"}))

    words = "은행 목록으로 내려받지 않은 환불이 1건 있습니다."
    assert words not in asked(listed)
    both = asked(listed, forgotten)
    assert "2건의 환불을 이체 완료로 처리합니다" in both
    assert "이체를 마친 환불액은 모두 7,000원입니다." in both
    assert words in both


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("act", ["withdraw-refund", "hold-refund"])
def test_who_stops_a_refund_is_told_that_a_list_took_it_to_the_bank(paid_refund, finance, sign_in, act):
    listed, client = paid_refund(amount=4_000), sign_in(finance)
    taken(client)
    other = paid_refund(amount=3_000)

    def asked(*refunds):
        rows = ",".join(f"{one.pk}:{one.version}" for one in refunds)
        chosen = {"page": "refunds", "mode": "ids", "rows": rows}
        return text_of(client.post(f"/acts/{act}/", chosen, headers={"HX-Request": "true"}))

    assert LISTED.format(count=1) in asked(listed, other)
    assert "은행 목록" not in asked(other)


@pytest.mark.django_db(transaction=True)
def test_taking_it_again_is_warned_of_and_told_in_the_file(paid_refund, finance, sign_in):
    first, client = paid_refund(amount=4_000), sign_in(finance)
    taken(client)
    second = paid_refund(amount=3_000)
    words = f"1건은 이미 내려받은 환불입니다(마지막 {timezone.localtime():%m-%d}"
    assert words in client.get(URL).content.decode()
    assert words in client.get("/payments/refunds/?tab=bank").content.decode()
    rows = {row["환불액"]: row["은행 목록"] for row in taken(client)}
    assert rows[4_000].startswith("이미 내려받음 ")
    assert rows[4_000].endswith(f"{finance.display_name} 님 (1번)")
    assert not rows[3_000]
    found = listings([first.pk, second.pk])
    assert [found[one.pk].times for one in (first, second)] == [2, 1]
    assert "2번" in shown(finance)


@pytest.mark.django_db(transaction=True)
def test_only_what_is_to_be_transferred_is_marked(paid_refund, finance, sign_in):
    paid, waits = paid_refund(), paid_refund()
    by_hand.pay_out(refund_ids=[paid.pk], actor=finance, at=NOW)
    assert len(taken(sign_in(finance), "/payments/refunds/excel/?tab=all")) == 2
    assert set(listings([paid.pk, waits.pk])) == {waits.pk}


@pytest.mark.django_db(transaction=True)
def test_who_may_not_take_it_leaves_no_mark(paid_refund, sign_in):
    refund = paid_refund()
    assert sign_in(Role.CS).post(URL, REASON).status_code == 403
    assert sign_in(Role.FINANCE).post(URL, {"reason": ""}).status_code == 422
    assert listings([refund.pk]) == {}
    assert not AccessLog.objects.filter(action="EXPORT").exists()


@pytest.mark.django_db(transaction=True)
def test_two_files_at_once_leave_two_marks(paid_refund, finance):
    refund = paid_refund()
    race([partial(note_listed, refund_ids=[refund.pk], actor=finance, at=NOW, reason="이체")] * 2)
    assert listings([refund.pk])[refund.pk].times == 2


@pytest.mark.django_db(transaction=True)
def test_a_deposit_that_goes_back_leads_to_its_refund_and_the_refund_to_it(came_in, matched, finance, sign_in):
    deposit = came_in(12_000, "모르는이")
    matched()
    deposit_returns.give_back(
        deposit_id=deposit.pk, account=ACCOUNT, reason="주문 없음", actor=finance, at=timezone.now()
    )
    refund, client = Refund.objects.get(), sign_in(finance)
    page = client.get(f"/payments/deposits/{deposit.pk}/").content.decode()
    url = f"/payments/refunds/?tab=all&amp;q={refund.key}"
    assert url in page.split("data-returns")[1]
    assert refund.get_state_display() in page
    found = client.get(url.replace("&amp;", "&")).content.decode()
    assert f'data-row="{refund.pk}"' in found or f"/payments/deposits/{deposit.pk}/" in found
    assert found.count("12,000원") == 1
    assert reloaded(deposit).state == DepositState.RETURNING
    other = client.get("/payments/refunds/?tab=all&q=00000000-0000-4000-8000-000000000000").content.decode()
    assert "12,000원" not in other
