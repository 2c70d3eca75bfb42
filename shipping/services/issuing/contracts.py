"""택배 계약: what staff say about contracts and ranges; keys go in and never come out."""

import logging
from dataclasses import asdict, dataclass
from datetime import datetime, time
from typing import Any

from django.db import IntegrityError, transaction

from core import drains
from core.exceptions import Conflict, DomainError, NotFound
from core.settings_registry import get_setting, note_change, one_at_a_time, words
from shipping.adapters.issuing import IssueOutcome
from shipping.couriers import COURIERS, TABLE, Courier
from shipping.models import AccountState, CourierContract, WaybillNumber, WaybillRange
from shipping.services.couriers import misfit
from shipping.services.issuing.boxes import sender
from shipping.services.issuing.issuers import HURRIED, CannotOpen, issuer_of, sandboxes_count
from shipping.services.numbers import pool
from shipping.states import API_MODES, OPEN_NUMBERS, ROUTING_MODES, ContractMode
from shipping.waybills import body_digits_of, refusal_of_range

log = logging.getLogger("shipping.issuing")

HISTORY = "courier_contract"
"""Keys of the history are "courier_contract:<code>:<fact>"; what they hold are words."""
NOT_FOUND = "계약을 찾을 수 없습니다. 목록에서 다시 고르세요."
TAKEN = "이미 쓰고 있는 코드입니다. 다른 코드를 입력하세요."
STALE = "화면을 연 뒤 다른 직원이 이 계약을 바꿨습니다. 화면을 새로 고쳐 지금 값을 확인하세요."
NOT_SECURE = "주소는 https://로 시작해야 합니다. 키가 그대로 보이지 않게 합니다."
NO_ADDRESS = "API로 번호를 받으려면 주소를 입력하세요."
NO_SANDBOX = "운영 환경에서는 샌드박스 계약을 쓸 수 없습니다. 샌드박스를 끄고 https://로 시작하는 주소를 입력하세요."
BLOCKED = "{name}의 인증이 거절되어 번호를 받을 수 없습니다. 설정의 송장 번호에서 키를 확인하고 연결 확인을 누르세요."
OVERLAPS = "이미 등록한 대역과 겹칩니다. 택배사에서 받은 시작 번호와 끝 번호를 다시 확인하세요."
NOT_A_RANGE = "번호 대역을 쓰는 계약이 아닙니다."
WRONG_LENGTH = "본번호는 숫자 {digits}자리입니다. 앞자리와 검증번호(마지막 한 자리)는 빼고 입력하세요."
MISFIT = (
    "지금 택배사 번호 규칙에 맞지 않아 이 대역({range})은 다시 쓸 수 없습니다. {reason} "
    "택배사에 확인해 새 대역을 등록하세요."
)
IN_USE = "쓰고 있는 대역({range})입니다. 먼저 중지한 뒤 남은 번호를 버리세요."
ALL_GIVEN = "남은 번호가 없는 대역({range})입니다."
BACKWARDS = "끝 번호가 시작 번호보다 작습니다."
NO_RULE = "{name}의 번호 자릿수를 알 수 없어 대역을 쓸 수 없습니다."
WORKS = "연결되었습니다. 번호는 받지 않았습니다."
SILENT = "{name}에서 응답이 없습니다. 주소를 확인하고 잠시 뒤 다시 확인하세요."
REFUSED = "{name}에서 우리 키를 받지 않았습니다. 고객코드와 키를 확인하세요."
LIMITED = "연결되었지만 호출 한도를 넘었습니다. 잠시 뒤 다시 시도하세요."
KEPT_COURIER = "대역이나 발급한 번호가 있는 계약의 택배사는 바꿀 수 없습니다. 새 계약을 등록하세요."
CODES_FIRST = (
    "{courier} 송장은 분류코드가 있어야 출력합니다. 출력하기 전에 {courier} API 계약도 등록하세요. "
    "이미 받은 번호의 분류코드도 그때 함께 묻습니다."
)
CODES_BY_API = (
    "{courier} 송장은 분류코드가 있어야 출력합니다. "
    "대역의 번호에는 분류코드가 없으니 {courier} API 계약으로 채번하세요."
)
NO_PROBE = "이 계약은 연결을 확인할 수 없습니다. 첫 송장 채번에서 확인됩니다."
_COURIER_OF = {
    ContractMode.CJ_API: "CJGLS", ContractMode.EPOST_API: "EPOST", ContractMode.HANJIN_API: "HANJIN",
}  # fmt: skip


