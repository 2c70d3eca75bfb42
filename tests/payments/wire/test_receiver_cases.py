"""Cases of payments.md 6 about the receiver itself, over a real socket: addresses, sizes, encodings, keys, tokens."""

import http.client
import json
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from django.utils import timezone

from core import drains
from orders.states import LineState
from payments.models import MoneyProblem, Payment, PgAccount, PgNotice, PgRequest
from payments.services.cases import resolving
from payments.services.notices import draining, fetching
from payments.states import NoticeState, PaymentState, ProblemKind
from tests.fixtures.pg_shop import empty_inbox
from tests.payments.pg import inicis_case, nicepay_case, nicepay_form_case, portone_case, toss_case
from tests.payments.pg.cases import AT, edited
from tests.payments.pg.every import CASES
from tests.payments.wire.golden_shop import SENT_BY, effects, golden_shop, raw

pytestmark = pytest.mark.django_db(transaction=True)
UNTOUCHED = (LineState.AWAITING_PAYMENT, 0, PaymentState.PENDING)
PAID = (LineState.PREPARING, 33_000, PaymentState.PAID)
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.pg.name)
FORMS = [nicepay_form_case.CASE, inicis_case.CASE]


def test_a06_the_previous_key_counts_until_it_is_removed(pg_shop):
    shop = golden_shop(pg_shop, portone_case.CASE)
    shop.pay()
    before = effects()
    stranger = portone_case.sent(secret=portone_case.PREVIOUS)
    shop.account.set_secrets(portone_case.SECRET)
    shop.account.save()
    assert shop.send(stranger)[0] == 401
    shop.settle()
    assert effects() == before
    shop.account.set_secrets(portone_case.SECRET, portone_case.PREVIOUS)
    shop.account.save()
    assert shop.send(stranger) == shop.case.ack
    shop.settle()
    assert pg_shop.state(shop.order) == PAID


def test_a07_a_retry_with_a_new_time_and_signature_is_the_same_event(pg_shop):
    shop = golden_shop(pg_shop, portone_case.CASE)
    shop.pay()
    for seconds in (0, 60):
        stamp = str(portone_case.NOW + seconds)
        assert shop.send(portone_case.sent(stamp=stamp), now=AT + timedelta(seconds=seconds)) == shop.case.ack
        shop.settle()
    assert list(PgRequest.objects.order_by("pk").values_list("reason", flat=True)) == ["", "duplicate"]
    assert PgNotice.objects.get().state == NoticeState.PROCESSED
    assert pg_shop.state(shop.order) == PAID
    assert len(effects()["ledger"]) == 1


@pytest.mark.parametrize("order", [("true", "other"), ("true", "settle", "other"), ("other", "true")])
def test_a08_an_event_number_with_another_body_is_parked_and_the_first_goes_on(pg_shop, order):
    shop = golden_shop(pg_shop, portone_case.CASE)
    shop.pay()
    other = portone_case.sent(portone_case.BODY.replace(b'{"type"', b'{"x":1,"type"'))
    sent = {"true": portone_case.F2, "other": other}
    for step in order:
        if step == "settle":
            shop.settle()
            continue
        for _ in range(2):
            assert shop.send(sent[step]) == shop.case.ack
    parked = PgNotice.objects.get(reason="id_reuse")
    assert parked.state == NoticeState.PARKED
    case = MoneyProblem.objects.get()
    assert (case.kind, case.notice) == (ProblemKind.ID_REUSE, parked)
    shop.settle()
    # The first is handled as if the other had never come, and the other moves nothing: it stays where it is.
    assert PgNotice.objects.exclude(pk=parked.pk).get().state == NoticeState.PROCESSED
    assert PgNotice.objects.get(pk=parked.pk).state == NoticeState.PARKED
    assert pg_shop.state(shop.order) == PAID
    assert [won for *_, won in effects()["ledger"]] == [33_000]
    assert MoneyProblem.objects.get().resolved_at is None


def test_a08_a_contradiction_of_a_notice_that_pays_nothing_pays_nothing(pg_shop):
    shop = golden_shop(pg_shop, portone_case.CASE)
    before = effects()
    other = portone_case.sent(portone_case.BODY.replace(b'{"type"', b'{"x":1,"type"'))
    assert [shop.send(one) for one in (portone_case.F2, other)] == [shop.case.ack] * 2
    shop.settle()
    assert PgNotice.objects.get(reason="id_reuse").state == NoticeState.PARKED
    assert effects() | {"problems": []} == before


