"""Solapi's own package works against the sandbox, unchanged; our back end and the package send the same."""

from datetime import UTC, datetime, timedelta

import pytest
from solapi import SolapiMessageService
from solapi.error.MessageNotReceiveError import MessageNotReceivedError
from solapi.model import KakaoOption, RequestMessage

from core import processes as system
from core.messaging import LEASE, deliver_due, send
from core.models import Message
from core.models.message import MessageStatus
from core.options import KAKAO_CHANNEL, KAKAO_OR_TEXT, KAKAO_TEMPLATES, TEXTS, to_register
from core.settings_registry import set_setting
from sandbox.solapi import DEMO_KEY, DEMO_SECRET

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 21, 5, 20, tzinfo=UTC)
UNKNOWN = "발송 결과를 알 수 없습니다."


def news(number=1, to="010-1234-5678"):
    context = {"shop_name": "가게", "order_number": f"20261121-{number:07}"}
    return send(template="payment_confirmed", to=to, context=context, key=f"paid/{number}", at=NOW)


def package(solapi, *, secret=DEMO_SECRET):
    service = SolapiMessageService(DEMO_KEY, secret)
    service.base_url = solapi.base_url
    return service


def test_the_package_sends_through_the_sandbox(solapi):
    answer = package(solapi).send(RequestMessage(from_="0212345678", to="01012345678", text="입금을 확인했습니다."))
    assert (answer.group_info.count.registered_success, answer.group_info.count.registered_failed) == (1, 0)
    [taken] = solapi.taken()
    assert (taken["to"], taken["from"], taken["text"]) == ("01012345678", "0212345678", "입금을 확인했습니다.")


def test_the_package_hears_why_something_is_refused(solapi):
    with pytest.raises(MessageNotReceivedError):
        package(solapi).send(RequestMessage(from_="0212345678", to="1", text="x"))
    with pytest.raises(Exception, match="SignatureDoesNotMatch"):
        package(solapi, secret="other").send(RequestMessage(from_="0212345678", to="01012345678", text="x"))
    assert solapi.taken() == []


def test_our_back_end_sends_what_the_package_sends(solapi):
    package(solapi).send(
        RequestMessage(from_="0212345678", to="01012345678", text=news().body, custom_fields={"key": "paid/1"})
    )
    assert deliver_due(at=NOW) == 1
    theirs, ours = solapi.taken()
    told = ("to", "from", "text", "customFields", "type")
    assert {name: ours[name] for name in told} == {name: theirs[name] for name in told}
    message = Message.objects.get()
    assert (message.status, message.reference) == (MessageStatus.SENT, ours["groupId"])


@pytest.mark.parametrize(
    ("fault", "taken", "error", "comes_again"),
    [
        ({"kind": "refuse"}, 0, "NotEnoughBalance: 잔액이 부족합니다.", True),
        ({"kind": "status"}, 0, UNKNOWN, False),
        ({"kind": "drop"}, 0, UNKNOWN, False),
        ({"kind": "drop", "after_work": True}, 1, UNKNOWN, False),
        ({"kind": "status", "after_work": True}, 1, UNKNOWN, False),
    ],
)
def test_what_went_wrong_is_kept_and_never_sent_twice(solapi, fault, taken, error, comes_again):
    solapi.control("faults", **fault)
    news()
    assert deliver_due(at=NOW) == 1
    assert len(solapi.taken()) == taken
    failed = Message.objects.get()
    assert (failed.status, failed.error) == (MessageStatus.FAILED, error)
    assert deliver_due(at=NOW + timedelta(hours=1)) == comes_again
    assert len(solapi.taken()) == (1 if comes_again else taken)


def test_a_number_that_is_none_and_a_gateway_that_is_away_are_refusals(solapi):
    news(1, to="buyer@example.com")
    news(2, to="1")
    deliver_due(at=NOW)
    assert {one.error for one in Message.objects.all()} == {
        "휴대전화 번호가 아닙니다.",
        "수신번호 또는 발신번호가 올바르지 않습니다.",
    }
    solapi.kill()
    news(3)
    deliver_due(at=NOW)
    last = Message.objects.get(key="paid/3")
    assert (last.error, last.claimed_at) == ("발송사에 연결하지 못했습니다.", None)
    assert last.next_try_at > NOW


@pytest.fixture
def kakao(solapi):
    """A channel with the approved template of 입금 확인, which the settings name."""
    solapi.control("templates", templateId="KA01TP-paid", pfId="KA01PF-shop", content=to_register("payment_confirmed"))
    set_setting(key=KAKAO_CHANNEL.key, value="KA01PF-shop", actor=None, at=NOW)
    set_setting(key=KAKAO_TEMPLATES["payment_confirmed"].key, value="KA01TP-paid", actor=None, at=NOW)
    return solapi


