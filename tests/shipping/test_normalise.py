"""The words of couriers and their traps (shipping.md 3.2)."""

import pytest

from shipping.adapters.base import RawEvent
from shipping.normalise import Rules
from shipping.states import TrackingStage as Stage
from tests.infra.preset_rules import PRESETS

stage_of = Rules(PRESETS, source="tracker_delivery", courier="CJGLS").stage_of


@pytest.mark.parametrize(
    ("code", "name", "stage"),
    [
        ("INFORMATION_RECEIVED", "운송장 등록", Stage.REGISTERED),
        ("AT_PICKUP", "집화처리", Stage.PICKED_UP),
        ("IN_TRANSIT", "간선상차", Stage.IN_TRANSIT),
        ("OUT_FOR_DELIVERY", "배송출발", Stage.OUT_FOR_DELIVERY),
        ("ATTEMPT_FAIL", "미배달", Stage.ATTEMPT_FAILED),
        ("AVAILABLE_FOR_PICKUP", "점포도착", Stage.AVAILABLE_FOR_PICKUP),
        ("DELIVERED", "배달완료", Stage.DELIVERED),
        ("EXCEPTION", "관부가세 납부 대기", Stage.EXCEPTION),
        ("UNKNOWN", "경비실 위탁", Stage.UNKNOWN),
        ("SOMETHING_NEW", "", Stage.UNKNOWN),
        ("", "", Stage.UNKNOWN),
        # Words where the source has no code of its own.
        ("UNKNOWN", "반송완료", Stage.RETURNED),
        ("UNKNOWN", "반송", Stage.RETURNING),
        ("UNKNOWN", "반송중", Stage.RETURNING),
        ("IN_TRANSIT", "회송 처리", Stage.RETURNING),
        ("UNKNOWN", "분실", Stage.EXCEPTION),
        ("UNKNOWN", "상품 파손", Stage.EXCEPTION),
        ("UNKNOWN", "오배송", Stage.EXCEPTION),
        ("UNKNOWN", "수취거부", Stage.ATTEMPT_FAILED),
        ("UNKNOWN", "수취 거절", Stage.ATTEMPT_FAILED),
        ("UNKNOWN", "주소불명", Stage.ATTEMPT_FAILED),
        ("UNKNOWN", "이사", Stage.ATTEMPT_FAILED),
        ("EXCEPTION", "접수취소", Stage.CANCELLED),
        ("EXCEPTION", "신청취소", Stage.CANCELLED),
        ("UNKNOWN", "미집화", Stage.PICKUP_FAILED),
        ("UNKNOWN", "미배송", Stage.ATTEMPT_FAILED),
        ("UNKNOWN", "수취인 부재", Stage.ATTEMPT_FAILED),
        ("UNKNOWN", "인수자등록", Stage.DELIVERED),
        ("UNKNOWN", "집화지시", Stage.REGISTERED),
        # Traps.
        ("UNKNOWN", "미배달", Stage.ATTEMPT_FAILED),
        ("OUT_FOR_DELIVERY", "배달준비", Stage.OUT_FOR_DELIVERY),
        ("UNKNOWN", "배달준비", Stage.OUT_FOR_DELIVERY),
        ("DELIVERED", "배송완료 사진확인", Stage.DELIVERED),
        ("UNKNOWN", "배송완료 사진확인", Stage.DELIVERED),
        ("EXCEPTION", "반품취소", Stage.CANCELLED),
        ("IN_TRANSIT", "집하완료", Stage.PICKED_UP),
        ("UNKNOWN", "배송완료 예정", Stage.UNKNOWN),
        ("UNKNOWN", "배송완료예정", Stage.UNKNOWN),
        ("DELIVERED", "배송완료 예정", Stage.UNKNOWN),
        ("OUT_FOR_DELIVERY", "배송완료 예정", Stage.OUT_FOR_DELIVERY),
        ("UNKNOWN", "배달완료 취소", Stage.UNKNOWN),
        ("IN_TRANSIT", "집하예정", Stage.IN_TRANSIT),
        ("IN_TRANSIT", "반송취소", Stage.IN_TRANSIT),
        ("UNKNOWN", "배송  완료", Stage.DELIVERED),
        ("DELIVERED", "배송완료(무인함)", Stage.DELIVERED),
        ("DELIVERED", "배달완료(부재, 문앞 보관)", Stage.DELIVERED),
        ("DELIVERED", "반송완료", Stage.RETURNED),
        ("IN_TRANSIT", "부산반송동 도착", Stage.IN_TRANSIT),
        ("IN_TRANSIT", "반송집배점에 도착", Stage.IN_TRANSIT),
    ],
)
def test_the_words_of_a_courier_mean_one_stage(code, name, stage):
    assert stage_of(RawEvent(code=code, name=name)) == stage


@pytest.mark.parametrize(
    ("code", "text", "stage"),
    [
        ("OUT_FOR_DELIVERY", "고객님의 상품을 배송출발 하였습니다. (배송담당: 김인수)", Stage.OUT_FOR_DELIVERY),
        ("IN_TRANSIT", "상품이 옥천HUB로 이동중입니다. (담당: 박이사랑)", Stage.IN_TRANSIT),
        ("UNKNOWN", "고객 부재로 미배송", Stage.ATTEMPT_FAILED),
        ("IN_TRANSIT", "상품이 발송지로 반송 처리되었습니다.", Stage.RETURNING),
        ("DELIVERED", "배송완료 되었습니다.", Stage.DELIVERED),
    ],
)
def test_a_sentence_speaks_where_there_is_no_status_word(code, text, stage):
    assert stage_of(RawEvent(code=code, text=text)) == stage


def test_the_status_word_outweighs_the_sentence_beside_it():
    assert stage_of(RawEvent(code="DELIVERED", name="배송완료", text="경비실 보관, 고객 부재")) == Stage.DELIVERED
    assert stage_of(RawEvent(code="IN_TRANSIT", name="간선상차", text="배송완료 후 안내")) == Stage.IN_TRANSIT
    assert stage_of(RawEvent(code="UNKNOWN", name="기타", text="고객 부재")) == Stage.ATTEMPT_FAILED
