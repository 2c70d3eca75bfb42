"""설정 · 판매채널: create, edit, default layout, API keys."""

import html

import pytest
from django.test import Client

from accounts.roles import Role
from channels.models import ApiKey, OrderProfile
from core.calendar import short
from core.form_words import STALE
from core.models import SettingChange
from orders.models import OrderEvent, SalesChannel
from tests.channels.conftest import Api, order_body

URL = "/settings/channels/"


@pytest.fixture
def client(sign_in) -> Client:
    return sign_in(Role.OWNER)


def was_of(client, channel):
    """What the page of a channel says that it shows."""
    return client.get(f"{URL}{channel.pk}/").context["form"]["was"].value()


def page_of(client, channel):
    """The fields of a channel's page as somebody posts them who changes nothing."""
    form = client.get(f"{URL}{channel.pk}/").context["form"]
    values = {name: form[name].value() for name in form.fields}
    return {name: "on" if value is True else value for name, value in values.items() if value not in (False, None)}


def test_the_known_layouts_come_with_their_channels(client):
    page = client.get(URL).content.decode()
    for name in ("자사몰", "스마트스토어", "사방넷", "스마트스토어 발주발송관리"):
        assert name in page


def test_a_channel_is_created_once_and_edited(client):
    facts = {"code": "coupang", "name": "쿠팡", "is_active": "on"}
    assert client.post(f"{URL}new/", facts).status_code == 302
    taken = client.post(f"{URL}new/", facts)
    assert taken.status_code == 409
    assert "이미 있는 코드입니다." in taken.content.decode()
    channel = SalesChannel.objects.get(code="coupang")
    profile = OrderProfile.objects.create(name="쿠팡 주문", channel=channel)
    edit = {"name": "쿠팡 로켓", "creates_products": "on", "profile": profile.pk, "code": "other"}
    edit["was"] = was_of(client, channel)
    assert client.post(f"{URL}{channel.pk}/", edit).status_code == 302
    channel.refresh_from_db()
    assert (channel.name, channel.code, channel.is_active, channel.creates_products) == (
        "쿠팡 로켓", "coupang", False, True,
    )  # fmt: skip
    assert OrderProfile.objects.get(pk=profile.pk).is_default


def test_an_older_page_keeps_what_a_colleague_changed(client, sign_in):
    channel = SalesChannel.objects.get(code="mall")
    older = page_of(client, channel)
    assert sign_in(Role.OWNER).post(f"{URL}{channel.pk}/", older | {"creates_products": "on"}).status_code == 302
    assert client.post(f"{URL}{channel.pk}/", older | {"name": "우리 몰"}).status_code == 302
    channel.refresh_from_db()
    assert (channel.name, channel.is_active, channel.creates_products) == ("우리 몰", True, True)
    assert SettingChange.objects.count() == 2


def test_whether_buyers_are_told_is_kept_like_every_other_value(client, sign_in, make_staff):
    channel = SalesChannel.objects.get(code="mall")
    older = page_of(client, channel)
    assert older["notifies_buyers"] == "on"
    silent = {name: value for name, value in older.items() if name != "notifies_buyers"}
    assert sign_in(make_staff(Role.OWNER)).post(f"{URL}{channel.pk}/", silent).status_code == 302
    assert client.post(f"{URL}{channel.pk}/", older | {"name": "우리 몰"}).status_code == 302
    channel.refresh_from_db()
    assert (channel.name, channel.notifies_buyers) == ("우리 몰", False)
    change = SettingChange.objects.get(key=f"channel.{channel.pk}.notifies_buyers")
    assert (change.old, change.new) == (True, False)


def test_the_same_value_of_a_channel_is_changed_once_and_the_second_person_reads_by_whom(client, sign_in, make_staff):
    channel = SalesChannel.objects.get(code="mall")
    profile = OrderProfile.objects.create(name="자사 양식", channel=channel)
    older = page_of(client, channel)
    other = sign_in(make_staff(Role.OWNER, display_name="이도윤"))
    assert other.post(f"{URL}{channel.pk}/", older | {"name": "바다 상점"}).status_code == 302
    answer = client.post(f"{URL}{channel.pk}/", older | {"name": "산 상점", "profile": profile.pk})
    assert answer.status_code == 409
    said = f"이름: {short(SettingChange.objects.get().at)}에 이도윤 님이 먼저 바다 상점으로 바꿨습니다."
    assert said in answer.content.decode()
    channel.refresh_from_db()
    assert channel.name == "바다 상점"
    assert not OrderProfile.objects.get(pk=profile.pk).is_default


