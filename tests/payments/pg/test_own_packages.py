"""The PGs' Python packages, as they come from the index, work against the sandbox; our reading agrees with theirs."""

import pytest
from portone_server_sdk import webhook
from portone_server_sdk.errors import (
    CancelAmountExceedsCancellableAmountError,
    CancellableAmountConsistencyBrokenError,
    PaymentAlreadyCancelledError,
    PaymentNotFoundError,
    PaymentNotWaitingForDepositError,
    UnauthorizedError,
)
from portone_server_sdk.payment import (
    CancelledPayment,
    CancelPaymentBodyRefundAccount,
    FailedPaymentCancellation,
    InstantPaymentMethodInput,
    InstantPaymentMethodInputVirtualAccount,
    InstantPaymentMethodInputVirtualAccountExpiry,
    InstantPaymentMethodInputVirtualAccountOption,
    PaidPayment,
    PartialCancelledPayment,
    PaymentClient,
    RequestedPaymentCancellation,
    SucceededPaymentCancellation,
    VirtualAccountIssuedPayment,
)

from payments.adapters.base import PgState, Ref
from payments.adapters.portone import PORTONE
from payments.adapters.toss import TOSS
from tests.fixtures.http_server import reply, sending
from tests.payments.pg import portone_case, toss_case, toss_package

ORDER = "20261121-0000123-1"


