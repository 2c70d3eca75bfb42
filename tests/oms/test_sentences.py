"""The sentences of every act: one object each, with the particle that its last sound asks for (ux.md 6.4)."""

import re

import pytest

from core.actions import ACTIONS
from core.korean import josa, particle

NAMES = sorted(name for name in ACTIONS if not name.startswith("test-"))
WORD = re.compile(r"(\S+?)(을|를)(?=[ .])")


def sentences_of(act):
    return [
        f"{act.of(count)} {words}."
        for count in ("1건", "1,234건", "품목 7건", "3건 중 2건")
        for words in (act.will(), act.did())
    ]


@pytest.mark.parametrize("name", NAMES)
def test_an_act_says_one_object_with_its_particle(name):
    for sentence in sentences_of(ACTIONS.get(name)):
        objects = WORD.findall(sentence)
        assert len(objects) == 1, sentence
        [(word, mark)] = objects
        assert mark == particle(word, "을/를"), sentence
        assert "(을" not in sentence
        assert "(으" not in sentence


@pytest.mark.parametrize("name", NAMES)
def test_an_act_that_changes_a_state_says_which(name):
    act = ACTIONS.get(name)
    if act.becomes and not act.thing:
        assert act.will() == f"{josa(act.becomes, '으로/로')} 바꿉니다"


@pytest.mark.parametrize(
    ("name", "will", "did"),
    [
        ("ask-difference", "1건의 차액 인정을 신청합니다.", "1건의 차액 인정을 신청했습니다."),
        ("accept-difference", "1건의 차액을 인정합니다.", "1건의 차액을 인정했습니다."),
        (
            "revive-order", "1건의 주문을 되살리고 상품준비중으로 바꿉니다.",
            "1건의 주문을 되살리고 상품준비중으로 바꿨습니다.",
        ),
        ("attach-notice", "1건을 주문에 연결하고 PG에 다시 확인합니다.", "1건을 주문에 연결했습니다."),
        ("resend-account", "1건의 입금 안내를 다시 보냅니다.", "1건의 입금 안내를 다시 보냈습니다."),
        ("retry-refund", "1건의 환불을 다시 신청합니다.", "1건의 환불을 다시 신청했습니다."),
        ("withdraw-refund", "1건의 환불을 철회합니다.", "1건의 환불을 철회했습니다."),
        ("approve-refund", "1건의 환불을 승인합니다.", "1건의 환불을 승인했습니다."),
        ("pay-refund", "1건의 환불을 이체 완료로 처리합니다.", "1건의 환불을 이체 완료로 처리했습니다."),
        ("cancel-refund", "1건을 취소하고 환불 신청합니다.", "1건을 취소하고 환불 신청했습니다."),
        ("ignore-deposit", "1건의 입금을 무시합니다.", "1건의 입금을 무시했습니다."),
        ("unallocate-deposit", "1건의 연결을 취소합니다.", "1건의 연결을 취소했습니다."),
        ("release-refund", "1건의 환불보류를 해제합니다.", "1건의 환불보류를 해제했습니다."),
    ],
)  # fmt: skip
def test_what_the_acts_on_money_say(name, will, did):
    act = ACTIONS.get(name)
    assert (f"{act.of('1건')} {act.will()}.", f"{act.of('1건')} {act.did()}.") == (will, did)


@pytest.mark.parametrize(
    ("name", "will", "did"),
    [
        ("change-method", "2건의 배송방법을 변경합니다.", "2건의 배송방법을 변경했습니다."),
        ("register-rider", "2건의 배차를 등록합니다.", "2건의 배차를 등록했습니다."),
        ("register-waybill", "2건의 송장번호를 등록합니다.", "2건의 송장번호를 등록했습니다."),
        ("void-waybill", "2건의 송장번호를 삭제합니다.", "2건의 송장번호를 삭제했습니다."),
        ("release-hold", "2건의 보류를 해제합니다.", "2건의 보류를 해제했습니다."),
        ("notify-delay", "2건의 발송지연을 안내합니다.", "2건의 발송지연을 안내했습니다."),
    ],
)
def test_what_the_acts_on_shipments_say(name, will, did):
    act = ACTIONS.get(name)
    assert (f"{act.of('2건')} {act.will()}.", f"{act.of('2건')} {act.did()}.") == (will, did)
