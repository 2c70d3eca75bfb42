"""PG 계정 settings over HTTP: keys go in and never come out, changes are kept, the connection is tried."""

import pytest
from django.utils import timezone

from accounts.roles import Role
from core.calendar import KST
from core.models import SettingChange
from payments.adapters.base import Unavailable
from payments.adapters.toss import Toss
from payments.models import PgAccount
from payments.services.gateway import pg_settings

URL = "/settings/pg/"
KEY, NEWER = "test_sk_first_1234567890", "test_sk_second_0987654321"
GIVEN = {
    "code": "toss-main", "name": "토스 본점", "merchant_id": "omsmall", "key": KEY, "base_url": "https://pg.example",
    "charset": "utf-8", "is_active": "on",
}  # fmt: skip


@pytest.fixture
def account(db):
    one = PgAccount(code="toss-main", name="토스 본점", provider="toss", merchant_id="omsmall", charset="utf-8")
    one.base_url = "https://pg.example"
    one.set_secrets(KEY)
    one.save()
    return one


def given(account, **facts):
    """What the edit form posts back; the keys empty."""
    kept = {name: value for name, value in GIVEN.items() if name not in {"code", "key"}}
    return kept | {"seen": PgAccount.objects.get(pk=account.pk).updated_at.isoformat()} | facts


def edited(account):
    return PgAccount.objects.get(pk=account.pk)


def test_an_account_is_made_and_its_key_is_never_shown(sign_in):
    client = sign_in(Role.OWNER)
    assert "PG" in client.get(f"{URL}new/").content.decode()
    page = client.get(f"{URL}new/?provider=portone").content.decode()
    assert "API 시크릿" in page
    assert "채널 키" in page
    answer = client.post(f"{URL}new/?provider=toss", GIVEN)
    made = PgAccount.objects.get()
    assert answer["Location"] == f"{URL}{made.pk}/"
    assert (made.secrets(), made.provider) == ((KEY,), "toss")
    page = client.get(answer["Location"]).content.decode()
    assert KEY not in page
    assert "****7890" in page
    assert f"/payments/webhooks/{made.endpoint_token}/" in page
    assert KEY not in str(list(SettingChange.objects.values()))
    assert KEY not in made.sealed_secrets


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"key": ""}, "키를 입력하세요."),
        ({"code": "Toss!"}, "코드는 영문 소문자로 시작하고"),
        ({"base_url": "http://pg.example"}, "PG 주소는 https://로 시작해야 합니다."),
        ({"ips": "1.2.3.4\n300.1.1.1"}, "IP 주소가 아닙니다: 300.1.1.1"),
        ({"issues_accounts": "on"}, "가상계좌를 발급할 은행을 고르세요."),
        ({"name": ""}, "이름을 입력하세요."),
    ],
)
def test_wrong_input_is_refused_in_korean(sign_in, facts, words):
    answer = sign_in(Role.OWNER).post(f"{URL}new/?provider=toss", GIVEN | facts)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not PgAccount.objects.exists()


def test_a_code_is_taken_once(account, sign_in):
    answer = sign_in(Role.OWNER).post(f"{URL}new/?provider=toss", GIVEN)
    assert answer.status_code == 409
    assert "이미 쓰고 있는 코드입니다" in answer.content.decode()
    assert PgAccount.objects.count() == 1


@pytest.mark.parametrize("role", list(Role))
def test_who_may_look_and_who_may_change(account, sign_in, role):
    client = sign_in(role)
    assert client.get(URL).status_code == (200 if role in {Role.OWNER, Role.AUDITOR} else 403)
    answer = client.post(f"{URL}{account.pk}/", given(account, name="바뀐 이름"))
    assert answer.status_code == (302 if role == Role.OWNER else 403)
    assert edited(account).name == ("바뀐 이름" if role == Role.OWNER else "토스 본점")
    assert SettingChange.objects.exists() is (role == Role.OWNER)