@pytest.mark.parametrize("case", FORMS, ids=lambda case: case.pg.name)
def test_a16_a_sender_from_no_published_address_is_refused(pg_shop, case):
    shop = golden_shop(pg_shop, case)
    shop.pay()
    before = effects()
    answered = [shop.send(replace(case.authentic, client_ip=ip)) for ip in ("203.0.113.9", "::1", "127.0.0.1")]
    assert answered == [(403, *case.failure)] * 3
    assert set(PgRequest.objects.values_list("status", "reason")) == {(403, "ip_not_allowed")}
    # Only the sandbox may name another address: a live account believes the connection.
    PgAccount.objects.filter(pk=shop.account.pk).update(is_sandbox=False)
    assert shop.send(case.authentic) == (403, *case.failure)
    shop.settle()
    assert (effects(), PgNotice.objects.count()) == (before, 0)


def test_a16_where_addresses_are_checked_a_signature_alone_is_not_enough(pg_shop):
    shop = golden_shop(pg_shop, portone_case.CASE, checks_ip=True, ips=["52.78.5.241"])
    before = effects()
    assert shop.send(portone_case.F2) == (403, *shop.case.failure)
    assert effects() == before
    shop.pay()
    assert shop.send(replace(portone_case.F2, client_ip="52.78.5.241")) == shop.case.ack
    shop.settle()
    assert pg_shop.state(shop.order) == PAID


def test_a18_a_wrong_token_is_told_nothing_and_counted(pg_shop, caplog):
    shop = golden_shop(pg_shop, toss_case.CASE)
    before = effects()
    for token in ("none-of-ours", shop.account.endpoint_token[:-1], shop.account.endpoint_token + "x"):
        status, _, body = raw(pg_shop.url, f"/payments/webhooks/{token}/", toss_case.F1.body, toss_case.F1.headers)
        assert (status, body) == (404, b"")
    PgAccount.objects.filter(pk=shop.account.pk).update(is_active=False)
    assert shop.send(toss_case.F1)[0] == 404
    assert caplog.text.count("a notice for no endpoint") == 4
    assert (effects(), PgRequest.objects.count()) == (before, 0)


@every_case
def test_a19_other_methods_are_refused_and_nothing_is_kept(pg_shop, case):
    shop = golden_shop(pg_shop, case)
    before = effects()
    headers = dict(case.authentic.headers) | {SENT_BY: case.authentic.client_ip}
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        status, _, body = raw(pg_shop.url, shop.path, case.authentic.body, headers, method=method)
        assert (method, status, b"OK" in body) == (method, 405, False)
    assert raw(pg_shop.url, shop.path, b"", {}, method="HEAD")[0] == 200
    assert (effects(), PgRequest.objects.count()) == (before, 0)


@every_case
def test_a20_to_a24_what_must_not_be_read_is_refused_in_the_words_of_the_pg(pg_shop, case):
    shop = golden_shop(pg_shop, case)
    shop.pay()
    before = effects()
    sent = case.authentic
    is_form = "form" in sent.headers["content-type"]
    other = {"content-type": "application/json" if is_form else "application/x-www-form-urlencoded"}
    own = dict(sent.headers) | {SENT_BY: sent.client_ip}
    bomb = b"\x1f\x8b\x08\x00" + b"\x00" * 60_000
    refused = {
        "A20, A21 the other media type": (415, sent.body, own | other),
        "A20 text": (415, sent.body, own | {"content-type": "text/plain"}),
        "no media type": (415, sent.body, {key: own[key] for key in own if key != "content-type"}),
        "A22 65,537 bytes": (413, sent.body + b" " * (65_537 - len(sent.body)), own),
        "A22 a megabyte": (413, b"x" * 1_000_000, own),
        "A24 a bomb": (415, bomb, own | {"Content-Encoding": "gzip"}),
        "A24 any encoding": (415, sent.body, own | {"Content-Encoding": "br"}),
    }
    wrong = {}
    for (name, (status, body, headers)), path in product(refused.items(), (shop.path, shop.path.rstrip("/"))):
        empty_inbox()
        said = raw(pg_shop.url, path, body, headers)
        kept = list(PgRequest.objects.values_list("status", "body"))
        if said != (status, *case.failure) or [(one, bytes(some)) for one, some in kept] != [(status, body[:1024])]:
            wrong[name, path] = (said, [(one, len(some)) for one, some in kept])
    assert wrong == {}
    shop.settle()
    assert (effects(), PgNotice.objects.count()) == (before, 0)


