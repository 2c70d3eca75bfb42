"""보낸 문자: the page of the Solapi sandbox shows what buyers would read, and keeps it over a kill."""

import subprocess
import sys
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest

from oms.roles import SANDBOXES
from sandbox.solapi import DEMO_KEY, DEMO_SECRET, Solapi
from sandbox.solapi_page import shown
from tests.fixtures.axe import violations

ROOT = Path(__file__).resolve().parents[2]


def text(number, body, **facts):
    return {
        "to": number, "from": "0212345678", "text": body, "type": "SMS",
        "at": datetime(2026, 1, 5, tzinfo=UTC).isoformat(),
    } | facts  # fmt: skip


@pytest.fixture
def box(tmp_path):
    """A sandbox without a server's loop, with a file of its own."""
    opened = []

    def open_():
        opened.append(Solapi(0, key=DEMO_KEY, secret=DEMO_SECRET, state=tmp_path / "solapi.sqlite3"))
        return opened[-1]

    yield open_
    for one in opened:
        one.server_close()


def test_what_was_sent_survives_and_what_was_refused_is_not_kept(box):
    first = box()
    answer = first.take({"messages": [text("01012345678", "입금을 확인했습니다."), text("1", "x")]})
    assert [one["statusCode"] for one in answer["failedMessageList"]] == ["1010"]
    [kept] = box().messages()
    assert (kept["to"], kept["text"], kept["type"]) == ("01012345678", "입금을 확인했습니다.", "SMS")
    first.reset()
    assert first.messages() == []


def test_the_newest_stands_first_escaped_and_is_found_by_its_number():
    messages = [
        text("01012345678", "먼저"),
        text("01098765432", "<b>나중</b>", type="LMS", customFields={"key": "refund/20260105-0000001"}),
    ]
    page = shown(messages, "")
    assert page.index("010-9876-5432") < page.index("010-1234-5678")
    assert "&lt;b&gt;나중" in page
    assert "2026-01-05 09:00:00" in page
    assert "문자 2건" in page
    found = shown(messages, "20260105-0000001")
    assert "010-9876-5432" in found
    assert "010-1234-5678" not in found
    assert "찾는 문자가 없습니다." in shown(messages, "없음")
    for number in ("01012345678", "010-1234-5678", "010 1234 5678", " 1234-5678 "):
        assert "먼저" in shown(messages, number)
        assert "나중" not in shown(messages, number)
    assert "보낸 문자가 없습니다." in shown([], "")


def test_alimtalk_is_shown_as_what_the_buyer_got(box):
    option = {"pfId": "P", "templateId": "T", "variables": {"#{shop_name}": "가게"}}
    kakao = {"to": "01012345678", "from": "0212345678", "kakaoOptions": option}
    server = box()
    server.kakao.absent = {"01099999999"}
    answer = server.take(
        {"messages": [kakao, {**kakao, "to": "01099999999"}, {**kakao, "kakaoOptions": {"pfId": "P"}}]}
    )
    assert [one["statusMessage"] for one in answer["failedMessageList"]] == ["pfId와 templateId가 필요합니다."]
    page = shown(server.messages(), "")
    assert '<span class="badge">알림톡</span>' in page
    assert '<span class="badge">알림톡 대신 단문</span>' in page
    assert "shop_name: 가게" in page
    server.kakao.templates["T"] = ("P", "#{shop_name} #{order_number}")
    answer = server.take({"messages": [kakao]})
    assert [one["statusMessage"] for one in answer["failedMessageList"]] == [
        "템플릿의 변수가 없습니다: #{order_number}"
    ]


def test_the_demo_knows_the_account_of_the_sandbox():
    [box] = [one for one in SANDBOXES if one.name == "solapi"]
    assert (box.variables["OMS_SOLAPI_KEY"], box.variables["OMS_SOLAPI_SECRET"]) == (DEMO_KEY, DEMO_SECRET)
    assert box.variables["OMS_MESSAGE_BACKEND"] == "core.gateways.solapi.send_text"


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_wider_than_a_telephone(browser, tmp_path, scheme):
    command = [sys.executable, "-m", "sandbox.solapi", "--port", "0", "--state", str(tmp_path / "solapi.sqlite3")]
    kept = Solapi(0, key=DEMO_KEY, secret=DEMO_SECRET, state=tmp_path / "solapi.sqlite3")
    kept.take({"messages": [text("01012345678", "[우리 쇼핑몰] " + "가" * 120)]})
    kept.server_close()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().split()[-1]
        with urllib.request.urlopen(f"{url}/healthz", timeout=10) as answer:
            assert answer.status == 200
        context = browser.new_context(color_scheme=scheme, viewport={"width": 360, "height": 700}, locale="ko-KR")
        page = context.new_page()
        page.goto(url)
        assert page.locator("li").count() == 1
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        context.close()
    finally:
        process.kill()
        process.wait()
