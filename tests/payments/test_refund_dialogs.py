"""Dialogs and jobs of refunds: what is missing is named at once, sums are of what will be done, rows have names."""

import re
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.roles import Role
from core.jobs.failed import failed_rows
from core.models import Job
from orders.models import OrderLine
from orders.states import LineState, PaymentMethod
from payments.actions.refunds import ApproveRefund, HoldRefund
from payments.models import Payment, Refund
from payments.services.deposits import deposit_returns
from payments.services.manual import confirm_manually
from payments.services.refunds import requesting, settling
from payments.services.refunds.locking import locked_refunds
from payments.states import RefundState, RefundWay
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.refunds import ACCOUNT

HX = {"HX-Request": "true"}
REASON = "사유를 입력하세요. 처리 이력에 남습니다."
MISSING = ["환불 은행을 고르세요.", "계좌번호를 입력하세요.", "예금주를 입력하세요."]
BY_ACCOUNT = "환불계좌를 입력하세요. 계좌로 받은 돈은 계좌로 돌려줍니다."


def at_fields(answer):
    """What stands at the fields of a dialog, in their order."""
    return re.findall(r'class="field-error"[^>]*>([^<]*)<', answer.content.decode())


@pytest.fixture
def cancel_dialog(make_order, staff, sign_in):
    """`cancel_dialog(**typed)`: (the line, answer of 주문취소(환불) to this form)."""

    def press(method=PaymentMethod.VIRTUAL_ACCOUNT, **typed):
        order = make_order(payment_method=method)
        confirm_manually(order_ids=[order.pk], actor=staff, at=NOW)
        line, client = OrderLine.objects.get(order=order), sign_in(staff, headers=HX)
        preview = client.post("/acts/cancel-refund/", {"page": "preparing", "lines": f"{line.pk}:{line.version}"})
        apply = re.search(r'"(/acts/[0-9a-f-]{36}/apply/)"', preview.content.decode())[1]
        return line, client.post(apply, {"fault": "SELLER"} | typed)

    return press


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ({}, [REASON, *MISSING]),
        ({"reason": "품절"}, MISSING),
        ({"bank": "004"}, [REASON, *MISSING[1:]]),
        ({"number": "12a4567"}, [REASON, MISSING[0], "계좌번호는 숫자 6~20자리로 입력하세요.", MISSING[2]]),
        ({"bank": "004", "number": "12345678", "holder": "홍길동"}, [REASON]),
    ],
)
def test_a_cancel_names_everything_that_is_missing_at_once(cancel_dialog, typed, named):
    line, answer = cancel_dialog(**typed)
    assert (answer.status_code, at_fields(answer)) == (422, named)
    # The sentence that says why stands where nothing of an account was typed.
    assert (BY_ACCOUNT in answer.content.decode()) is not bool(typed.keys() - {"reason"})
    assert reloaded(line).state == LineState.PREPARING
    assert not Refund.objects.exists()


def test_a_cancel_of_what_goes_back_another_way_asks_for_no_account(cancel_dialog):
    line, answer = cancel_dialog(method=PaymentMethod.CARD)
    assert (answer.status_code, at_fields(answer)) == (422, [REASON])
    assert reloaded(line).state == LineState.PREPARING


@pytest.fixture
def failed(paid_refund):
    """A refund of a card payment that failed without an account of the buyer."""
    refund = paid_refund()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        Refund.objects.update(way=RefundWay.PROVIDER, sealed_account="")
        Payment.objects.update(method=PaymentMethod.CARD)
        cursor.execute("SET LOCAL session_replication_role = origin")
    with locked_refunds([refund.pk]) as [approved]:
        settling.fail(approved, error="결제한 곳에서 환불하지 못했습니다.", at=timezone.now())
    return reloaded(refund)


