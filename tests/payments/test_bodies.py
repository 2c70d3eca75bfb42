"""알림 본문: no notice of any PG shows a person's data in the inbox, and each is read by its own charset."""

import json
from urllib.parse import quote_from_bytes, unquote_to_bytes

import pytest
from django.utils import timezone

from accounts.roles import Role
from oms.seed.demo_pgs import URL_SETTING, connect_pgs
from payments.adapters.base import Inbound
from payments.bodies import CHARSETS, charset_of, flat, masked_body
from payments.models import Payment, PgAccount, PgNotice, PgRequest
from tests.payments.pg.every import CASES
from tests.payments.pg.golden import F3, F4, F5, F6

FORM = "application/x-www-form-urlencoded"
PEOPLE = (
    "홍길동", "길동", "01012345678", "010-1234-5678", "hong@example.com", "22206528300122", "22206528300126",
    "56211102612345", "T0309000012701", "110123456789", "ps_OMSfixtureSecret0000000000", "4330121234561234", "900101",
    "테헤란로 152", "hongid77",
)  # fmt: skip
KCP = (
    "site_cd=T0000&tno=20261121115957&order_no=20261121-0000127-1&tx_cd=TX00&ipgm_name=홍길동&remitter=홍길동"
    "&ipgm_mnyx=33000&account=T0309000012701&refund_nm=홍길동&cash_a_no=900101&cash_no=01012345678&LGD_BUYER=홍길동"
    "&LGD_PAYER=홍길동&LGD_BUYEREMAIL=hong@example.com&LGD_ACCOUNTNUM=22206528300122"
    "&LGD_BUYERADDRESS=서울특별시 강남구 테헤란로 152"
)
TOSS_PAYMENT = {
    "paymentKey": "oms20261121115000AbCd1", "orderId": "20261121-0000123-1", "status": "DONE", "method": "가상계좌",
    "orderName": "면 티셔츠 외 1건", "secret": "ps_OMSfixtureSecret0000000000",
    "virtualAccount": {
        "accountType": "일반", "accountNumber": "22206528300122", "bankCode": "20", "customerName": "홍길동",
        "depositorName": "홍길동", "refundReceiveAccount": {"number": "110123456789", "holderName": "홍길동"},
    },
    "card": {"number": "4330121234561234", "ownerType": "개인"}, "customerKey": "hongid77",
    "cashReceipt": {"type": "소득공제", "issueNumber": "900101", "registrationNumber": "01012345678"},
    "mobilePhone": {"customerMobilePhone": {"plain": "01012345678"}, "phone": "010-1234-5678"},
}  # fmt: skip
PORTONE_PAYMENT = {
    "id": "20261121-0000124-1", "status": "PAID", "channel": {"name": "토스페이먼츠"},
    "customer": {
        "id": "hongid77", "name": "홍길동", "email": "hong@example.com", "phoneNumber": "01012345678",
        "address": {"oneLine": "서울특별시 강남구 테헤란로 152", "addressLine1": "테헤란로 152"}, "birthYear": "900101",
    },
    "method": {
        "type": "PaymentMethodVirtualAccount", "accountNumber": "22206528300122", "remitteeName": "홍길동",
        "remitterName": "홍길동", "card": {"number": "4330121234561234", "name": "신한카드"},
    },
    "customData": '{"receiver": "홍길동", "phone": "01012345678"}',
    "cancellations": [{"refundAccount": {"number": "110123456789", "holderName": "홍길동"}, "reason": "홍길동 변심"}],
}  # fmt: skip
BANKS = {
    "order_number": "20261121-0000123", "billing_name": "홍길동", "orderer_name": "홍길동",
    "transaction_name": "홍길동",
    "orderer_phone_number": "01012345678", "orderer_email": "hong@example.com", "identity_number": "01012345678",
    "memo": "홍길동", "print_content": "홍길동", "remark1": "홍길동", "amount": 33000,
}  # fmt: skip
SAMPLES = {
    "F3": (F3, "application/json;charset=utf-8"), "F4": (F4, FORM), "F5": (F5, FORM), "F6": (F6, FORM),
    "KCP and LGU+": (KCP.encode(), FORM), "KCP in CP949": (KCP.encode("cp949"), FORM),
    "Toss": (json.dumps({"data": TOSS_PAYMENT}, ensure_ascii=False).encode(), "application/json"),
    "PortOne": (json.dumps(PORTONE_PAYMENT, ensure_ascii=False).encode(), "application/json"),
    "bank feed": (json.dumps(BANKS).encode(), "application/json"),
}  # fmt: skip


def bodies_of(case):
    refused = {name: request for name, (request, _) in case.refused.items()}
    kinds = {str(kind): request for kind, request in case.kinds.items()}
    return {"authentic": case.authentic, **case.tolerated, **kinds, **refused}


FIXTURES = [
    pytest.param(request, id=f"{case.pg.name} {name}") for case in CASES for name, request in bodies_of(case).items()
]


def all_masked(body, content_type, dialect="cp949"):
    """What the inbox may show of a body: read by the charset that fits, and by whichever staff ask for."""
    charsets = {charset_of(body, content_type=content_type, dialect=dialect), *dict(CHARSETS)}
    return "\n".join(masked_body(body, charset) for charset in charsets)


def nobody_in(text):
    return [one for one in PEOPLE if one in text]


@pytest.mark.parametrize("name", SAMPLES)
def test_no_sample_of_a_pg_shows_a_person(name):
    body, content_type = SAMPLES[name]
    plain = unquote_to_bytes(body)
    read = plain.decode("utf-8", "ignore") + plain.decode("cp949", "ignore") + json_text(body)
    assert nobody_in(read), "the sample has nobody in it"
    assert nobody_in(all_masked(body, content_type)) == []


