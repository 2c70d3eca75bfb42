"""알림의 낱말: what kinds, answers and reason codes of the inbox mean in Korean."""

from typing import Final

from payments.adapters.base import Kind
from payments.states import NoticeState

KINDS: Final = {
    Kind.ISSUED: "가상계좌 발급",
    Kind.DEPOSITED: "입금",
    Kind.REVERSED: "입금 취소",
    Kind.CANCELED_BEFORE_DEPOSIT: "입금 전 취소",
    Kind.REFUNDED: "환불",
    Kind.PART_REFUNDED: "부분환불",
    Kind.EXPIRED: "입금기한 만료",
    Kind.FAILED: "결제 실패",
    Kind.BANK: "계좌 입금",
    Kind.OTHER: "기타",
}

CSS: Final = {
    NoticeState.RECEIVED: "s-ready",
    NoticeState.RETRY: "s-ready",
    NoticeState.PROCESSED: "s-delivered",
    NoticeState.IGNORED: "s-confirmed",
    NoticeState.REJECTED: "s-closed",
    NoticeState.PARKED: "s-awaiting",
    NoticeState.DEAD: "s-closed",
    NoticeState.TEST: "s-confirmed",
}

REASONS: Final = {
    "no_change": "원장과 PG가 이미 같음",
    "not_confirmed": "PG에 입금이 없음",
    "of_no_meaning": "처리할 내용이 없는 알림",
    "not_at_pg": "PG가 모르는 결제",
    "unknown_order": "우리 주문을 찾지 못함",
    "matched_again": "같은 주문의 입금을 다시 알림",
    "denied": "PG가 우리 키를 거절함",
    "no_answer": "PG가 응답하지 않음",
    "failed": "처리하다 오류가 남",
    "process_died": "처리하던 프로그램이 여러 번 멈춤",
    "superseded": "새로 발급한 가상계좌가 대신함",
    "no_bank_account": "쓰고 있는 입금계좌가 없음",
    "busy": "다른 직원이 주문을 처리 중",
    "stale_answer": "더 새로운 조회가 먼저 반영됨",
    "waits_its_turn": "PG 조회 차례를 기다림",
    "currency": "원화가 아닌 결제",
    "not_comparable": "조회할 수 없어 직원이 확인해야 함",
    "keys_unreadable": "저장한 키를 열 수 없음",
    "mismatch_with_pg": "PG와 금액이나 주문번호가 다름",
    "uncleared_cheque": "결제되지 않은 수표",
    "id_reuse": "같은 이벤트 번호의 다른 알림",
    "replayed": "직원이 다시 처리함",
    "attached": "주문에 연결해 다시 처리함",
    "duplicate": "이미 받은 알림",
    "registration_test": "주소 등록 시험",
    "ip_not_allowed": "허용하지 않은 IP",
    "content_encoding": "압축한 본문",
    "content_type": "받지 않는 형식",
    "too_large": "너무 큰 본문",
    "no_signature": "서명 없음",
    "bad_signature": "서명이 맞지 않음",
    "no_secret": "비밀값 없음",
    "bad_secret": "비밀값이 맞지 않음",
    "account_mismatch": "다른 상점의 알림",
    "stale": "오래된 알림",
    "future": "미래 시각의 알림",
    "bad_amount": "금액을 읽을 수 없음",
    "bad_field": "항목을 읽을 수 없음",
    "webhook_key": "웹훅 키가 맞지 않음",
}


def kind_words(kind: str) -> str:
    """종류."""
    return KINDS[Kind(kind)] if kind in set(Kind) else kind


def reason_words(reason: str) -> str:
    """이유; a code without words is said as one that cannot be read."""
    if not reason:
        return ""
    return REASONS.get(reason, f"읽을 수 없는 알림({reason})")