def parts(request):
    """Headers and body of a request that a scripted server took."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, body


@pytest.fixture
def toss(pgs):
    """The package has no argument for the address, its configuration has."""
    client = toss_package.Client(toss_case.KEY)
    client.config.api_base = f"{pgs.base_url}/toss"
    return client


@pytest.fixture
def toss_paid(pgs):
    pgs.control("payments", pg="toss", order_ref=ORDER, amount=33_000, buyer="홍길동", title="면 티셔츠")
    return pgs.control("payments/deposit", pg="toss", order_ref=ORDER)["payment_ref"]


def test_the_package_of_toss_asks_and_cancels(pgs, toss, toss_paid):
    found = toss.payments.retrieve_by_order_id(ORDER)
    assert (found.payment_key, found.status, found.total_amount) == (toss_paid, toss_package.PaymentStatus.DONE, 33_000)
    assert found.virtual_account.bank_code == "20"
    account = {"bank": "20", "accountNumber": "110123456789", "holderName": "홍길동"}
    part = toss.payments.cancel(toss_paid, "부분 환불", 10_000, account)
    assert (part.status, part.balance_amount) == (toss_package.PaymentStatus.PARTIAL_CANCELED, 23_000)
    assert [cancel.cancel_amount for cancel in part.cancels] == [10_000]
    ours = TOSS.fetch(pgs.client("toss"), account=toss_case.DEAL.account, ref=Ref(order_ref=ORDER))
    assert ours.state is PgState.PART_REFUNDED
    assert [item.reference for item in ours.refunds] == [cancel.transaction_key for cancel in part.cancels]


def test_the_package_of_toss_hears_the_errors(pgs, toss, toss_paid):
    with pytest.raises(toss_package.PaymentNotFoundError):
        toss.payments.retrieve("no-such-key")
    with pytest.raises(toss_package.APIError) as refusal:
        toss.payments.cancel(toss_paid, "환불", 10_000)
    assert (refusal.value.error_code, refusal.value.status_code) == ("INVALID_REFUND_ACCOUNT_INFO", 400)
    stranger = toss_package.Client("test_sk_somebody_else")
    stranger.config.api_base = f"{pgs.base_url}/toss"
    with pytest.raises(toss_package.AuthenticationError):
        stranger.payments.retrieve(toss_paid)
    assert pgs.payment("toss", ORDER)["balance"] == 33_000


def test_the_package_of_toss_reads_our_notices(pgs, toss, serve):
    server = serve(sending(reply()))
    pgs.shop("toss", notice_url=f"http://127.0.0.1:{server.port}/hook")
    pgs.control("payments", pg="toss", order_ref=ORDER, amount=33_000, buyer="홍길동", title="면", announce=False)
    payment = pgs.control("payments/deposit", pg="toss", order_ref=ORDER)
    pgs.wait_for(lambda: len(server.requests) == 2)
    callback, changed = (toss.webhooks.verify_and_parse(parts(request)[1]) for request in server.requests)
    assert isinstance(callback, toss_package.DepositCallbackEvent)
    assert (callback.secret, callback.order_id, callback.is_deposit_completed()) == (payment["secret"], ORDER, True)
    assert isinstance(changed, toss_package.PaymentStatusChangedEvent)
    assert (changed.payment_key, changed.status) == (payment["payment_ref"], toss_package.PaymentStatus.DONE)


@pytest.fixture
def portone(pgs):
    account = portone_case.DEAL.account
    secret = account.options["api_secret"]
    return PaymentClient(secret=secret, base_url=f"{pgs.base_url}/portone", store_id=account.merchant_id)


def virtual_account():
    return InstantPaymentMethodInput(
        virtual_account=InstantPaymentMethodInputVirtualAccount(
            bank="SHINHAN",
            expiry=InstantPaymentMethodInputVirtualAccountExpiry(valid_hours=24),
            option=InstantPaymentMethodInputVirtualAccountOption(type="NORMAL"),
        )
    )


@pytest.fixture
def portone_paid(pgs, portone):
    opened = portone.pay_instantly(
        payment_id=ORDER,
        channel_key=portone_case.DEAL.account.options["channel_key"],
        method=virtual_account(),
        order_name="면 티셔츠",
        amount={"total": 33_000},
        currency="KRW",
    )
    assert opened.payment.pg_tx_id
    issued = portone.get_payment(payment_id=ORDER)
    assert isinstance(issued, VirtualAccountIssuedPayment)
    assert issued.method.account_number == pgs.payment("portone", ORDER)["account_number"]
    return pgs.control("payments/deposit", pg="portone", order_ref=ORDER)


def test_the_package_of_portone_opens_asks_and_cancels(pgs, portone, portone_paid):
    paid = portone.get_payment(payment_id=ORDER)
    assert isinstance(paid, PaidPayment)
    assert (paid.amount.total, paid.amount.paid, paid.method.remitter_name) == (33_000, 33_000, "")
    account = CancelPaymentBodyRefundAccount(bank="SHINHAN", number="110123456789", holder_name="홍길동")
    part = portone.cancel_payment(
        payment_id=ORDER, amount=10_000, reason="부분", refund_account=account, current_cancellable_amount=33_000
    )
    assert part.cancellation.total_amount == 10_000
    found = portone.get_payment(payment_id=ORDER)
    assert isinstance(found, PartialCancelledPayment)
    assert [one.id for one in found.cancellations] == [part.cancellation.id]
    ours = PORTONE.fetch(pgs.client("portone"), account=portone_case.DEAL.account, ref=Ref(order_ref=ORDER))
    assert [item.reference for item in ours.refunds] == [part.cancellation.id]
    portone.cancel_payment(payment_id=ORDER, reason="나머지", refund_account=account)
    assert isinstance(portone.get_payment(payment_id=ORDER), CancelledPayment)


def test_the_package_of_portone_hears_the_errors(pgs, portone, portone_paid):
    account = CancelPaymentBodyRefundAccount(bank="SHINHAN", number="110123456789", holder_name="홍길동")
    with pytest.raises(PaymentNotFoundError):
        portone.get_payment(payment_id="no-such-payment")
    with pytest.raises(CancellableAmountConsistencyBrokenError):
        portone.cancel_payment(payment_id=ORDER, reason="x", refund_account=account, current_cancellable_amount=1)
    with pytest.raises(CancelAmountExceedsCancellableAmountError):
        portone.cancel_payment(payment_id=ORDER, reason="x", refund_account=account, amount=33_001)
    with pytest.raises(PaymentNotWaitingForDepositError):
        portone.close_virtual_account(payment_id=ORDER)
    stranger = PaymentClient(secret="x", base_url=f"{pgs.base_url}/portone")
    with pytest.raises(UnauthorizedError):
        stranger.get_payment(payment_id=ORDER)
    assert pgs.payment("portone", ORDER)["balance"] == 33_000
    portone.cancel_payment(payment_id=ORDER, reason="x", refund_account=account)
    with pytest.raises(PaymentAlreadyCancelledError):
        portone.cancel_payment(payment_id=ORDER, reason="x", refund_account=account)


def test_the_package_of_portone_reads_a_refund_that_was_only_taken(pgs, portone):
    pgs.control("payments", pg="portone", order_ref=ORDER, amount=33_000, buyer="홍길동", title="면")
    pgs.control("payments/deposit", pg="portone", order_ref=ORDER)
    pgs.control("payments/delay-refunds", pg="portone", order_ref=ORDER)
    account = CancelPaymentBodyRefundAccount(bank="SHINHAN", number="110123456789", holder_name="홍길동")
    asked = {"payment_id": ORDER, "reason": "x", "refund_account": account, "amount": 10_000}
    taken = portone.cancel_payment(**asked).cancellation
    assert isinstance(taken, RequestedPaymentCancellation)
    shown = portone.get_payment(payment_id=ORDER)
    assert isinstance(shown, PaidPayment)
    assert [one.id for one in shown.cancellations] == [taken.id]
    pgs.control("payments/refuse-refunds", pg="portone", order_ref=ORDER)
    assert isinstance(portone.get_payment(payment_id=ORDER).cancellations[0], FailedPaymentCancellation)
    portone.cancel_payment(**asked)
    pgs.control("payments/grant-refunds", pg="portone", order_ref=ORDER)
    shown = portone.get_payment(payment_id=ORDER)
    assert isinstance(shown, PartialCancelledPayment)
    assert isinstance(shown.cancellations[1], SucceededPaymentCancellation)
    assert shown.amount.cancelled == 10_000


def test_the_package_of_portone_closes_an_unpaid_account(pgs, portone):
    pgs.control("payments", pg="portone", order_ref=ORDER, amount=33_000, buyer="홍길동", title="면")
    assert portone.close_virtual_account(payment_id=ORDER).closed_at
    assert isinstance(portone.get_payment(payment_id=ORDER), CancelledPayment)


def test_the_package_of_portone_verifies_our_notices_and_asks_for_another(pgs, portone, serve):
    server = serve(sending(reply()))
    pgs.shop("portone", notice_url=f"http://127.0.0.1:{server.port}/hook")
    pgs.control("payments", pg="portone", order_ref=ORDER, amount=33_000, buyer="홍길동", title="면")
    pgs.control("payments/deposit", pg="portone", order_ref=ORDER)
    pgs.wait_for(lambda: len(server.requests) == 2)
    told = []
    for request in server.requests:
        headers, body = parts(request)
        told.append((headers["webhook-id"], webhook.verify(portone_case.SECRET, body.decode(), headers)))
        with pytest.raises(webhook.WebhookVerificationError):
            webhook.verify(portone_case.PREVIOUS, body.decode(), headers)
    assert isinstance(told[0][1], webhook.WebhookTransactionVirtualAccountIssued)
    assert isinstance(told[1][1], webhook.WebhookTransactionPaid)
    assert told[1][1].data.payment_id == ORDER
    again = portone.resend_webhook(payment_id=ORDER)
    assert again.webhook.id == told[1][0]
    pgs.wait_for(lambda: len(server.requests) == 3)
    assert parts(server.requests[2])[0]["webhook-id"] == told[1][0]
