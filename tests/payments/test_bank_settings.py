"""설정 · 입금계좌 over HTTP: the number is shown masked, changes are kept, one service tells of one account."""

import pytest

from accounts.roles import Role
from core.calendar import KST
from core.models import SettingChange
from payments.models import BankAccount, PgAccount

URL = "/settings/bank-accounts/"
NUMBER = "123456-01-234567"
GIVEN = {"code": "main", "bank": "국민은행", "number": NUMBER, "holder": "주식회사 가게", "is_active": "on"}


@pytest.fixture
def account(bank_account):
    return bank_account


@pytest.fixture
def feed(db):
    one = PgAccount(code="payaction", name="페이액션", provider="payaction", merchant_id="m")
    one.base_url = "https://feed.example"
    one.set_secrets("feed_key_1234567890")
    one.save()
    return one


def given(account, **facts):
    """What the edit form posts back; the number empty."""
    seen = BankAccount.objects.get(pk=account.pk).updated_at.isoformat()
    return {"bank": "국민은행", "number": "", "holder": "가게", "is_active": "on", "seen": seen} | facts


def edited(account):
    return BankAccount.objects.get(pk=account.pk)


def test_an_account_is_made_and_statements_can_be_uploaded_to_it(sign_in):
    client = sign_in(Role.OWNER)
    assert "등록한 입금계좌가 없습니다." in client.get(URL).content.decode()
    upload = sign_in(Role.FINANCE).get("/payments/deposits/upload/").content.decode()
    assert "먼저 설정에서 입금계좌를 등록하세요." in upload
    client = sign_in(Role.OWNER)
    answer = client.post(f"{URL}new/", GIVEN)
    assert (answer.status_code, answer["Location"]) == (302, URL)
    made = BankAccount.objects.get()
    assert (made.code, made.bank, made.number(), made.holder, made.is_active, made.feed) == (
        "main", "국민은행", "12345601234567", "주식회사 가게", True, None,
    )  # fmt: skip
    assert "12345601234567" not in made.sealed_number
    page = client.get(URL).content.decode()
    assert "**********4567" in page
    assert "12345601234567" not in page
    upload = sign_in(Role.FINANCE).get("/payments/deposits/upload/").content.decode()
    assert f'<option value="{made.pk}"' in upload
    assert "먼저 설정에서" not in upload
    change = SettingChange.objects.get()
    assert (change.key, change.new) == ("bank_account:main:created", "국민은행 **********4567 (main)")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"code": "Main!"}, "코드는 영문 소문자로 시작하고"),
        ({"bank": ""}, "은행을 고르세요."),
        ({"bank": "없는은행"}, "목록에 없는 은행입니다."),
        ({"number": ""}, "계좌번호를 입력하세요."),
        ({"number": "12-34"}, "계좌번호는 숫자 6~20자리로 입력하세요."),
        ({"number": "１２３４５６７８"}, "계좌번호는 숫자 6~20자리로 입력하세요."),
        ({"holder": ""}, "예금주를 입력하세요."),
        ({"feed": "999999"}, "등록한 입금 알림 서비스가 아닙니다."),
    ],
)
def test_wrong_input_is_refused_in_korean(sign_in, facts, words):
    answer = sign_in(Role.OWNER).post(f"{URL}new/", GIVEN | facts)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not BankAccount.objects.exists()
    assert not SettingChange.objects.exists()


def test_a_code_is_taken_once(account, sign_in):
    answer = sign_in(Role.OWNER).post(f"{URL}new/", GIVEN)
    assert answer.status_code == 409
    assert "이미 쓰고 있는 코드입니다" in answer.content.decode()
    assert BankAccount.objects.count() == 1
    assert not SettingChange.objects.exists()


@pytest.mark.parametrize("role", list(Role))
def test_who_may_look_and_who_may_change(account, sign_in, role):
    client = sign_in(role)
    assert client.get(URL).status_code == (200 if role in {Role.OWNER, Role.AUDITOR} else 403)
    assert client.get(f"{URL}new/").status_code == (200 if role == Role.OWNER else 403)
    answer = client.post(f"{URL}{account.pk}/", given(account, holder="바뀐 이름"))
    assert answer.status_code == (302 if role == Role.OWNER else 403)
    assert edited(account).holder == ("바뀐 이름" if role == Role.OWNER else "가게")
    assert SettingChange.objects.exists() is (role == Role.OWNER)


def test_an_edit_keeps_the_number_that_is_not_typed_again(account, sign_in):
    client, url = sign_in(Role.OWNER), f"{URL}{account.pk}/"
    assert client.post(url, given(account, bank="신한은행")).status_code == 302
    assert (edited(account).bank, edited(account).number()) == ("신한은행", "12345678901234")
    assert client.post(url, given(account, bank="신한은행", number="110-222-333444")).status_code == 302
    assert edited(account).number() == "110222333444"
    assert list(SettingChange.objects.order_by("pk").values_list("key", "old", "new")) == [
        ("bank_account:main:bank", "국민은행", "신한은행"),
        ("bank_account:main:number", "**********1234", "********3444"),
    ]
    page = client.get(url).content.decode()
    assert "110222333444" not in page
    assert "지금 번호는 ********3444입니다." in page
    assert "변경 이력" in page


def test_the_second_of_two_people_does_not_overwrite(account, sign_in, staff):
    stale, client, url = given(account, holder="늦은 이름"), sign_in(staff), f"{URL}{account.pk}/"
    client.post(url, given(account, holder="먼저 이름"))
    when = SettingChange.objects.get().at.astimezone(KST)
    answer = client.post(url, stale)
    assert answer.status_code == 409
    who = f"{when:%m-%d %H:%M}에 {staff.display_name} 님이"
    assert f"화면을 연 뒤 {who} 이 계좌를 바꿨습니다." in answer.content.decode()
    assert edited(account).holder == "먼저 이름"
    broken = client.post(url, given(account, holder="늦은 이름", seen="어제"))
    assert broken.status_code == 422
    assert "화면이 오래되었거나 화면에 든 값이 바뀌었습니다." in broken.content.decode()
    assert edited(account).holder == "먼저 이름"


def test_a_notice_service_tells_of_one_account_only(account, feed, sign_in):
    client = sign_in(Role.OWNER)
    assert client.post(f"{URL}{account.pk}/", given(account, feed=feed.pk)).status_code == 302
    assert edited(account).feed == feed
    assert "페이액션" in client.get(URL).content.decode()
    answer = client.post(f"{URL}new/", GIVEN | {"code": "second", "feed": feed.pk})
    assert answer.status_code == 409
    assert "다른 입금계좌가 이미 이 알림 서비스를 씁니다." in answer.content.decode()
    assert BankAccount.objects.count() == 1
    assert client.post(f"{URL}{account.pk}/", given(account)).status_code == 302
    assert edited(account).feed is None


def test_an_account_out_of_use_takes_no_more_statements(account, sign_in):
    client = sign_in(Role.OWNER)
    assert client.post(f"{URL}{account.pk}/", given(account, is_active="")).status_code == 302
    assert "사용 안 함" in client.get(URL).content.decode()
    upload = sign_in(Role.FINANCE).get("/payments/deposits/upload/").content.decode()
    assert f'<option value="{account.pk}"' not in upload


def test_an_account_that_is_not_there_is_not_found(db, sign_in):
    client = sign_in(Role.OWNER)
    assert client.get(f"{URL}9999/").status_code == 404
    assert client.post(f"{URL}9999/", GIVEN).status_code == 404