def test_a_new_key_keeps_the_previous_one_until_it_is_dropped(account, sign_in):
    client, url = sign_in(Role.OWNER), f"{URL}{account.pk}/"
    client.post(url, given(account, key=NEWER))
    assert edited(account).secrets() == (NEWER, KEY)
    client.post(url, given(account))
    assert edited(account).secrets() == (NEWER, KEY)
    change = SettingChange.objects.get(key="pg_account:toss-main:key")
    assert (change.old, change.new) == ("****7890", "****4321")
    page = client.get(url).content.decode()
    assert "이전 키" in page
    assert "변경 이력" in page
    # Nobody can read a key again: it is asked for first, with a warning while the PG refuses the present one.
    PgAccount.objects.update(last_error="키를 거절했습니다.")
    asked = client.get(f"{url}?part=drop").content.decode()
    assert "지운 키는 되돌릴 수 없습니다." in asked
    assert "지금 키로 한 마지막 통신이 실패했습니다." in asked
    assert '<input type="hidden" name="part" value="drop"' in asked
    assert edited(account).secrets() == (NEWER, KEY)
    assert client.post(url, {"part": "drop"}).status_code == 302
    assert edited(account).secrets() == (NEWER,)
    again = client.post(url, {"part": "drop"})
    assert again.status_code == 409
    assert "지울 이전 키가 없습니다." in again.content.decode()


def test_the_second_of_two_people_does_not_overwrite(account, sign_in, staff):
    stale, client = given(account, name="늦은 이름"), sign_in(staff)
    client.post(f"{URL}{account.pk}/", given(account, name="먼저 이름"))
    when = SettingChange.objects.get().at.astimezone(KST)
    answer = client.post(f"{URL}{account.pk}/", stale)
    assert answer.status_code == 409
    who = f"{when:%m-%d %H:%M}에 {staff.display_name} 님이"
    assert f"화면을 연 뒤 {who} 이 계정을 바꿨습니다." in answer.content.decode()
    broken = client.post(f"{URL}{account.pk}/", given(account, name="늦은 이름", seen="어제"))
    assert broken.status_code == 422
    assert "화면이 오래되었거나 화면에 든 값이 바뀌었습니다." in broken.content.decode()
    assert edited(account).name == "먼저 이름"


def test_one_account_opens_virtual_accounts(account, sign_in):
    PgAccount.objects.filter(pk=account.pk).update(issues_accounts=True, bank="20")
    answer = sign_in(Role.OWNER).post(
        f"{URL}new/?provider=toss", GIVEN | {"code": "second", "issues_accounts": "on", "bank": "20"}
    )
    assert answer.status_code == 409
    assert "토스 본점 계정이 이미 가상계좌를 발급합니다." in answer.content.decode()


def test_the_window_of_registration_is_ten_minutes(account, sign_in):
    sign_in(Role.OWNER).post(f"{URL}{account.pk}/", {"part": "register"})
    assert edited(account).registering_until is not None
    assert SettingChange.objects.get().key == "pg_account:toss-main:registering"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("pg", ["toss", "portone", "nicepay", "nicepay-form", "inicis"])
def test_the_connection_is_tried(pg_shop, sign_in, pg):
    account, client = pg_shop.account(pg), sign_in(Role.OWNER)
    answer = client.post(f"{URL}{account.pk}/", {"part": "check"}, follow=True)
    assert "에 연결했습니다. 키가 맞습니다." in answer.content.decode()
    assert edited(account).last_ok_at is not None
    PgAccount.objects.filter(pk=account.pk).update(base_url="http://127.0.0.1:9/x")
    answer = client.post(f"{URL}{account.pk}/", {"part": "check"}, follow=True)
    assert "응답이 없습니다" in answer.content.decode()
    assert "응답이 없습니다" in edited(account).last_error


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (Unavailable("HTTP 404 is not readable", code="404"), "이 주소는 토스페이먼츠처럼 응답하지 않습니다."),
        (Unavailable("HTTP 404", code="NOT_FOUND", message="없는 주소입니다."), "PG 주소를 확인하고 잠시 뒤 다시"),
        (Unavailable("HTTP 503", code="503"), "토스페이먼츠에서 결제를 조회하지 못했습니다."),
    ],
)
def test_an_address_where_somebody_else_answers_is_not_called_silent(account, monkeypatch, problem, words):
    def fetch(*args, **facts):
        raise problem

    monkeypatch.setattr(Toss, "fetch", fetch)
    checked = pg_settings.check_connection(account, at=timezone.now())
    assert (checked.is_ok, words in checked.text, "응답이 없습니다" in checked.text) == (False, True, False)


