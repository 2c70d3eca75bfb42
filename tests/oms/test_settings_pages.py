"""설정: values with limits and history, rules of deadlines, holidays; who may look and who may change."""

import re
from datetime import date, datetime

import pytest

from accounts.roles import Role
from core.calendar import KST, add_business_days, is_business_day
from core.models import Holiday, Setting, SettingChange
from core.settings_registry import declared_settings, get_setting, set_setting
from oms.shop.views import GroupPage
from orders.deadlines import Deadlines
from orders.models.channel import DeadlineKind, DeadlineRule
from tests.fixtures.answers import body

PAGES = ["", "shop/", "messages/", "money/", "deadlines/", "holidays/"]


@pytest.fixture
def client(sign_in, staff):
    return sign_in(staff)


def shown(client, page):
    """The fields of the settings form as the page has them."""
    found = re.findall(r'<(?:input|textarea)[^>]* name="([^"]+)"[^>]* value="([^"]*)"', body(client.get(page)))
    return {name: value for name, value in found if name not in {"q", "csrfmiddlewaretoken", "part"}}


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("page", PAGES)
def test_owner_and_auditor_look_and_only_the_owner_changes(sign_in, role, page):
    client = sign_in(role)
    looks = role in {Role.OWNER, Role.AUDITOR}
    assert client.get(f"/settings/{page}").status_code == (200 if looks else 403)
    if page:
        post = client.post(f"/settings/{page}", {"part": "rule"})
        assert post.status_code == (422 if role is Role.OWNER else 403)
        assert not SettingChange.objects.exists()


def test_the_index_leads_to_pages_that_exist(client):
    urls = re.findall(r'<li><a href="([^"]+)"><b>', body(client.get("/settings/")))
    assert len(urls) == len(set(urls)) == 23
    for url in urls:
        assert client.get(url).status_code == 200, url


def test_a_value_is_stored_with_who_and_when(client, staff):
    values = shown(client, "/settings/shop/") | {"shop_name": "바다 상점"}
    assert client.post("/settings/shop/", values).headers["Location"] == "/settings/shop/"
    assert get_setting("shop_name") == "바다 상점"
    change = SettingChange.objects.get()
    assert (change.key, change.old, change.new, change.actor_id) == ("shop_name", "우리 쇼핑몰", "바다 상점", staff.pk)
    page = body(client.get("/settings/shop/"))
    assert "저장했습니다." in page
    assert "김하은 님" in page
    assert "쇼핑몰 이름" in page


def test_saving_without_a_change_writes_nothing(client):
    client.post("/settings/shop/", shown(client, "/settings/shop/"))
    assert not Setting.objects.exists()
    assert "바뀐 내용이 없습니다." in body(client.get("/settings/shop/"))


@pytest.mark.parametrize(
    ("page", "key", "value", "sentence"),
    [
        ("shop", "shop_name", "", "쇼핑몰 이름을 입력하세요."),
        ("shop", "undo_hold_minutes", "31", "0부터 30까지의 숫자로 입력하세요."),
        ("shop", "undo_hold_minutes", "다섯", "0부터 30까지의 숫자로 입력하세요."),
        ("deadlines", "deposit_days", "0", "1부터 23까지의 숫자로 입력하세요."),
        ("deadlines", "deposit_days", "", "입금기한(일)을 입력하세요."),
    ],
)
def test_a_wrong_value_is_refused_beside_its_field(client, page, key, value, sentence):
    values = shown(client, f"/settings/{page}/") | {key: value}
    answer = client.post(f"/settings/{page}/", values)
    assert answer.status_code == 422
    assert sentence in body(answer)
    assert 'aria-invalid="true"' in body(answer)
    assert not Setting.objects.exists()


def test_what_a_colleague_changed_meanwhile_is_not_overwritten(client, make_staff):
    values = shown(client, "/settings/shop/") | {"shop_name": "바다 상점", "undo_hold_minutes": "10"}
    other = make_staff(Role.OWNER, display_name="이도윤")
    set_setting(key="shop_name", value="산 상점", actor=other, at=datetime(2026, 9, 21, tzinfo=KST))
    answer = client.post("/settings/shop/", values)
    assert answer.status_code == 409
    assert "쇼핑몰 이름: 09-21 00:00에 이도윤 님이 먼저 산 상점으로 바꿨습니다." in body(answer)
    assert (get_setting("shop_name"), get_setting("undo_hold_minutes")) == ("산 상점", 5)


def test_other_fields_of_the_page_do_not_take_a_colleagues_change_back(client, make_staff):
    values = shown(client, "/settings/shop/") | {"undo_hold_minutes": "10"}
    set_setting(key="shop_name", value="산 상점", actor=make_staff(), at=datetime(2026, 9, 21, tzinfo=KST))
    assert client.post("/settings/shop/", values).status_code == 302
    assert (get_setting("shop_name"), get_setting("undo_hold_minutes")) == ("산 상점", 10)


def test_a_forged_page_state_is_refused(client):
    values = shown(client, "/settings/shop/") | {"was": "forged", "shop_name": "바다 상점"}
    assert client.post("/settings/shop/", values).status_code == 422
    assert not Setting.objects.exists()


# Rules


def rule(client, shop, **more):
    values = {"part": "rule", "kind": "SHIP", "channel": shop.pk, "days": "1", "valid_from": "2026-09-01"}
    return client.post("/settings/deadlines/", values | more)


