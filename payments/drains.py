"""What the relay role drains for payments."""

from datetime import datetime

from core.drains import drain
from payments.services.deposits import bank, confirming
from payments.services.gateway import issuing, refund_checking, refund_sending
from payments.services.gateway.closing import close_due
from payments.services.notices import draining
from payments.services.notices.receiving import CHANNEL
from payments.services.notices.sweeping import read_unread
from payments.services.refunds import requesting
from payments.services.watching import card_checks


@drain(channel=CHANNEL)
def drain_notices(*, at: datetime) -> int:
    """알림 처리: what PGs told us and nobody has applied yet; how many notices were taken."""
    return draining.drain(at=at)


@drain(channel=issuing.CHANNEL)
def open_virtual_accounts(*, at: datetime) -> int:
    """가상계좌 발급: accounts that no PG has opened yet; how many were tried."""
    return issuing.issue_due(at=at)


@drain(channel=issuing.CHANNEL)
def look_for_window_accounts(*, at: datetime) -> int:
    """결제창 가상계좌 확인: accounts that buyers open at the PGs themselves; how many were asked about."""
    return issuing.look_due(at=at)


@drain(channel=card_checks.CHANNEL)
def check_card_payments(*, at: datetime) -> int:
    """카드 결제 확인: card payments that no PG has confirmed yet; how many were asked about."""
    return card_checks.check_due(at=at)


@drain(channel=requesting.CHANNEL)
def send_refunds(*, at: datetime) -> int:
    """환불 전송: approved refunds that a PG does; how many were taken."""
    return refund_sending.send_due(at=at)


@drain(channel=requesting.CHANNEL)
def check_refunds(*, at: datetime) -> int:
    """환불 확인: refunds of unknown outcome, and those that a bank has not paid out yet; how many were looked at."""
    return refund_checking.check_due(at=at)


@drain(channel=bank.CHANNEL)
def match_new_deposits(*, at: datetime) -> int:
    """자동입금확인: what came into our accounts and nobody has looked at; how many deposits were settled."""
    return confirming.drain(at=at)


@drain(channel=CHANNEL)
def read_unread_notices(*, at: datetime) -> int:
    """웹훅 다시 읽기: requests whose process died before their verdict; how many were read."""
    return read_unread(at=at)


@drain(channel=issuing.CHANNEL)
def close_virtual_accounts(*, at: datetime) -> int:
    """가상계좌 닫기: accounts of canceled orders; how many were tried."""
    return close_due(at=at)