class ContractRefused(DomainError):
    """계약 오류: the message goes to the field."""

    code = "contract_refused"
    status = 422

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, kw_only=True, slots=True)
class ContractFacts:
    """계약 내용 without its keys."""

    name: str
    courier: str
    mode: str
    customer_code: str = ""
    business_number: str = ""
    base_url: str = ""
    is_sandbox: bool = False
    box_type: str = ""
    cut_off: time | None = None
    day_limit: int | None = None
    is_default: bool = False
    is_active: bool = True


def save_contract(
    *, code: str, given: ContractFacts, options: dict[str, str], actor: Any, at: datetime,
    contract_id: int | None = None, seen_at: str = "",
) -> CourierContract:  # fmt: skip
    """계약 저장, a new one or a known one; empty keys stay. A new key or address unblocks.

    Raises ContractRefused, Conflict, NotFound.
    """
    _refuse_unfit(given)
    try:
        with transaction.atomic():
            one_at_a_time("courier_contracts")
            contract = _locked(contract_id) if contract_id else CourierContract(code=code)
            if contract_id and seen_at and contract.updated_at.isoformat() != seen_at:
                raise Conflict(STALE, code="stale")
            if contract_id and contract.mode != given.mode and contract.numbers.exists():
                raise ContractRefused(
                    "번호를 발급한 계약의 방법은 바꿀 수 없습니다. 새 계약을 등록하세요.", field="mode"
                )
            if contract_id and contract.courier != given.courier:
                _refuse_other_courier(contract)
            before = {name: getattr(contract, name) for name in asdict(given)} if contract_id else {}
            if given.is_default:
                CourierContract.objects.filter(is_default=True).exclude(pk=contract.pk).update(is_default=False)
            for name, value in asdict(given).items():
                setattr(contract, name, value)
            contract.set_options(options)
            is_new_key = any(options.values()) or before.get("base_url") != given.base_url
            if is_new_key or before.get("customer_code") != given.customer_code:
                contract.state, contract.blocked_at, contract.last_error = AccountState.OK, None, ""
                contract.paused_until = None
            contract.save()
            _note_changes(contract, before, asdict(given), has_key=any(options.values()), actor=actor, at=at)
            drains.notify(pool.CHANNEL)
    except IntegrityError as error:
        raise ContractRefused(TAKEN, field="code") from error
    if contract.is_active and contract.mode in ROUTING_MODES:
        # Apart from the contract's row: parcels are locked before contracts.
        pool.route_waiting(contract.courier, at=at)
    return contract


def _refuse_unfit(given: ContractFacts) -> None:
    is_api = given.mode in API_MODES
    if is_api and given.courier != _COURIER_OF[ContractMode(given.mode)]:
        courier = COURIERS[_COURIER_OF[ContractMode(given.mode)]].name
        raise ContractRefused(f"이 방법은 {courier} 계약에만 쓸 수 있습니다.", field="courier")
    if is_api and not given.base_url:
        raise ContractRefused(NO_ADDRESS, field="base_url")
    if given.is_sandbox and given.is_active and not sandboxes_count():
        raise ContractRefused(NO_SANDBOX, field="is_sandbox")
    if given.base_url and not given.base_url.startswith("https://") and not given.is_sandbox:
        raise ContractRefused(NOT_SECURE, field="base_url")
    if given.mode == ContractMode.RANGE and not COURIERS[given.courier].digits:
        raise ContractRefused(NO_RULE.format(name=COURIERS[given.courier].name), field="courier")


def _refuse_other_courier(contract: CourierContract) -> None:
    """The check digits of a range, and the bookings of numbers, are those of one courier."""
    if contract.ranges.exists() or contract.numbers.exists():
        raise ContractRefused(KEPT_COURIER, field="courier")


