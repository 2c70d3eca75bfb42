"""Settings of core that staff may change; those that events need stand in core/settings_registry.py."""

import re
from pathlib import Path

from django.conf import settings
from django.core.validators import RegexValidator

from core.settings_registry import Declared, declare

MESSAGES = "messages"
TEXTS = {
    "deposit_account": "입금 안내",
    "deposit_due": "입금기한 하루 전",
    "payment_confirmed": "입금 확인",
    "order_canceled": "주문 취소",
    "lines_canceled": "상품 취소",
    "refund_completed": "환불",
    "order_shipped": "발송",
    "order_shipped_link": "발송(조회 링크)",
    "order_left": "발송 (송장 없음)",
    "pickup_ready": "방문수령 준비 완료",
    "pickup_reminder": "방문수령 알림",
    "order_handed": "전달 완료",
    "order_delayed": "발송 지연",
    "delivery_notice": "배송 안내",
    "order_delivered": "배송 완료",
    "order_corrected": "처리 되돌림",
    "staff_alarm": "직원에게 보내는 경보",
}
"""Kinds of messages: file in templates/messages/, and what staff call it."""
_identifier = RegexValidator(r"\A[0-9A-Za-z_-]*\Z", "영문자와 숫자로 된 ID를 입력하세요.")

FILE_KEEP_DAYS = declare(
    Declared(
        key="file_keep_days",
        label="작업 파일 보관 기간(일)",
        group="shop",
        default=7,
        minimum=1,
        maximum=30,
        help="올린 파일과 내려받기 파일을 이 기간이 지나면 지웁니다.",
    )
)
KAKAO_CHANNEL = declare(
    Declared(
        key="kakao_channel",
        label="카카오톡 채널(pfId)",
        group=MESSAGES,
        default="",
        maximum=60,
        validator=_identifier,
        help="솔라피에 연동한 채널의 pfId입니다. 비어 있으면 모든 알림이 문자로 나갑니다.",
    )
)
KAKAO_OR_TEXT = declare(
    Declared(
        key="kakao_or_text",
        label="카카오톡을 못 받는 고객에게는 문자로 보내기",
        group=MESSAGES,
        default=True,
        help="끄면 카카오톡을 쓰지 않는 고객은 알림을 받지 못합니다.",
    )
)


def to_register(name: str) -> str:
    """등록할 글: a text as it has to be approved for 알림톡, with Kakao's marks for what changes."""
    text = (Path(settings.BASE_DIR) / "templates" / "messages" / f"{name}.txt").read_text().strip()
    return re.sub(r"\{\{ (\w+) \}\}", r"#{\1}", text)


def kakao_template_key(name: str) -> str:
    """설정 이름 of the approved template of a kind of message."""
    return f"kakao_template_{name}"


KAKAO_TEMPLATES = {
    name: declare(
        Declared(
            key=kakao_template_key(name),
            label=f"알림톡 템플릿 ID: {label}",
            group=MESSAGES,
            default="",
            maximum=60,
            validator=_identifier,
            help=f"비어 있으면 문자로 보냅니다. 카카오에 등록할 글: {to_register(name)}",
        )
    )
    for name, label in TEXTS.items()
}