@pytest.mark.django_db(transaction=True)
def test_a_wrong_key_is_told(pg_shop, sign_in):
    account = pg_shop.account("toss")
    account.set_secrets("test_sk_wrong")
    account.save()
    answer = sign_in(Role.OWNER).post(f"{URL}{account.pk}/", {"part": "check"}, follow=True)
    assert "키나 상점 아이디를 거절했습니다" in answer.content.decode()


def test_an_unknown_account_or_pg_is_not_found(account, sign_in):
    client = sign_in(Role.OWNER)
    assert client.get(f"{URL}999999/").status_code == 404
    assert client.get(f"{URL}new/?provider=nobody").status_code == 422


@pytest.mark.django_db(transaction=True)
def test_a_new_key_is_tried_at_once_so_that_a_wrong_one_is_seen(pg_shop, sign_in):
    account, client = pg_shop.account("toss"), sign_in(Role.OWNER)
    url, same = f"{URL}{account.pk}/", {"merchant_id": account.merchant_id, "base_url": account.base_url}
    same |= {"is_sandbox": "on", "name": "toss", "charset": account.charset}
    before = len(pg_shop.pgs.read("calls", pg="toss"))
    page = client.post(url, given(account, **same, key="test_sk_of_somebody_else_00001"), follow=True).content.decode()
    assert "PG 계정을 저장했습니다." in page
    assert "토스페이먼츠에서 키나 상점 아이디를 거절했습니다. 키를 확인하세요." in page
    assert "거절했습니다" in edited(account).last_error
    assert edited(account).last_ok_at is None
    assert len(pg_shop.pgs.read("calls", pg="toss")) == before + 1
    page = client.post(url, given(account, **same | {"name": "다른 이름"}), follow=True).content.decode()
    assert "PG 계정을 저장했습니다." in page
    assert len(pg_shop.pgs.read("calls", pg="toss")) == before + 1


def test_a_service_that_only_tells_of_bank_accounts_opens_none_and_is_not_asked(sign_in):
    client = sign_in(Role.OWNER)
    page = client.get(f"{URL}new/?provider=payaction").content.decode()
    assert "상점 아이디" in page
    assert "가상계좌 발급" not in page
    assert "발급 은행" not in page
    facts = GIVEN | {"code": "payaction", "issues_accounts": "on", "bank": "004"}
    answer = client.post(f"{URL}new/?provider=payaction", facts)
    made = PgAccount.objects.get()
    assert (answer["Location"], made.issues_accounts, made.bank) == (f"{URL}{made.pk}/", False, "")
    page = client.get(answer["Location"]).content.decode()
    assert 'data-action="register-pg"' in page
    assert 'data-action="check-pg"' not in page


def test_an_account_out_of_use_promises_no_answer(account, sign_in):
    client = sign_in(Role.OWNER)
    client.post(f"{URL}{account.pk}/", {"part": "register"})
    assert "서명이 없는 알림에도 정상으로 답합니다." in client.get(f"{URL}{account.pk}/").content.decode()
    changes = {name: value for name, value in given(account).items() if name != "is_active"}
    assert client.post(f"{URL}{account.pk}/", changes).status_code == 302
    page = client.get(f"{URL}{account.pk}/").content.decode()
    assert "서명이 없는 알림에도 정상으로 답합니다." not in page
    assert "사용하지 않는 계정입니다. 이 주소로 온 알림은 받지 않습니다." in page
    assert 'data-action="register-pg"' not in page
    assert client.post(f"/payments/webhooks/{account.endpoint_token}/", b"{}", "application/json").status_code == 404