def _locked(pk: int) -> CourierContract:
    contract = CourierContract.objects.select_for_update(no_key=True).filter(pk=pk).first()
    if contract is None:
        raise NotFound(NOT_FOUND)
    return contract


def _note_changes(
    contract: CourierContract, before: dict[str, Any], now: dict[str, Any], *, has_key: bool, actor: Any, at: datetime
) -> None:
    """변경 이력: every fact that is another now, and that keys were entered, never which."""
    if before:
        changed = {name: (before[name], value) for name, value in now.items() if before[name] != value}
    else:
        changed = {"created": (None, f"{contract.name} · {ContractMode(contract.mode).label}")}
    for name, (old, value) in changed.items():
        _note(contract, name, words_of_fact(name, old), words_of_fact(name, value), actor=actor, at=at)
    if has_key:
        _note(contract, "key", "", "새 키", actor=actor, at=at)


def words_of_fact(name: str, value: Any) -> str:
    """계약 값의 낱말 of a field of ContractFacts, as staff read it."""
    match name, value:
        case "courier", str() if value in COURIERS:
            return COURIERS[value].name
        case "mode", str() if value:
            return ContractMode(value).label
        case _, time():
            return f"{value:%H:%M}"
        case "day_limit", int():
            return f"{value:,}개"
    return words(value)


def _note(contract: CourierContract, name: str, old: str, new: str, *, actor: Any, at: datetime) -> None:
    note_change(key=f"{HISTORY}:{contract.code}:{name}", old=old, new=new, actor=actor, at=at)


def add_range(
    *, contract_id: int, prefix: str, start: str, end: str, order: int, actor: Any, at: datetime
) -> WaybillRange:
    """대역 등록: `start` and `end` are bodies as digits, without prefix and check digit. Raises ContractRefused."""
    contract = CourierContract.objects.filter(pk=contract_id).first()
    if contract is None:
        raise NotFound(NOT_FOUND)
    if contract.mode != ContractMode.RANGE:
        raise ContractRefused(NOT_A_RANGE)
    try:
        with transaction.atomic():
            courier = _ruled(contract.courier)
            digits = body_digits_of(courier, prefix)
            first, last = _bodies(courier, prefix=prefix, digits=digits, start=start, end=end)
            made = WaybillRange.objects.create(
                contract=contract, courier=contract.courier, prefix=prefix, body_digits=digits, body_start=first,
                body_end=last, next_body=first, order=order,
            )  # fmt: skip
            CourierContract.objects.filter(pk=contract.pk).update(low_told_at=None, day_told_at=None)
            _note(contract, "range", words(None), f"{made} · {made.total:,}개", actor=actor, at=at)
    except IntegrityError as error:
        raise ContractRefused(OVERLAPS, field="start") from error
    return made


def _bodies(courier: Courier, *, prefix: str, digits: int, start: str, end: str) -> tuple[int, int]:
    """First and last body of a new range. Raises ContractRefused."""
    for field, text in (("start", start), ("end", end)):
        if len(text) != digits or not (text.isascii() and text.isdigit()):
            raise ContractRefused(WRONG_LENGTH.format(digits=digits), field=field)
    first, last = int(start), int(end)
    if last < first:
        raise ContractRefused(BACKWARDS, field="end")
    if reason := refusal_of_range(courier, prefix=prefix, body_digits=digits, start=first, end=last):
        raise ContractRefused(reason, field="start")
    return first, last


def _ruled(slug: str) -> Courier:
    """택배사 with its number rule of now: whoever changes the rule waits until this transaction ends."""
    one_at_a_time("couriers")
    TABLE.forget()
    return COURIERS[slug]


