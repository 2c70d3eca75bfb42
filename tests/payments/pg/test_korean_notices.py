"""Notices that the sandbox sends for NICEPAY and KG Inicis: our adapters read them, and each PG hears our answer."""

from dataclasses import replace

import pytest

from payments.adapters.base import Answer, Kind, Rejected, Spoken
from payments.adapters.inicis import INICIS
from payments.adapters.nicepay import NICEPAY
from payments.adapters.nicepay_form import NICEPAY_FORM
from tests.payments.pg.golden import INICIS as INICIS_ACCOUNT
from tests.payments.pg.golden import NICE, NICE_FORM, NOTICE_KEY, nobody
from tests.payments.pg.listener import listening

KEYED = replace(INICIS_ACCOUNT, options={**INICIS_ACCOUNT.options, "notice_key": NOTICE_KEY})
SHOPS = {
    "nicepay": (NICEPAY, NICE),
    "nicepay-form": (NICEPAY_FORM, replace(NICE_FORM, merchant_id="OMSTEST01m")),
    "inicis": (INICIS, KEYED),
}
ORDER = "20261121-0000125-1"
FAIL = Spoken(400, "text/html;charset=utf-8", b"FAIL")


@pytest.fixture
def shop(pgs):
    """A listener, and a shop of the PG that posts to it; answers like the adapter."""
    with listening() as listener:

        def open_shop(name, **options):
            known = pgs.read("shops", pg=name)[0]["options"]
            pgs.shop(name, notice_url=listener.url, options={**known, **options})
            listener.answer_as(SHOPS[name][0])
            return listener

        yield open_shop


@pytest.fixture
def tell(pgs, shop):
    """Open, pay and read what was told of it."""

    def run(name, *acts, options=None, **values):
        listener = shop(name, **(options or {}))
        pgs.control("payments", pg=name, order_ref=ORDER, amount=33000, buyer="홍길동", title="면 티셔츠", **values)
        for act, more in acts:
            pgs.control(f"payments/{act}", pg=name, order_ref=ORDER, **more)
        pgs.wait_for(lambda: not [n for n in pgs.notices() if n["state"] in {"DUE", "SENDING"}])
        adapter, account = SHOPS[name]
        return [adapter.read(request, account=account, secret_of=nobody) for request in listener.heard]

    return run


PAY = ("deposit", {"name": "홍길순"})
PART = ("refund", {"amount": 10000, "account": {"bank": "004", "number": "1", "holder": "x"}})


def test_nicepay_tells_issue_deposit_and_refunds_signed(tell):
    notices = tell("nicepay", PAY, PART)
    assert [notice.kind for notice in notices] == [Kind.ISSUED, Kind.DEPOSITED, Kind.PART_REFUNDED]
    assert [(notice.amount, notice.order_ref, notice.is_proven) for notice in notices] == [(33000, ORDER, True)] * 3
    assert len({notice.event_key for notice in notices}) == 3


def test_nicepay_tells_a_cancelled_account_from_a_refunded_one(tell):
    notices = tell("nicepay", ("close", {}))
    assert [notice.kind for notice in notices] == [Kind.ISSUED, Kind.CANCELED_BEFORE_DEPOSIT]


def test_nicepay_does_not_tell_what_the_bank_takes_back_nor_expiry(tell):
    assert [notice.kind for notice in tell("nicepay", PAY, ("reverse", {}), ("expire", {}))] == [
        Kind.ISSUED,
        Kind.DEPOSITED,
    ]


def test_the_older_form_tells_deposits_only_in_cp949(tell):
    (notice,) = tell("nicepay-form", PAY, PART)
    assert (notice.kind, notice.amount, notice.depositor, notice.order_ref) == (Kind.DEPOSITED, 33000, "홍길순", ORDER)
    assert notice.fields["GoodsName"] == "면 티셔츠"


def test_inicis_tells_a_pc_shop_of_deposits_and_reversals(tell):
    notices = tell("inicis", PAY, ("reverse", {}))
    assert [notice.kind for notice in notices] == [Kind.DEPOSITED, Kind.REVERSED]
    assert [(notice.amount, notice.depositor) for notice in notices] == [(33000, "홍길순")] * 2


def test_inicis_tells_a_mobile_shop_of_the_issue_too_with_our_proof(tell):
    notices = tell("inicis", PAY, options={"channel": "mobile", "notice_key": NOTICE_KEY})
    assert [notice.kind for notice in notices] == [Kind.ISSUED, Kind.DEPOSITED]
    assert all(notice.is_proven and notice.amount == 33000 for notice in notices)
    assert notices[0].payment_ref == notices[1].payment_ref != notices[1].reference


@pytest.mark.parametrize(
    ("name", "method", "kind"), [("nicepay", "CARD", Kind.DEPOSITED), ("inicis", "CARD", Kind.DEPOSITED)]
)
def test_a_card_payment_is_told_as_money_that_came(tell, name, method, kind):
    options = {"channel": "mobile", "notice_key": NOTICE_KEY} if name == "inicis" else None
    (notice,) = tell(name, method=method, options=options)
    assert (notice.kind, notice.amount, notice.is_proven) == (kind, 33000, True)