def json_text(body):
    try:
        return json.dumps(json.loads(body), ensure_ascii=False)
    except ValueError:
        return ""


@pytest.mark.parametrize("request_in", FIXTURES)
def test_no_notice_of_any_fixture_shows_a_person(request_in: Inbound):
    content_type = request_in.headers.get("content-type", "")
    for dialect in dict(CHARSETS):
        assert nobody_in(all_masked(bytes(request_in.body), content_type, dialect)) == []


def test_what_is_about_things_stays_readable():
    body, content_type = SAMPLES["F5"]
    shown = masked_body(body, charset_of(body, content_type=content_type, dialect="cp949")).splitlines()
    for line in (
        "no_tid: INIMX_RTR_OMSTESTMID20261121115957000001", "no_oid: 20261121-0000125-1", "nm_inputbank: 신한은행",
        "nm_input: 홍*동", "no_vacct: **********2345", "amt_input: 33000", "type_msg: 0200",
    ):  # fmt: skip
        assert line in shown
    toss = dict(flat({"data": TOSS_PAYMENT}))
    assert (toss["data.method"], toss["data.orderName"], toss["data.paymentKey"], toss["data.card.number"]) == (
        "가상계좌", "면 티셔츠 외 1건", "oms20261121115000AbCd1", "****",
    )  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60_000,
        b'{"a":' * 9_000,
        "홍길동=1&b=2".encode(),
        '{"홍길동": 1'.encode(),
        "홍길동".encode("cp949"),
        b"\xff\xfe",
    ],
)
def test_a_hostile_body_is_hidden_and_never_breaks_the_page(body):
    for charset in dict(CHARSETS):
        shown = masked_body(body, charset)
        assert nobody_in(shown) == []
        assert shown.startswith("****")
    assert masked_body(b"", "utf-8") == ""


# Charsets

NAME = "홍길동"


def form(name, charset):
    return b"a=1&nm_input=" + quote_from_bytes(name.encode(charset)).encode()


@pytest.mark.parametrize(
    ("body", "content_type", "dialect", "found"),
    [
        (form(NAME, "utf-8"), f"{FORM}; charset=UTF-8", "cp949", "utf-8"),
        (form(NAME, "cp949"), f"{FORM}; charset=euc-kr", "utf-8", "cp949"),
        (form(NAME, "cp949"), FORM, "cp949", "cp949"),
        (form(NAME, "utf-8"), FORM, "cp949", "utf-8"),
        (form(NAME, "utf-8"), FORM, "utf-8", "utf-8"),
        (form(NAME, "cp949"), FORM, "utf-8", "cp949"),
        # What it says is not true.
        (form(NAME, "utf-8"), f"{FORM}; charset=euc-kr", "cp949", "utf-8"),
        (form(NAME, "cp949"), f"{FORM}; charset=utf-8", "cp949", "cp949"),
        (form(NAME, "utf-8"), f"{FORM}; charset=no-such", "cp949", "utf-8"),
        (json.dumps({"name": NAME}, ensure_ascii=False).encode(), "application/json", "cp949", "utf-8"),
        (json.dumps({"name": NAME}, ensure_ascii=False).encode(), "", "cp949", "utf-8"),
        (json.dumps({"name": NAME}, ensure_ascii=False).encode("cp949"), "application/json", "utf-8", "cp949"),
        (b"a=%FF%FE", FORM, "cp949", "cp949"),
    ],
)
def test_the_charset_is_the_told_one_then_the_pgs_then_what_fits(body, content_type, dialect, found):
    assert charset_of(body, content_type=content_type, dialect=dialect) == found


@pytest.mark.parametrize("name", ["김철수", "박", "이영", "남궁민수", "최", "한가람빛나래", "홍길동입금"])
def test_names_in_utf_8_are_never_taken_for_cp949(name):
    assert charset_of(form(name, "utf-8"), content_type=FORM, dialect="cp949") == "utf-8"
    assert charset_of(form(name, "cp949"), content_type=FORM, dialect="cp949") == "cp949"


# What the sandbox PGs really send


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("pg", ["toss", "portone", "nicepay", "nicepay-form", "inicis"])
def test_what_a_pg_sends_shows_nobody_in_the_inbox_and_no_mojibake(pg_shop, sign_in, pg):
    account = pg_shop.account(pg)
    order = pg_shop.order(account, buyer_name="박주문", buyer_phone="01098765432")
    pg_shop.deposit(order, depositor="최입금자")
    pg_shop.heard()
    payment = Payment.objects.select_related("virtual").get(order=order)
    secret = ["박주문", "01098765432", "최입금자", payment.virtual.number]
    client = sign_in(Role.OWNER)
    notices, requests = PgNotice.objects.all(), PgRequest.objects.select_related("account")
    assert requests.exists()
    for one in requests:
        assert [word for word in secret if word in all_masked(bytes(one.body), one.content_type)] == []
    for notice in notices:
        page = client.get(f"/payments/notices/{notice.pk}/").content.decode()
        assert [word for word in secret if word in page] == []
        assert "�" not in page


@pytest.mark.django_db(transaction=True)
def test_the_accounts_of_the_demo_read_as_their_pgs_write(pg_shop, monkeypatch):
    monkeypatch.setenv(URL_SETTING, pg_shop.pgs.base_url)
    connect_pgs(port=1, at=timezone.now(), say=print)
    assert dict(PgAccount.objects.values_list("code", "charset")) == {
        "toss": "utf-8", "portone": "utf-8", "nicepay": "utf-8", "nicepay-form": "cp949", "inicis": "cp949",
    }  # fmt: skip