def test_a_rule_of_a_channel_counts_from_its_first_day(client, channel):
    assert rule(client, channel).status_code == 302
    days = Deadlines([channel.pk])
    assert days.days(channel.pk, DeadlineKind.SHIP, date(2026, 9, 1)) == 1
    assert days.days(channel.pk, DeadlineKind.SHIP, date(2026, 8, 31)) == 3
    page = body(client.get("/settings/deadlines/"))
    assert "자사몰 발송기한 1일, 2026-09-01부터" in page
    assert 'data-rule="' in page


def test_the_same_rule_again_changes_its_days_and_both_are_in_the_history(client, channel):
    rule(client, channel)
    rule(client, channel, days="2")
    assert DeadlineRule.objects.get().days == 2
    assert SettingChange.objects.count() == 2
    rule(client, channel, days="2")
    assert SettingChange.objects.count() == 2
    chosen = body(client.get(f"/settings/deadlines/?rule={DeadlineRule.objects.get().pk}"))
    assert "규칙 고치기" in chosen
    assert 'value="2"' in chosen


def test_a_removed_rule_no_longer_counts(client, channel):
    rule(client, channel)
    client.post("/settings/deadlines/", {"part": "remove", "rule": DeadlineRule.objects.get().pk})
    assert not DeadlineRule.objects.exists()
    assert Deadlines([channel.pk]).days(channel.pk, DeadlineKind.SHIP, date(2026, 9, 1)) == 3
    assert "없음" in body(client.get("/settings/deadlines/"))
    assert client.post("/settings/deadlines/", {"part": "remove", "rule": "1"}).status_code == 404


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("days", "0", "1부터 90까지의 숫자로 입력하세요."),
        ("days", "", "일수를 입력하세요."),
        ("valid_from", "2026-02-30", "날짜는 2025-11-21처럼 입력하세요."),
        ("channel", "99999", "없는 판매채널입니다. 다시 고르세요."),
    ],
)
def test_a_wrong_rule_is_refused(client, channel, field, value, sentence):
    answer = rule(client, channel, **{field: value})
    assert answer.status_code == 422
    assert sentence in body(answer)
    assert not DeadlineRule.objects.exists()


# Holidays


def test_a_day_off_moves_deadlines_and_is_given_back(client):
    day = date(2026, 9, 22)
    saved = client.post("/settings/holidays/", {"day": "2026-09-22", "kind": "REST", "name": "창립기념일"})
    assert saved.headers["Location"] == "/settings/holidays/?year=2026"
    assert not is_business_day(day)
    assert add_business_days(date(2026, 9, 21), 1) == date(2026, 9, 23)
    page = body(client.get("/settings/holidays/?year=2026"))
    assert "창립기념일" in page
    assert "추석" in page
    client.post("/settings/holidays/", {"part": "remove", "day": "2026-09-22"})
    assert is_business_day(day)
    assert [change.new for change in SettingChange.objects.order_by("pk")][1] is None


def test_a_public_holiday_can_be_made_a_working_day(client):
    client.post("/settings/holidays/", {"day": "2026-09-25", "kind": "WORK", "name": "추석 출고"})
    assert is_business_day(date(2026, 9, 25))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"day": "", "kind": "REST", "name": "휴무"}, "날짜를 입력하세요."),
        ({"day": "2026-09-25", "kind": "REST", "name": "추석"}, "이미 공휴일"),
        ({"day": "1999-01-04", "kind": "REST", "name": "휴무"}, "2020년부터 2060년까지 등록할 수 있습니다."),
        ({"day": "2026-09-22", "kind": "REST", "name": ""}, "이름을 입력하세요."),
        ({"day": "2026-09-22", "kind": "REST", "name": "휴\ufffd"}, "글자가 깨져 있습니다"),
    ],
)
def test_a_wrong_day_is_refused(client, values, sentence):
    answer = client.post("/settings/holidays/", values)
    assert answer.status_code == 422
    assert sentence in body(answer)
    assert not Holiday.objects.exists()


@pytest.mark.parametrize("year", ["1", "9999", "abc", ""])
def test_a_strange_year_opens_this_year(client, year):
    assert client.get(f"/settings/holidays/?year={year}").status_code == 200


def test_shortcuts_are_everybodys(sign_in):
    page = sign_in(Role.VIEWER).get("/settings/shortcuts/")
    assert page.status_code == 200
    assert 'data-pref="shortcuts"' in body(page)


def test_the_settings_of_money_and_messages_can_be_changed(client, staff):
    values = shown(client, "/settings/messages/") | {"kakao_channel": "KA01PF1", "kakao_or_text": "on"}
    assert client.post("/settings/messages/", values).status_code == 302
    assert get_setting("kakao_channel") == "KA01PF1"
    answer = client.post("/settings/messages/", values | {"kakao_template_refund_completed": "환불"})
    assert answer.status_code == 422
    assert "영문자와 숫자로 된 ID를 입력하세요." in body(answer)
    assert get_setting("kakao_template_refund_completed") == ""
    page = body(client.get("/settings/messages/"))
    assert "[#{shop_name}] 주문 #{order_number}의 입금을 확인했습니다." in page
    values = shown(client, "/settings/money/") | {"alarm_silent_hours": "12"}
    assert client.post("/settings/money/", values).status_code == 302
    assert get_setting("alarm_silent_hours") == 12
    assert {one.key for one in SettingChange.objects.all()} == {"kakao_channel", "alarm_silent_hours"}


def test_every_kind_of_setting_has_a_page():
    shown = {"settings", *(group for page in GroupPage.__subclasses__() for group in page.groups)} | {
        "배송",
        "보내는 분",
        "배송방법",
        "도서산간",
    }
    assert {one.group for one in declared_settings()} - shown == set()
