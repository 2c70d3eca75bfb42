"""What the relay role drains for shipping: numbers that couriers give, status rules to be laid upon stored events."""

from datetime import datetime

from core.drains import drain
from shipping.services.issuing import canceling, giving_up, routing, sending
from shipping.services.numbers.pool import CHANNEL
from shipping.services.polling import pushes
from shipping.services.tracking import reproject
from shipping.states import ContractMode


@drain(channel=CHANNEL)
def issue_cj(*, at: datetime) -> int:
    """CJ대한통운 채번 and its cancellations; how many numbers were taken up."""
    return _of(ContractMode.CJ_API, at)


@drain(channel=CHANNEL)
def issue_epost(*, at: datetime) -> int:
    """우체국 채번 and its cancellations; how many numbers were taken up."""
    return _of(ContractMode.EPOST_API, at)


@drain(channel=CHANNEL)
def issue_hanjin(*, at: datetime) -> int:
    """한진택배 채번 and its cancellations; how many numbers were taken up."""
    return _of(ContractMode.HANJIN_API, at)


@drain(channel=CHANNEL)
def route_boxes(*, at: datetime) -> int:
    """분류 정보 of boxes that have a number and no sort code; how many were asked about."""
    return routing.route_due(at=at)


@drain(channel=CHANNEL)
def tidy_ranges(*, at: datetime) -> int:
    """남은 번호 정리: reserved numbers that nobody registered; how many were looked at."""
    return giving_up.tidy(at=at)


@drain(channel="oms_status_rules")
def apply_status_rules(*, at: datetime) -> int:
    """새 규칙 적용: one round of parcels with an unknown status; how many were looked at."""
    return reproject.apply_rules(at=at)


@drain(channel="oms_hooks")
def register_hooks(*, at: datetime) -> int:
    """배송 알림 신청: as many as the quotas have room for just now; how many were asked for."""
    return pushes.register_due(at=at)


def _of(mode: ContractMode, at: datetime) -> int:
    return sending.issue_due(mode=mode, at=at) + canceling.cancel_due(mode=mode, at=at)