@pytest.mark.processes
def test_a23_a_body_without_end_is_cut_off(pg_shop, processes):
    """By the real server: chunks are read up to the limit and one byte more, whatever else would come."""
    shop = golden_shop(pg_shop, toss_case.CASE)
    before = effects()
    web = processes.start("web").wait_ready()
    connection = http.client.HTTPConnection(web.url.removeprefix("http://"), timeout=20)
    connection.putrequest("POST", shop.path)
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    sent, answer = 0, None
    try:
        while sent < 4_000_000 and answer is None:
            connection.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            sent += 4096
            if sent == 73_728:
                answer = connection.getresponse()
    except (BrokenPipeError, ConnectionResetError):
        answer = connection.getresponse()
    assert answer is not None
    assert (answer.status, answer.read()) == (413, b"FAIL")
    connection.close()
    kept = PgRequest.objects.get()
    assert (kept.status, kept.size, len(kept.body)) == (413, 65_537, 1024)
    assert effects() == before


@pytest.mark.processes
def test_a_chunked_notice_of_the_right_size_pays(pg_shop, processes):
    shop = golden_shop(pg_shop, toss_case.CASE)
    shop.pay()
    web = processes.start("web").wait_ready()
    connection = http.client.HTTPConnection(web.url.removeprefix("http://"), timeout=20)
    body = [toss_case.F1.body[:50], toss_case.F1.body[50:]]
    connection.request("POST", shop.path, iter(body), {"Content-Type": "application/json"}, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    shop.settle()
    assert pg_shop.state(shop.order) == PAID


@every_case
def test_a25_the_address_without_its_last_slash_pays_too(pg_shop, case):
    shop = golden_shop(pg_shop, case)
    path, sent = shop.path.rstrip("/"), case.authentic
    shop.pay()
    if case.resign:
        stamp = str(int(timezone.now().timestamp()))
        sent = replace(sent, headers={**sent.headers, **case.resign(sent.body, stamp=stamp)})
    assert raw(pg_shop.url, path, sent.body, dict(sent.headers) | {SENT_BY: sent.client_ip}) == case.ack
    shop.settle()
    assert pg_shop.state(shop.order) == PAID


@pytest.mark.parametrize("case", FORMS, ids=lambda case: case.pg.name)
def test_a26_the_charset_of_the_content_type_does_not_matter(pg_shop, case):
    shop = golden_shop(pg_shop, case)
    for charset in ("EUC-KR", "cp949", "no-such-charset"):
        shop.pay()
        headers = {**case.authentic.headers, "content-type": f"application/x-www-form-urlencoded; charset={charset}"}
        assert shop.send(replace(case.authentic, headers=headers)) == case.ack, charset
        shop.settle()
        assert pg_shop.state(shop.order) == PAID
        assert PgNotice.objects.get().depositor == "홍길동"
        shop.take_back()


@pytest.mark.parametrize("case", FORMS, ids=lambda case: case.pg.name)
def test_a27_a28_the_depositor_is_read_whatever_the_account_says(pg_shop, case):
    shop = golden_shop(pg_shop, case)
    for charset, request in product(("cp949", "utf-8"), (case.authentic, case.tolerated["A28 UTF-8"])):
        PgAccount.objects.filter(pk=shop.account.pk).update(charset=charset)
        shop.pay()
        assert shop.send(request) == case.ack
        shop.settle()
        assert PgNotice.objects.get().depositor == "홍길동"
        assert pg_shop.state(shop.order) == PAID
        shop.take_back()


def test_a36_a_nul_is_taken_out_of_the_fields_and_kept_in_the_raw_body(pg_shop):
    shop = golden_shop(pg_shop, nicepay_case.CASE)
    shop.pay()
    assert shop.send(nicepay_case.CASE.tolerated["A36 NUL"]) == shop.case.ack
    shop.settle()
    assert pg_shop.state(shop.order) == PAID
    assert PgNotice.objects.get().fields["buyerName"] == "홍길동"
    assert b"\\u0000" in bytes(PgRequest.objects.get().body)


def test_a38_an_unknown_event_is_acknowledged_and_ignored_extra_fields_change_nothing(pg_shop):
    shop = golden_shop(pg_shop, portone_case.CASE)
    shop.pay()
    before = effects()
    assert shop.send(portone_case._typed("Foo")) == shop.case.ack
    shop.settle()
    notice = PgNotice.objects.get()
    assert (notice.state, notice.reason) == (NoticeState.IGNORED, "of_no_meaning")
    assert effects() == before
    shop.empty_inbox()
    assert shop.send(portone_case.CASE.tolerated["A38 extra fields"]) == shop.case.ack
    shop.settle()
    assert pg_shop.state(shop.order) == PAID


def test_a46_another_currency_waits_for_a_person(pg_shop):
    shop = golden_shop(pg_shop, nicepay_case.CASE)
    shop.pay()
    assert shop.send(nicepay_case.CASE.tolerated["A46 dollars"]) == shop.case.ack
    shop.settle()
    notice = PgNotice.objects.get()
    assert (notice.state, notice.reason) == (NoticeState.PARKED, "currency")
    assert pg_shop.state(shop.order) == UNTOUCHED
    assert MoneyProblem.objects.get().kind == ProblemKind.CURRENCY


def test_a47_an_uncleared_cheque_waits_for_a_person(pg_shop, staff):
    shop = golden_shop(pg_shop, inicis_case.CASE)
    shop.pay()
    assert shop.send(edited(inicis_case.F5, b"amt_check=0", b"amt_check=1")) == shop.case.ack
    shop.settle()
    notice = PgNotice.objects.get()
    assert (notice.state, notice.reason) == (NoticeState.PARKED, "uncleared_cheque")
    assert pg_shop.state(shop.order) == UNTOUCHED
    problem = MoneyProblem.objects.get()
    assert (problem.kind, problem.amount) == (ProblemKind.UNCLEARED_CHEQUE, 33_000)
    assert (problem.order, problem.payment) == (shop.order, Payment.objects.get())
    # The PG counts it as paid: neither the next question nor another notice makes money of it.
    before = effects()
    [answer] = fetching.fetch(list(Payment.objects.select_related("account"))).values()
    assert answer.snapshot.deposits
    [verdict] = draining.apply_each([answer], at=timezone.now()).values()
    assert (verdict.state, verdict.reason) == (NoticeState.PARKED, "uncleared_cheque")
    assert shop.send(inicis_case.F5) == shop.case.ack
    shop.settle()
    assert effects() == before
    facts = {"actor": staff, "at": timezone.now(), "reason": "은행에서 결제 확인"}
    assert resolving.close(problem_ids=[problem.pk], **facts).refused == {}
    shop.settle()
    assert pg_shop.state(shop.order) == PAID
    assert [won for *_, won in effects()["ledger"]] == [33_000]


@every_case
def test_a66_a_payment_that_the_pg_does_not_know_is_no_payment(pg_shop, case):
    shop = golden_shop(pg_shop, case)
    pg_shop.pgs.control("reset")
    before = effects()
    assert shop.send(case.authentic) == case.ack
    drains.run_all()
    notice = PgNotice.objects.get()
    # What the PG has signed waits for another answer; what anybody could have sent is dropped.
    state = NoticeState.RETRY if notice.is_proven else NoticeState.REJECTED
    assert (notice.state, notice.reason) == (state, "not_at_pg")
    assert effects() == before


@every_case
def test_a70_no_failure_of_any_kind_says_ok(pg_shop, case, monkeypatch):
    """Not even one of our own: an error page of Django has many words in it."""
    shop = golden_shop(pg_shop, case)
    before = effects()
    monkeypatch.setattr("payments.services.notices.receiving._kept", lambda headers: json.loads("no JSON"))
    answers = [raw(pg_shop.url, shop.path, body, {"Content-Type": kind}, method=method) for method, body, kind in (
        ("POST", case.authentic.body, case.authentic.headers["content-type"]), ("POST", b"", ""), ("GET", b"", ""),
    )]  # fmt: skip
    for path in ("/payments/webhooks/x/", "/payments/webhooks/", f"{shop.path}more/"):
        answers.append(raw(pg_shop.url, path, case.authentic.body, dict(case.authentic.headers)))
    assert {status for status, _, _ in answers} <= {400, 401, 403, 404, 405, 415, 500}
    assert not any(b"OK" in body or b"0000" in body for _, _, body in answers), answers
    assert max(len(body) for _, _, body in answers) < 100, answers
    assert effects() == before