def switch_range(*, range_id: int, is_active: bool, actor: Any, at: datetime) -> None:
    """대역 사용 or 중지; its numbers that were given stay given.

    Back in use it has to fit the rule that its courier has by now. Raises NotFound, ContractRefused.
    """
    with transaction.atomic():
        slug = WaybillRange.objects.filter(pk=range_id).values_list("courier", flat=True).first()
        if slug is None:
            raise NotFound(NOT_FOUND)
        courier = _ruled(slug)
        one = WaybillRange.objects.select_for_update(no_key=True).select_related("contract").get(pk=range_id)
        if is_active and one.left and (reason := misfit(one, courier)):
            raise ContractRefused(MISFIT.format(range=one, reason=reason))
        if one.is_active != is_active:
            WaybillRange.objects.filter(pk=one.pk).update(is_active=is_active)
            said = {True: "사용", False: "중지"}
            old, new = f"{one} {said[not is_active]}", f"{one} {said[is_active]}"
            _note(one.contract, "range", old, new, actor=actor, at=at)


def drop_rest(*, range_id: int, actor: Any, at: datetime) -> WaybillRange | None:
    """남은 번호 버리기 of a range that was stopped: it ends with the last number that was given, None where none was.

    What was registered by mistake is free for the right range then. Raises NotFound, ContractRefused.
    """
    with transaction.atomic():
        found = WaybillRange.objects.select_for_update(of=("self",)).select_related("contract")
        one = found.filter(pk=range_id).first()
        if one is None:
            raise NotFound(NOT_FOUND)
        if one.is_active or not one.left:
            raise ContractRefused((IN_USE if one.is_active else ALL_GIVEN).format(range=one))
        old, is_unused = f"{one} · {one.total:,}개", one.next_body == one.body_start
        one.body_end = one.next_body - 1
        if is_unused:
            one.delete()
        else:
            one.save(update_fields=["body_end", "updated_at"])
        new = words(None) if is_unused else f"{one} · {one.total:,}개"
        _note(one.contract, "range", old, new, actor=actor, at=at)
    return None if is_unused else one


def check_contract(contract: CourierContract, *, at: datetime) -> tuple[bool, str]:
    """연결 확인 without taking a number: refine our own address, as a courier does for a label; whether it works."""
    try:
        answer = issuer_of(contract, timeout=HURRIED).refine(recipient=sender())
    except CannotOpen as problem:
        return False, problem.text
    match answer.outcome:
        case IssueOutcome.AUTH:
            block(contract, answer.message, at=at)
            return False, REFUSED.format(name=contract.name)
        case IssueOutcome.UNKNOWN:
            return False, SILENT.format(name=contract.name)
        case IssueOutcome.LIMITED:
            text = LIMITED
        case IssueOutcome.REJECTED if not answer.message:
            return True, NO_PROBE
        case _:
            text = WORKS
    unblock(contract, at=at)
    return True, text


def block(contract: CourierContract, message: str, *, at: datetime) -> None:
    """계약 막기: the courier refuses our account, or it cannot be opened; said in the log by who noticed first."""
    free = CourierContract.objects.filter(pk=contract.pk, state=AccountState.OK)
    text = (message or "택배사가 우리 키를 받지 않았습니다.")[:300]
    if free.update(state=AccountState.BLOCKED, blocked_at=at, last_error=text):
        log.error("contract %s cannot be used: %s", contract.code, text)


def unblock(contract: CourierContract, *, at: datetime) -> None:
    """계약 다시 쓰기: the courier has answered well; what waited is due at once."""
    CourierContract.objects.filter(pk=contract.pk).update(
        state=AccountState.OK, blocked_at=None, last_error="", paused_until=None, last_ok_at=at
    )
    with transaction.atomic():
        waiting = WaybillNumber.objects.filter(contract=contract, state__in=OPEN_NUMBERS, next_try_at__gt=at)
        # A number that is being asked about just now is left alone: its lease says so.
        waiting.exclude(lease_token__gt=0).update(next_try_at=at)
        drains.notify(pool.CHANNEL)


def missing_codes(contract: CourierContract) -> str:
    """분류코드 없음: why labels with numbers of a range cannot be printed yet; empty when they can; two queries."""
    if contract.mode != ContractMode.RANGE or contract.courier not in get_setting("sort_code_couriers"):
        return ""
    if contract.courier in pool.routed_couriers():
        return ""
    tells = contract.courier in {_COURIER_OF[mode] for mode in ROUTING_MODES}
    return (CODES_FIRST if tells else CODES_BY_API).format(courier=COURIERS[contract.courier].name)