@pytest.mark.parametrize(
    ("typed", "named"),
    [({"way": "BANK"}, MISSING), ({"way": "BANK", "holder": "홍길동"}, MISSING[:2])],
)
def test_a_refund_that_is_tried_again_names_every_part_of_the_missing_account(failed, sign_in, press, typed, named):
    preview, answer = press(sign_in(Role.FINANCE), "retry-refund", "refunds", [(failed.pk, failed.version)], **typed)
    assert (preview.status_code, answer.status_code, at_fields(answer)) == (200, 422, named)
    why = "환불계좌를 입력하세요. 은행 이체로 돌려주려면 계좌가 필요합니다."
    assert (why in answer.content.decode()) is ("holder" not in typed)
    assert (reloaded(failed).state, reloaded(failed).version) == (RefundState.FAILED, failed.version)


@pytest.fixture
def drafts(paid_payment, finance):
    """`drafts(5_000, 7_000)`: refunds that wait for their approval."""

    def make(*wons):
        asks = [requesting.Ask(payment_id=paid_payment().pk, amount=won, account=ACCOUNT) for won in wons]
        made = requesting.request(asks=asks, reason="변심", actor=finance, at=NOW).refunds
        Refund.objects.update(requested_at=timezone.now())
        return [reloaded(one) for one in made]

    return make


@pytest.mark.parametrize("act", [ApproveRefund, HoldRefund])
@pytest.mark.parametrize(("changed", "said"), [(2, ""), (1, "7,000원")])
def test_a_dialog_tells_the_sum_of_the_rows_that_will_be_done(
    drafts, make_staff, sign_in, press, monkeypatch, act, changed, said
):
    rows, colleague = drafts(5_000, 7_000), make_staff(Role.FINANCE, display_name="이도윤")

    def meanwhile(self, ids, *, at):
        """Between the look at the versions and the lock of the rows."""
        late = [one.pk for one in rows[:changed]]
        requesting.hold(refund_ids=late, actor=colleague, at=NOW, reason="확인")
        requesting.release(refund_ids=late, actor=colleague, at=NOW)
        return {}

    monkeypatch.setattr(act, "ask_first", meanwhile)
    preview, _ = press(sign_in(Role.OWNER), act.name, "refunds", [(one.pk, one.version) for one in rows])
    html = unescape(preview.content.decode())
    assert preview.status_code == (200 if said else 409)
    assert f"2건 중 {2 - changed}건을 처리합니다. {changed}건은 제외합니다." in html
    assert re.findall(r"환불액은 모두 ([0-9,]+원)입니다", html) == ([said] if said else [])
    assert "화면을 연 뒤 09-21 11:00에 이도윤 님이" in html


@pytest.fixture
def returned(came_in, matched, staff):
    """The refund of a deposit that is for no order."""
    deposit = came_in(12_000, "모르는이")
    matched()
    return deposit_returns.give_back(deposit_id=deposit.pk, account=ACCOUNT, reason="주문 없음", actor=staff, at=NOW)


@pytest.mark.parametrize("behind", [0, 1], ids=["refused", "changed since the screen"])
def test_the_page_of_a_job_calls_refunds_by_their_orders_and_tells_no_won(
    drafts, returned, staff, sign_in, press, behind
):
    rows = [*drafts(5_000, 7_000), returned]
    requesting.withdraw(refund_ids=[one.pk for one in rows], actor=staff, at=NOW, reason="철회")
    rows = [reloaded(one) for one in rows]
    names = [*(one.order.number for one in rows[:2]), f"입금 반환 {returned.deposit_id}"]

    def job(*some):
        press(sign_in(staff), "approve-refund", "refunds", [(one.pk, one.version - behind) for one in some])
        return Job.objects.latest("pk")

    few, many = job(rows[0]), job(*rows)
    with CaptureQueriesContext(connection) as of_one:
        assert [one.name for one in failed_rows(few, limit=50)] == names[:1]
    with CaptureQueriesContext(connection) as of_all:
        assert sorted(one.name for one in failed_rows(many, limit=50)) == sorted(names)
    assert len(of_all) == len(of_one)
    page = sign_in(Role.LOGISTICS).get(f"/jobs/{many.uuid}/").content.decode()
    assert all(name in page for name in names)
    assert not re.search("[0-9]원", page)
