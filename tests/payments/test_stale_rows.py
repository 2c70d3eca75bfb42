"""Rows that somebody changed since the screen: a deposit and a refund say who it was and when, of their own history."""

from accounts.roles import Role
from payments.services.deposits import allocating
from payments.services.refunds import requesting
from payments.states import DepositState, RefundState
from tests.fixtures.orders import NOW, reloaded


def test_a_deposit_that_belongs_to_no_order_says_who_decided(came_in, matched, make_staff, sign_in, press):
    deposit = came_in(39_000, "홍길동")
    matched()
    deposit, first = reloaded(deposit), make_staff(Role.FINANCE, display_name="이재무")
    allocating.ignore(deposit_ids=[deposit.pk], actor=first, at=NOW, reason="이자")
    preview, answer = press(sign_in(Role.OWNER), "ignore-deposit", "deposits", [(deposit.pk, deposit.version)])
    assert (preview.status_code, answer) == (409, None)
    assert "화면을 연 뒤 09-21 11:00에 이재무 님이 무시로 바꿨습니다." in preview.content.decode()
    assert (reloaded(deposit).state, reloaded(deposit).version) == (DepositState.IGNORED, deposit.version + 1)


def test_a_refund_says_who_held_it_although_its_order_went_on(paid_refund, make_staff, sign_in, press, deposit):
    refund, first = paid_refund(), make_staff(Role.FINANCE, display_name="이재무")
    requesting.hold(refund_ids=[refund.pk], actor=first, at=NOW, reason="확인")
    deposit(refund.order, 1_000)
    preview, answer = press(sign_in(Role.OWNER), "pay-refund", "refunds", [(refund.pk, refund.version)])
    assert (preview.status_code, answer) == (409, None)
    assert "화면을 연 뒤 09-21 11:00에 이재무 님이 환불보류로 바꿨습니다." in preview.content.decode()
    assert (reloaded(refund).state, reloaded(refund).version) == (RefundState.HELD, refund.version + 1)
