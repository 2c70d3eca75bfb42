"""Roles and the rights they carry, as data (reliability.md 4.1).

Where the matrix asks for a second person, the right is with the role whose word is final. Other differences from it:
재무 reveals the depositor, where deposits are matched and by that right, and the account of a refund with its holder;
보류, 발송지연 안내, 배송지 변경, 발주확인, 구매확정 철회, products and templates are not in the matrix and follow the
work of the role.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import models


class Role(models.TextChoices):
    """역할: what a member of staff is hired for; it alone decides the rights."""

    OWNER = "OWNER", "대표"
    CS = "CS", "CS"
    LOGISTICS = "LOGISTICS", "물류"
    FINANCE = "FINANCE", "재무"
    VIEWER = "VIEWER", "조회전용"
    AUDITOR = "AUDITOR", "감사"


OWNER, CS, LOGISTICS, FINANCE, VIEWER, AUDITOR = (
    Role.OWNER,
    Role.CS,
    Role.LOGISTICS,
    Role.FINANCE,
    Role.VIEWER,
    Role.AUDITOR,
)
EVERYONE = (OWNER, CS, LOGISTICS, FINANCE, VIEWER, AUDITOR)


@dataclass(frozen=True, slots=True)
class Permission:
    """권한: a code that views and acts ask for, its Korean words, and the roles that have it."""

    code: str
    label: str
    roles: frozenset[Role]


def _table(*rows: tuple[str, str, tuple[Role, ...]]) -> dict[str, Permission]:
    return {code: Permission(code, label, frozenset(roles)) for code, label, roles in rows}


PERMISSIONS = _table(
    ("orders.view", "주문 조회", EVERYONE),
    ("orders.create", "주문 직접 등록", (OWNER, CS)),
    ("orders.import", "주문 파일 올리기", (OWNER, CS)),
    ("orders.confirm_payment", "입금확인", (OWNER, CS, FINANCE)),
    ("orders.cancel_unpaid", "입금전취소", (OWNER, CS)),
    ("payments.resend_account", "입금 안내 재발송", (OWNER, CS, FINANCE)),
    ("payments.reissue_account", "가상계좌 다시 발급", (OWNER, CS, FINANCE)),
    ("payments.confirm_virtual", "가상계좌 주문 직접 입금확인", (OWNER, FINANCE)),
    ("orders.acknowledge", "발주확인", (OWNER, CS, LOGISTICS)),
    ("orders.prepare", "배송준비중 처리", (OWNER, CS, LOGISTICS)),
    ("orders.hold", "배송보류와 보류 해제", (OWNER, CS, LOGISTICS)),
    ("orders.change_address", "배송지 변경", (OWNER, CS)),
    ("orders.split", "합포장과 합포장 풀기", (OWNER, CS, LOGISTICS)),
    ("orders.memo", "관리자 메모", (OWNER, CS, LOGISTICS, FINANCE)),
    ("orders.delay", "발송지연 안내", (OWNER, CS)),
    ("orders.find_people", "이름과 연락처로 찾기", (OWNER, CS, AUDITOR)),
    ("orders.find_depositor", "입금자명으로 찾기", (FINANCE,)),
    ("orders.reveal", "개인정보 보기", (OWNER, CS)),
    ("orders.export", "주문 내려받기", (OWNER, CS)),
    ("orders.confirm_purchase", "구매확정 처리", (OWNER, CS)),
    ("orders.revoke_confirmation", "구매확정 철회", (OWNER, CS)),
    ("payments.revert", "입금확인 취소", (OWNER, FINANCE)),
    ("payments.view_deposits", "입금내역 조회", (OWNER, CS, FINANCE)),
    ("payments.match_deposits", "입금내역 등록과 연결", (OWNER, FINANCE)),
    ("orders.cancel", "주문취소와 환불 신청", (OWNER, CS)),
    ("payments.view_refund", "환불 조회", (OWNER, CS, FINANCE, AUDITOR)),
    ("payments.reveal_account", "환불계좌 보기", (OWNER, CS, FINANCE)),
    ("payments.request_refund", "환불 신청과 철회", (OWNER, CS, FINANCE)),
    ("payments.approve_refund", "환불 승인과 보류", (OWNER, FINANCE)),
    ("payments.approve_own_refund", "자기가 신청한 작은 환불 승인", (OWNER,)),
    ("payments.pay_refund", "환불 이체와 이체 목록 내려받기", (OWNER, FINANCE)),
    ("payments.view_notices", "웹훅 수신함 조회", (OWNER, CS, FINANCE, AUDITOR)),
    ("payments.replay_event", "PG 알림 다시 처리", (OWNER,)),
    ("payments.sync", "PG 다시 조회", (OWNER, CS, FINANCE)),
    ("payments.view_problems", "예외 입금 조회", (OWNER, CS, FINANCE, AUDITOR)),
    ("payments.resolve_problem", "예외 입금 처리", (OWNER, FINANCE)),
    ("payments.accept_difference", "차액 인정", (OWNER,)),
    ("payments.view_receipts", "현금영수증 조회", (OWNER, CS, FINANCE, AUDITOR)),
    ("payments.view_reconciliations", "PG 대사 조회", (OWNER, FINANCE, AUDITOR)),
    ("payments.export", "입금·알림·예외·현금영수증 내려받기", (OWNER, FINANCE)),
    ("shipping.register_waybill", "송장 등록", (OWNER, LOGISTICS)),
    ("shipping.force_waybill", "규칙과 다른 송장 등록", (OWNER,)),
    ("shipping.abandon_number", "송장번호 포기", (OWNER,)),
    ("shipping.export_waybill", "송장 파일 내려받기", (OWNER, LOGISTICS)),
    ("shipping.print", "송장·피킹리스트·패킹리스트 출력", (OWNER, LOGISTICS)),
    ("shipping.pack", "포장 검수", (OWNER, LOGISTICS)),
    ("shipping.view_recipient", "배송준비중 수령자 보기", (LOGISTICS,)),
    ("shipping.ship", "배송중 처리", (OWNER, LOGISTICS)),
    ("shipping.unship", "배송취소", (OWNER,)),
    ("shipping.deliver", "배송완료 처리", (OWNER, CS, LOGISTICS)),
    ("shipping.tell_buyer", "고객 안내", (OWNER, CS, LOGISTICS)),
    ("shipping.view_exceptions", "배송 예외 조회", (OWNER, CS, LOGISTICS, VIEWER, AUDITOR)),
    ("shipping.resolve_exception", "배송 예외 처리", (OWNER, CS, LOGISTICS)),
    ("shipping.resend", "재발송", (OWNER, LOGISTICS)),
    ("products.view", "상품 조회", EVERYONE),
    ("products.edit", "상품 편집", (OWNER, CS)),
    ("products.adjust_stock", "재고 조정", (OWNER, LOGISTICS)),
    ("channels.map", "품목 연결", (OWNER, CS)),
    ("channels.edit", "판매채널 편집", (OWNER,)),
    ("templates.edit", "엑셀 양식 편집", (OWNER, LOGISTICS)),
    ("jobs.view", "작업 현황 조회", (OWNER, CS, LOGISTICS, FINANCE, AUDITOR)),
    ("deadletters.view", "실패한 전달 조회", (OWNER, CS, LOGISTICS, FINANCE, AUDITOR)),
    ("deadletters.retry", "실패한 전달 다시 처리", (OWNER,)),
    ("settings.view", "설정 조회", (OWNER, AUDITOR)),
    ("settings.edit", "설정 편집", (OWNER,)),
    ("accounts.view", "운영자 조회", (OWNER, AUDITOR)),
    ("accounts.manage", "운영자 관리", (OWNER,)),
    ("audit.view", "접속 기록 조회", (OWNER, AUDITOR)),
)


LOGGED_SEARCHES: Mapping[str, frozenset[Role]] = {"orders.find_people": frozenset({AUDITOR})}
"""Rights to look for people, and the roles whose every such search is written to the access log."""


PERSONAL_EXPORT_ROWS: Mapping[Role, int] = {CS: 500}
"""Rows of one file with personal data that a role may take away by itself; roles that are not named have no limit.

Above it the matrix asks for a second person; until then the file is for the role whose word is final.
"""


def permission(code: str) -> Permission:
    """권한 찾기: the row of a code.

    Raises LookupError for a code that the table does not have: a typing mistake must not pass for a refusal.
    """
    if code not in PERMISSIONS:
        raise LookupError(f"permission {code!r} is not in the table")
    return PERMISSIONS[code]


def may(role: str, code: str) -> bool:
    """권한 여부: whether a role has a right."""
    return role in permission(code).roles