@pytest.mark.parametrize(
    ("name", "ip"), [("nicepay", "121.133.126.86"), ("nicepay-form", "121.133.126.10"), ("inicis", "203.238.37.15")]
)
def test_notices_come_from_a_published_address(pgs, shop, name, ip):
    listener = shop(name)
    pgs.control("payments", pg=name, order_ref=ORDER, amount=33000)
    pgs.control("payments/deposit", pg=name, order_ref=ORDER)
    pgs.wait_for(lambda: listener.heard)
    assert listener.heard[0].client_ip == ip
    assert ip in SHOPS[name][0].default_ips


@pytest.mark.parametrize("name", ["nicepay-form", "inicis"])
def test_it_comes_again_until_we_acknowledge(pgs, shop, name):
    listener = shop(name)
    listener.answers = [FAIL, Spoken(503, "text/plain", b"FAIL")]
    pgs.control("payments", pg=name, order_ref=ORDER, amount=33000)
    pgs.control("payments/deposit", pg=name, order_ref=ORDER)
    (notice,) = pgs.wait_for(lambda: pgs.notices(state="DONE"))
    assert [attempt["status"] for attempt in notice["attempts"]] == [400, 503, 200]
    assert len({request.body for request in listener.heard}) == 1


def test_nicepay_gives_up_at_once_and_can_be_told_to_send_again(pgs, shop):
    listener = shop("nicepay")
    listener.answers = [FAIL]
    pgs.control("payments", pg="nicepay", order_ref=ORDER, amount=33000)
    (notice,) = pgs.wait_for(lambda: pgs.notices(state="GAVE_UP"))
    pgs.control("notices/resend", id=notice["id"])
    pgs.wait_for(lambda: pgs.notices(state="DONE"))
    assert listener.heard[0].body == listener.heard[1].body


@pytest.mark.parametrize(
    ("name", "said", "counts"),
    [
        ("nicepay", Spoken(200, "text/html", b"<html>LOOKUP</html>"), True),
        ("nicepay", Spoken(200, "text/plain", b"OK"), False),
        ("nicepay", Spoken(500, "text/html", b"OK"), False),
        ("inicis", Spoken(200, "text/html", b"OK"), True),
        ("inicis", Spoken(200, "text/plain", b"OK\n"), False),
        ("inicis", Spoken(200, "text/plain", b"FAIL"), False),
    ],
)
def test_what_each_pg_takes_for_success(pgs, shop, name, said, counts):
    listener = shop(name)
    listener.answers = [said]
    pgs.control("payments", pg=name, order_ref=ORDER, amount=33000, announce=False)
    pgs.control("payments/deposit", pg=name, order_ref=ORDER)
    notice = pgs.wait_for(lambda: next((n for n in pgs.notices() if n["attempts"]), None))
    assert notice["attempts"][0]["ok"] is counts


@pytest.mark.parametrize("name", ["nicepay", "nicepay-form", "inicis"])
def test_a_forged_notice_is_refused(pgs, shop, name):
    adapter, account = SHOPS[name]
    with pytest.raises(Rejected) as caught:
        adapter.read(forged(pgs, shop(name), name), account=account, secret_of=nobody)
    assert caught.value.answer is Answer.UNAUTHORIZED


def test_a_forged_proof_of_inicis_is_none(pgs, shop):
    adapter, account = SHOPS["inicis"]
    told = forged(pgs, shop("inicis", channel="mobile", notice_key=NOTICE_KEY), "inicis")
    assert not adapter.read(told, account=account, secret_of=nobody).is_proven


def forged(pgs, listener, name):
    """The first notice of a forged deposit."""
    pgs.fault("forge", pg=name, times=None)
    pgs.control("payments", pg=name, order_ref=ORDER, amount=33000, announce=False)
    pgs.control("payments/deposit", pg=name, order_ref=ORDER)
    pgs.wait_for(lambda: listener.heard)
    return listener.heard[0]


def test_a_nicepay_notice_corrupted_on_its_way_is_refused_or_reads_the_same(pgs, shop):
    listener = shop("nicepay")
    pgs.fault("corrupt", pg="nicepay", times=None)
    pgs.control("payments", pg="nicepay", order_ref=ORDER, amount=33000)
    pgs.wait_for(lambda: listener.heard)
    try:
        notice = NICEPAY.read(listener.heard[0], account=NICE, secret_of=nobody)
    except Rejected:
        return
    assert notice.amount == 33000


def test_a_cheque_in_the_deposit_is_told(pgs, shop):
    listener = shop("inicis")
    pgs.control("payments", pg="inicis", order_ref=ORDER, amount=33000, options={"cheque": 33000})
    pgs.control("payments/deposit", pg="inicis", order_ref=ORDER)
    pgs.wait_for(lambda: listener.heard)
    assert INICIS.read(listener.heard[0], account=KEYED, secret_of=nobody).parked == "UNCLEARED_CHEQUE"