def test_our_back_end_sends_the_alimtalk_that_the_package_sends(kakao):
    option = KakaoOption(
        pf_id="KA01PF-shop",
        template_id="KA01TP-paid",
        variables={"shop_name": "가게", "order_number": "20261121-0000001"},
    )
    package(kakao).send(
        RequestMessage(from_="0212345678", to="01012345678", kakao_options=option, custom_fields={"key": "paid/1"})
    )
    body = news().body
    assert deliver_due(at=NOW) == 1
    theirs, ours = kakao.taken()
    told = ("to", "from", "kakaoOptions", "customFields", "type")
    assert {name: ours[name] for name in told} == {name: theirs[name] for name in told}
    assert (ours["type"], ours["text"]) == ("ATA", body), "the buyer reads our text, filled into the template"
    assert Message.objects.get().status == MessageStatus.SENT


@pytest.mark.parametrize(("falls_back", "kind", "mark"), [(True, "SMS", "replaced"), (False, "ATA", "undelivered")])
def test_who_has_no_kakaotalk_gets_a_text_unless_the_shop_forbids_it(kakao, falls_back, kind, mark):
    set_setting(key=KAKAO_OR_TEXT.key, value=falls_back, actor=None, at=NOW)
    kakao.control("absent", numbers=["01012345678"])
    news()
    deliver_due(at=NOW)
    [taken] = kakao.taken()
    assert (taken["kakaoOptions"]["disableSms"], taken["type"], taken[mark]) == (not falls_back, kind, True)


@pytest.mark.parametrize("name", [KAKAO_CHANNEL.key, KAKAO_TEMPLATES["payment_confirmed"].key])
def test_without_a_channel_or_a_template_it_is_a_text(kakao, name):
    set_setting(key=name, value="", actor=None, at=NOW)
    news()
    deliver_due(at=NOW)
    [taken] = kakao.taken()
    assert "kakaoOptions" not in taken
    assert taken["type"] == "SMS"


@pytest.mark.parametrize(("falls_back", "status", "sent"), [(True, "SENT", 1), (False, "FAILED", 0)])
def test_a_template_that_is_refused_keeps_no_news_from_the_buyer(kakao, falls_back, status, sent):
    set_setting(key=KAKAO_OR_TEXT.key, value=falls_back, actor=None, at=NOW)
    set_setting(key=KAKAO_TEMPLATES["payment_confirmed"].key, value="KA01TP-gone", actor=None, at=NOW)
    news()
    deliver_due(at=NOW)
    message = Message.objects.get()
    assert (message.status, len(kakao.taken())) == (status, sent)
    assert message.error == ("" if falls_back else "등록되지 않은 템플릿입니다.")


@pytest.mark.parametrize("fault", [{"kind": "drop", "after_work": True}, {"kind": "status", "after_work": True}])
def test_an_alimtalk_of_unknown_outcome_is_not_sent_as_a_text_too(kakao, fault):
    kakao.control("faults", **fault)
    news()
    deliver_due(at=NOW)
    assert [one["type"] for one in kakao.taken()] == ["ATA"]
    assert Message.objects.get().error == UNKNOWN


def test_every_text_can_be_sent_as_alimtalk(settings):
    texts = {path.stem for path in (settings.BASE_DIR / "templates" / "messages").glob("*.txt")}
    assert texts == TEXTS.keys() == KAKAO_TEMPLATES.keys()
    assert to_register("payment_confirmed").startswith("[#{shop_name}] 주문 #{order_number}의")
    assert not [name for name in texts if "{{" in to_register(name) or "{%" in to_register(name)]


@pytest.mark.processes
@pytest.mark.parametrize(("point", "taken"), [("message_claimed", 0), ("message_handed_over", 1)])
def test_a_relay_that_dies_sends_nothing_twice_and_hides_nothing(solapi, processes, point, taken):
    news()
    doomed = processes.start("relay", env={**solapi.env, "OMS_FAILPOINTS": f"{point}=kill"})
    assert system.wait_until(lambda: not doomed.is_alive, timeout=120), doomed.log()
    assert len(solapi.taken()) == taken
    claimed = Message.objects.get()
    assert (claimed.status, claimed.attempts) == (MessageStatus.QUEUED, 1)
    assert deliver_due(at=claimed.claimed_at + LEASE + timedelta(seconds=1)) == 0
    assert len(solapi.taken()) == taken
    assert (Message.objects.get().status, Message.objects.get().error) == (MessageStatus.FAILED, UNKNOWN)


@pytest.mark.processes
def test_a_real_relay_hands_messages_over(solapi, processes):
    processes.start("relay", env=solapi.env)
    for number in range(30):
        news(number)
    assert system.wait_until(lambda: len(solapi.taken()) == 30, timeout=120)
    assert system.wait_until(lambda: Message.objects.filter(status=MessageStatus.SENT).count() == 30, timeout=120)
