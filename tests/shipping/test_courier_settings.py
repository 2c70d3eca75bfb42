"""설정 · 택배사: the options, and whom they are for."""

import re

from django.utils import timezone

from accounts.roles import Role
from core.calendar import short
from core.models import SettingChange
from core.settings_registry import get_setting, set_setting

URL = "/settings/couriers/"


def was_of(client):
    """What the page says that it shows."""
    found = re.search(r'name="was" value="([^"]+)"', client.get(URL).content.decode())
    return found[1] if found else ""


def options(client, **changes):
    values = {"default_courier": "HANJIN", "offered_couriers": ["CJGLS", "HANJIN"], "sender_name": "우리 물류"}
    values |= {"pickup_place": "", "quick_done_hours": "24", "direct_done_days": "3", "parcel_done_days": "0"}
    values |= {"was": was_of(client)}
    return values | {"sender_phone": "02-1234-5678", "sender_zip": "06234", "sender_address": "서울"} | changes


def test_options_are_checked_and_kept(owner):
    assert owner.post(URL, options(owner)).status_code == 302
    assert (get_setting("default_courier"), get_setting("sender_zip")) == ("HANJIN", "06234")
    for changes, message in (
        ({"offered_couriers": ["CJGLS", "없음"]}, "쓰는 택배사: 목록에 없는 값입니다."),
        ({"sender_phone": "12"}, "전화번호는 02-1234-5678처럼"),
        ({"sender_zip": "1234"}, "우편번호는 숫자 5자리로"),
    ):
        answer = owner.post(URL, options(owner, **changes))
        assert answer.status_code == 422
        assert message in answer.content.decode()
    assert get_setting("offered_couriers") == ["CJGLS", "HANJIN"]


def test_saving_says_what_became_of_it(owner):
    values = options(owner)
    assert "저장했습니다." in owner.post(URL, values, follow=True).content.decode()
    again = owner.post(URL, options(owner), follow=True).content.decode()
    assert "바뀐 내용이 없습니다." in again
    assert "저장했습니다." not in again
    assert "저장했습니다." not in owner.post(URL, options(owner, sender_zip="1"), follow=True).content.decode()


def test_the_auditor_looks_and_others_do_not(sign_in):
    auditor = sign_in(Role.AUDITOR)
    page = auditor.get(URL)
    assert page.status_code == 200
    assert 'name="sender_name"' not in page.content.decode()
    assert auditor.post(URL, options(auditor)).status_code == 403
    assert sign_in(Role.LOGISTICS).get(URL).status_code == 403


def test_an_older_page_does_not_take_a_colleagues_change_back(owner):
    older = options(owner, sender_name="")
    older |= {"default_courier": "CJGLS", "offered_couriers": get_setting("offered_couriers")}
    older |= {"sender_phone": "", "sender_zip": "", "sender_address": ""}
    assert owner.post(URL, older | {"sender_phone": "02-1234-5678"}).status_code == 302
    assert owner.post(URL, older | {"sender_name": "우리 물류"}).status_code == 302
    assert (get_setting("sender_phone"), get_setting("sender_name")) == ("02-1234-5678", "우리 물류")
    assert SettingChange.objects.count() == 2


def test_a_value_that_a_colleague_changed_is_kept_and_nothing_else_is_saved(owner, make_staff):
    values = options(owner, sender_name="")
    other, at = make_staff(Role.OWNER, display_name="이도윤"), timezone.now()
    set_setting(key="sender_phone", value="031-111-2222", actor=other, at=at)
    answer = owner.post(URL, values)
    assert answer.status_code == 409
    said = f"보내는 분 전화번호: {short(at)}에 이도윤 님이 먼저 031-111-2222로 바꿨습니다."
    assert said in answer.content.decode()
    assert (get_setting("sender_phone"), get_setting("sender_zip")) == ("031-111-2222", "")
    assert SettingChange.objects.count() == 1
