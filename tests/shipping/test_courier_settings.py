"""설정 · 택배사: the account of tracking, its key that never comes out, and the options."""

import re

import pytest
from django.utils import timezone

from accounts.roles import Role
from core.calendar import short
from core.models import SettingChange
from core.settings_registry import get_setting, set_setting
from shipping.models import AccountState, TrackingAccount

URL = "/settings/couriers/"


def was_of(client):
    """What the page says that it shows."""
    found = re.search(r'name="was" value="([^"]+)"', client.get(URL).content.decode())
    return found[1] if found else ""


def options(client, **changes):
    values = {"default_courier": "HANJIN", "offered_couriers": ["CJGLS", "HANJIN"], "sender_name": "우리 물류"}
    values |= {"was": was_of(client)}
    return values | {"sender_phone": "02-1234-5678", "sender_zip": "06234", "sender_address": "서울"} | changes


@pytest.fixture
def owner(sign_in):
    return sign_in(Role.OWNER)


def test_the_key_goes_in_and_never_comes_out(owner):
    fields = {
        "part": "account",
        "base_url": "https://apis.tracker.delivery",
        "api_key": "client:secret",
        "is_active": "on",
    }
    assert owner.post(URL, fields).status_code == 302
    account = TrackingAccount.objects.get()
    assert (account.api_key, account.is_active) == ("client:secret", True)
    assert "secret" not in owner.get(URL).content.decode()
    owner.post(URL, fields | {"api_key": ""})
    assert TrackingAccount.objects.get().api_key == "client:secret"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_url": "http://example.com"}, "https://로 시작해야 합니다."),
        ({"base_url": ""}, "주소를 입력하세요."),
        ({"api_key": "키"}, "키에 쓸 수 없는 글자가 있습니다."),
    ],
)
def test_a_wrong_account_is_refused(changes, message, owner):
    fields = {"part": "account", "base_url": "https://apis.tracker.delivery", "api_key": "", "is_active": "on"}
    answer = owner.post(URL, fields | changes)
    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert not TrackingAccount.objects.exists()


WRONG_ADDRESSES = [
    "http://[::1", "http://[bad]/", "on", "http://", "https://", "javascript:alert(1)", "http://x:abc/",
    "https://apis.tracker.delivery:99999", "https://apis.tracker.delivery:0/", "https://apis.tracker\u200b.delivery",
    "https://apis.tracker.delivery/\u202e", "https://apis.tracker.delivery@evil.com/", "https://a b.com/",
    "https://user:secret@apis.tracker.delivery", "https://apis.tracker.delivery/?a=1", "https://apis.tracker.delivery/#a",
    "ftp://apis.tracker.delivery", "//apis.tracker.delivery",
]  # fmt: skip


@pytest.mark.parametrize("is_sandbox", [True, False])
@pytest.mark.parametrize("address", WRONG_ADDRESSES)
def test_what_is_no_address_is_refused_and_the_old_one_stays(address, is_sandbox, owner):
    TrackingAccount.objects.create(
        code="tracker_delivery", name="배송조회", base_url="https://apis.tracker.delivery", is_sandbox=is_sandbox
    )
    before = TrackingAccount.objects.values().get()
    answer = owner.post(URL, {"part": "account", "base_url": address, "api_key": "new:key", "is_active": "on"})
    assert answer.status_code == 422
    assert "주소를 알아볼 수 없습니다. https://apis.tracker.delivery처럼 입력하세요." in answer.content.decode()
    assert TrackingAccount.objects.values().get() == before


@pytest.mark.parametrize(
    ("address", "is_sandbox"),
    [
        ("https://apis.tracker.delivery", False),
        ("https://apis.tracker.delivery:8443/graphql/", False),
        ("http://127.0.0.1:8133", True),
        ("http://[::1]:8133/", True),
        ("http://localhost:8133", True),
    ],
)
def test_a_good_address_is_stored(address, is_sandbox, owner):
    TrackingAccount.objects.create(
        code="tracker_delivery", name="배송조회", base_url="https://old.example", is_sandbox=is_sandbox
    )
    answer = owner.post(URL, {"part": "account", "base_url": address, "api_key": "", "is_active": "on"})
    assert answer.status_code == 302
    assert TrackingAccount.objects.get().base_url == address


def test_the_connection_is_tried_at_the_real_sandbox(owner, tracker):
    account = TrackingAccount.objects.create(
        code="tracker_delivery", name="배송조회", base_url=tracker.base_url, is_sandbox=True
    )
    assert "연결되었습니다." in owner.post(URL, {"part": "test"}).content.decode()
    tracker.control("config", api_key="client:secret")
    assert "인증이 거절되었습니다." in owner.post(URL, {"part": "test"}).content.decode()
    tracker.control("reset")
    account.base_url = "http://127.0.0.1:9"
    account.save()
    assert "응답을 받지 못했습니다." in owner.post(URL, {"part": "test"}).content.decode()


def test_the_page_says_when_the_server_asks_elsewhere(owner, monkeypatch):
    TrackingAccount.objects.create(code="tracker_delivery", name="배송조회", base_url="https://apis.tracker.delivery")
    assert "실제 조회 주소" not in owner.get(URL).content.decode()
    monkeypatch.setenv("OMS_TRACKER_DELIVERY_BASE_URL", "http://127.0.0.1:8133")
    assert "http://127.0.0.1:8133 (서버 환경 변수가 정한 주소)" in owner.get(URL).content.decode()


def test_a_new_key_gives_a_blocked_account_another_chance(owner):
    TrackingAccount.objects.create(
        code="tracker_delivery", name="배송조회", base_url="https://apis.tracker.delivery", state=AccountState.BLOCKED
    )
    assert "인증이 거절되어 조회를 멈췄습니다" in owner.get(URL).content.decode()
    fields = {"part": "account", "base_url": "https://apis.tracker.delivery", "api_key": "new:key", "is_active": "on"}
    owner.post(URL, fields)
    assert TrackingAccount.objects.get().state == AccountState.OK


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


def test_the_auditor_looks_and_others_do_not(sign_in):
    auditor = sign_in(Role.AUDITOR)
    page = auditor.get(URL)
    assert page.status_code == 200
    assert 'name="api_key"' not in page.content.decode()
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