def test_a_page_that_does_not_say_what_it_showed_changes_no_channel(client):
    channel = SalesChannel.objects.get(code="mall")
    answer = client.post(f"{URL}{channel.pk}/", {"name": "바뀜", "was": "forged"})
    assert answer.status_code == 422
    assert STALE in answer.content.decode()
    channel.refresh_from_db()
    assert (channel.name, channel.is_active) == ("자사몰", True)


@pytest.mark.parametrize("code", ["", "A", "한글", "a b", "-a", "a" * 21, "a\x00b"])
def test_bad_codes_are_refused(client, code):
    assert client.post(f"{URL}new/", {"code": code, "name": "이름"}).status_code == 422
    assert SalesChannel.objects.count() == 3


def test_another_channels_layout_is_no_choice(client):
    channel = SalesChannel.objects.get(code="mall")
    foreign = OrderProfile.objects.get(kind="SMARTSTORE")
    answer = client.post(f"{URL}{channel.pk}/", {"name": "자사몰", "profile": foreign.pk})
    assert answer.status_code == 422
    assert channel.is_active


def test_a_key_is_shown_once_works_and_is_revoked(client):
    channel = SalesChannel.objects.get(code="mall")
    shown = client.post(f"{URL}{channel.pk}/keys/")
    assert shown["Cache-Control"] == "no-store"
    token = shown.context["token"]
    assert token in shown.content.decode()
    assert token not in client.get(f"{URL}{channel.pk}/").content.decode()
    api = Api(token)
    assert api.post("/orders", order_body()).status_code == 201
    key = ApiKey.objects.get()
    assert key.last_used_at is not None
    assert client.post(f"{URL}{channel.pk}/keys/{key.pk}/revoke/").status_code == 302
    assert api.get("/orders").status_code == 401
    assert client.post(f"{URL}{channel.pk}/keys/999/revoke/").status_code == 404


@pytest.mark.parametrize(
    ("role", "sees"),
    [(Role.CS, 403), (Role.LOGISTICS, 403), (Role.FINANCE, 403), (Role.VIEWER, 403), (Role.AUDITOR, 200)],
)
def test_only_the_owner_may_change_channels(role, sees, sign_in):
    client, channel = sign_in(role), SalesChannel.objects.get(code="mall")
    assert client.get(URL).status_code == sees
    assert client.post(f"{URL}new/", {"code": "xx", "name": "이름"}).status_code == 403
    assert client.post(f"{URL}{channel.pk}/", {"name": "바뀜"}).status_code == 403
    assert client.post(f"{URL}{channel.pk}/keys/").status_code == 403
    assert not ApiKey.objects.exists()
    assert SalesChannel.objects.get(code="mall").name == "자사몰"


def test_missing_channels_are_said_to_be_missing(client):
    assert client.get(f"{URL}999999/").status_code == 404
    assert client.post(f"{URL}999999/keys/").status_code == 404


def test_no_key_is_made_for_a_channel_that_is_switched_off(client, channel):
    SalesChannel.objects.filter(pk=channel.pk).update(is_active=False)
    answer = client.post(f"{URL}{channel.pk}/keys/")
    assert answer.status_code == 409
    assert "사용하지 않는 판매채널이라 API 키를 발급하지 않았습니다." in html.unescape(answer.content.decode())
    assert not ApiKey.objects.exists()
    assert not OrderEvent.objects.exists()


def test_a_mapping_is_deleted_and_a_known_layout_never(client, channel, sign_in):
    own = OrderProfile.objects.create(name="해외 매장", channel=channel, fingerprint="f")
    known = OrderProfile.objects.get(kind="CAFE24")
    page = client.get(f"/settings/channels/{channel.pk}/").content.decode()
    assert f'data-profile="{own.pk}"' in page
    assert f'data-profile="{known.pk}"' not in client.get(f"/settings/channels/{known.channel_id}/").content.decode()
    assert sign_in(Role.CS).post(f"/settings/channels/{channel.pk}/profiles/{own.pk}/delete/").status_code == 403
    other = SalesChannel.objects.get(code="smartstore").pk
    for channel_id, profile in ((known.channel_id, known), (other, own)):
        refused = client.post(f"/settings/channels/{channel_id}/profiles/{profile.pk}/delete/")
        assert refused.status_code == 404
    assert OrderProfile.objects.filter(pk__in=[own.pk, known.pk]).count() == 2
    done = client.post(f"/settings/channels/{channel.pk}/profiles/{own.pk}/delete/", follow=True)
    assert "&#x27;해외 매장&#x27; 양식을 삭제했습니다." in done.content.decode()
    assert not OrderProfile.objects.filter(pk=own.pk).exists()
