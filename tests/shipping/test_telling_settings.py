"""설정 · 배송조회: what feeds told, numbers of nobody, and the address that sources call."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from core.settings_registry import set_setting
from shipping.models import FeedState, OrphanEvent, Parcel, PushHook, TrackingAccount
from shipping.services.polling import pushes
from tests.shipping.test_tracking_settings import FIELDS, NEW, URL, account, page_of

CALLED = FIELDS | {"is_called": "on"}


def text(answer):
    return " ".join(answer.content.decode().split())


@pytest.mark.django_db
def test_the_page_shows_the_feed_and_numbers_of_nobody(owner):
    now = timezone.now()
    cj = account(code="cj", kind="cj", name="CJ 계약", base_url="https://dxapi.cjlogistics.com:5052")
    FeedState.objects.create(account=cj, last_ok_at=now, told_at=now, waiting=7)
    for number, hours in (("699999999990", 1), ("699999999990", 2), ("699999999991", 1)):
        OrphanEvent.objects.create(
            source="cj", number=number, key="<b>열쇠</b>", code="41", name="간선상차", at=now - timedelta(hours=hours),
            seen_at=now, fingerprint=f"{number}{hours}",
        )  # fmt: skip
    page = text(owner.get(URL))
    assert ("7건" in page, "모르는 번호 2건 보기" in page, page.count("699999999990")) == (True, True, 1)
    assert "<b>열쇠" not in page
    FeedState.objects.update(silent_since=now, last_error="응답을 받지 못했습니다.")
    assert "부터 받지 못해 상자마다 따로 조회합니다" in text(owner.get(URL))
    TrackingAccount.objects.update(is_active=False)
    assert "묶음 수신" not in text(owner.get(URL))


@pytest.mark.django_db
def test_turning_calls_on_makes_an_address_and_off_and_on_another_one(owner, make_sent, sign_in):
    assert owner.post(NEW, CALLED).status_code == 302
    one = TrackingAccount.objects.get()
    first = one.hook_token
    assert len(first) == 43
    assert "고객용 주소가 없어 알림을 신청하지 못합니다" in text(owner.get(page_of(one)))
    set_setting(key="public_url", value="https://shop.example", actor=None, at=timezone.now())
    url = f"https://shop.example/hooks/tracking/{first}/"
    assert text(owner.get(page_of(one))).count(url) == 2
    assert first not in text(sign_in(Role.AUDITOR).get(URL))
    owner = sign_in(Role.OWNER)
    make_sent(1)
    PushHook.objects.update(account=one, until=timezone.now() + timedelta(hours=40))
    assert "알림 받는 상자 1건" in text(owner.get(page_of(one)))
    owner.post(page_of(one), CALLED)
    assert (TrackingAccount.objects.get().hook_token, PushHook.objects.count()) == (first, 1)
    owner.post(page_of(one), FIELDS)
    assert (TrackingAccount.objects.get().hook_token, PushHook.objects.count(), Parcel.objects.count()) == ("", 0, 1)
    owner.post(page_of(one), CALLED)
    assert TrackingAccount.objects.get().hook_token not in ("", first)


@pytest.mark.django_db
def test_what_a_server_refused_is_shown_until_the_account_is_saved_again(owner):
    one = account(hook_token=pushes.new_token(), hook_error=pushes.NOT_SUPPORTED)
    assert pushes.NOT_SUPPORTED in text(owner.get(URL))
    owner.post(page_of(one), CALLED)
    assert TrackingAccount.objects.get().hook_error == ""


@pytest.mark.django_db
def test_a_kind_that_cannot_call_is_not_asked_to(owner):
    fields = CALLED | {"kind": "sweettracker", "api_key": "k", "base_url": "https://info.sweettracker.co.kr"}
    assert "배송 알림 받기" not in text(owner.get(f"{NEW}?kind=sweettracker"))
    assert owner.post(NEW, fields).status_code == 302
    assert TrackingAccount.objects.get().hook_token == ""
