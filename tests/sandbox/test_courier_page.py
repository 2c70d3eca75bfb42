"""The page 택배 연습: a person breaks a parcel by hand, and every service tells of it; light and dark."""

import http.client
import json
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from sandbox.courier.stories import STORIES
from sandbox.courier.timeline import CODES, demo_scenario
from tests.fixtures.axe import violations
from tests.sandbox.samples import CJ, ask, codes

NUMBER = "680000000011"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def tracker(tracker):
    tracker.control("clock", now="2026-11-22T12:00:00+09:00")
    return tracker


def press(tracker, **values):
    """Status and headers of one press."""
    connection = http.client.HTTPConnection("127.0.0.1", tracker.port, timeout=10)
    try:
        connection.request("POST", "/", urlencode({"carrier": CJ, **values}), FORM)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers
    finally:
        connection.close()


def names(tracker, number=NUMBER):
    tracker.control("clock", advance=5)
    edges = ask(tracker, number)["data"]["track"]["events"]["edges"]
    return [edge["node"]["status"]["name"] for edge in edges]


def shown(tracker, query=""):
    status, body = tracker.request("GET", f"/{query}")
    assert status == 200
    return body.decode()


def test_the_page_tells_of_the_numbers_that_have_another_fate(tracker):
    fates = {n: demo_scenario(f"680000000{n}1") for n in range(10, 100)}
    assert [n for n, fate in fates.items() if fate != "happy"] == list(range(90, 97))
    assert "90부터 96까지" in shown(tracker)


def test_a_story_comes_after_what_has_happened_and_nothing_comes_after_it(tracker):
    tracker.control("parcels", carrier=CJ, number=NUMBER, scenario="happy")
    tracker.control("clock", advance=9 * 3600)
    before = names(tracker)
    assert press(tracker, number=NUMBER, story="lost")[0] == 303
    assert names(tracker) == [*before, "분실"] == ["운송장 등록", "집화처리", "간선상차", "분실"]
    tracker.control("clock", advance=9 * 86400)
    assert names(tracker)[-1] == "분실"


def test_one_story_after_another(tracker):
    for story in ("absent", "refused", "returned"):
        press(tracker, number=NUMBER, story=story)
        tracker.control("clock", advance=60)
    assert names(tracker) == ["집화처리", "미배송", "수취거부", "반송", "반송완료"]


@pytest.mark.parametrize("story", STORIES)
def test_every_story_has_its_words_in_every_service(tracker, story):
    press(tracker, number=NUMBER, story=story)
    told = [name for name, _ in STORIES[story].scans]
    assert names(tracker)[-len(told) or None :] == told
    assert [name for name in told if name not in CODES] == (["경비실 위탁"] if story == "odd" else [])


def test_silence_keeps_what_was_told(tracker):
    tracker.control("parcels", carrier=CJ, number=NUMBER, scenario="happy")
    tracker.control("clock", advance=5 * 3600)
    press(tracker, number=NUMBER, story="silent")
    tracker.control("clock", advance=9 * 86400)
    assert names(tracker) == ["운송장 등록", "집화처리"]


def test_the_page_lists_what_is_on_its_way_and_finds_what_has_arrived(tracker):
    tracker.control("parcels", carrier=CJ, number=NUMBER, scenario="happy")
    tracker.control("parcels", carrier=CJ, number="680000000070", scenario="no_pickup")
    assert codes(ask(tracker, NUMBER)) == ["INFORMATION_RECEIVED"]
    assert shown(tracker).count("<li data-number=") == 2
    tracker.control("clock", advance=2 * 86400)
    page = shown(tracker)
    assert (NUMBER in page, "680000000070" in page, "<script" in page) == (False, True, False)
    assert "배송완료" in shown(tracker, "?q=6800-0000-0011")
    assert "data-new" in shown(tracker, "?q=680000009999")


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"number": NUMBER, "story": "explode"}, "목록에서"),
        ({"number": NUMBER, "story": "lost", "carrier": "kr.nobody"}, "목록에서"),
        ({"number": "68000000001", "story": "lost"}, "10자리 혹은 12자리"),
        ({"number": "<b>", "story": "lost"}, "숫자와 영문"),
        ({"story": "lost"}, "숫자와 영문"),
    ],
)
def test_what_cannot_happen_is_refused_in_words_and_changes_nothing(tracker, values, word):
    status, headers = press(tracker, **values)
    assert status == 303
    assert word in parse_qs(urlsplit(headers["Location"]).query)["refused"][0]
    assert json.loads(tracker.request("GET", "/healthz")[1])["parcels"] == 0


def test_the_hostile_search_is_shown_as_text(tracker):
    assert "<b>x" not in shown(tracker, "?" + urlencode({"q": "<b>x", "done": "<b>x"}))


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_a_person_breaks_a_parcel(tracker, browser, scheme, width):
    tracker.control("parcels", carrier=CJ, number=NUMBER, scenario="happy")
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800}, locale="ko-KR")
    page = context.new_page()
    page.goto(f"{tracker.base_url}/")
    box = page.locator(f'[data-number="{NUMBER}"]')
    box.get_by_label(f"{NUMBER} 일어날 일").select_option("주소 문제")
    box.get_by_role("button", name="지금 일어나게 하기").click()
    assert "주소 문제" in page.get_by_role("status").inner_text()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    tracker.control("clock", advance=5)
    assert names(tracker)[-1] == "주소불명"
    context.close()
