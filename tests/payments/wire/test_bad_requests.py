"""Requests that are no notices at all, over a real socket: no error of ours and no page, and a PG gets no redirect."""

import http.client
import logging
import socket
from urllib.parse import urlsplit

import pytest

from payments.models import PgAccount, PgNotice, PgRequest
from tests.payments.pg import inicis_case, toss_case
from tests.payments.wire.golden_shop import SENT_BY, effects, golden_shop, raw

pytestmark = pytest.mark.django_db(transaction=True)
FOLDERS = ("webhooks", "bank-feed")
FAIL = b"FAIL"


@pytest.fixture
def shop(pg_shop):
    return golden_shop(pg_shop, toss_case.CASE)


def errors(caplog):
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]


def sent(url, path, chunks):
    """Status and body of the answer to a chunked body of just these bytes, after which the sender is mute."""
    parts = urlsplit(url)
    head = [f"POST {path} HTTP/1.1", f"Host: {parts.netloc}", "Content-Type: application/json"]
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as line:
        line.sendall("\r\n".join([*head, "Transfer-Encoding: chunked", "", ""]).encode() + chunks)
        line.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(line)
        answer.begin()
        return answer.status, answer.read()


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("method", ["POST", "GET", "HEAD"])
@pytest.mark.parametrize("token", ["%00", "a%00b", "%0A", "%FF%FE", "%ED%A0%80"])
def test_a_token_that_no_database_can_hold_is_nobody(pg_shop, shop, caplog, folder, method, token):
    for path in (f"/payments/{folder}/{token}/", f"/payments/{folder}/{token}"):
        assert raw(pg_shop.url, path, b"{}", {"Content-Type": "application/json"}, method=method)[0] == 404
    assert errors(caplog) == []


@pytest.mark.parametrize("path", [f"/payments/{folder}{end}" for folder in FOLDERS for end in ("", "/", "//", "/a/b/")])
def test_an_address_without_a_token_is_answered_no_page(pg_shop, path):
    said = raw(pg_shop.url, path, b"{}", {"Content-Type": "application/json"})
    assert said == (404, "text/plain", FAIL)


@pytest.mark.parametrize("given", ["not-an-ip", "", "203.0.113.9.1", "1.2.3.4, 5.6.7.8", "::zz", "127.0.0.1/8"])
def test_a_sandbox_that_names_no_address_came_from_where_its_line_ends(pg_shop, shop, given):
    shop.pay()
    assert shop.send(toss_case.F1, **{SENT_BY: given}) == shop.case.ack
    assert PgRequest.objects.get().client_ip == "127.0.0.1"
    shop.settle()
    assert pg_shop.state(shop.order)[1] == 33_000


def test_a_name_that_is_no_address_opens_no_list_of_addresses(pg_shop):
    shop = golden_shop(pg_shop, inicis_case.CASE)
    assert shop.send(inicis_case.F5, **{SENT_BY: "not-an-ip"})[0] == 403
    assert not PgNotice.objects.exists()


@pytest.mark.processes
def test_a_body_that_is_none_is_refused_without_an_error_of_ours(shop, processes):
    feed = PgAccount(code="payaction", name="x", provider="payaction", merchant_id="mall-1", base_url="https://x")
    feed.set_secrets("wh-key")
    feed.save()
    before = effects()
    web = processes.start("web").wait_ready()
    cut, odd = [b"10\r\n{}", b"2\r\n{}\r\n", b""], [b"zz\r\n", b"-1\r\n", b"2\r\n{}xx\r\n0\r\n\r\n"]
    trailer = b"2\r\n{}\r\n0\r\n\x00: x\r\n\r\n"
    for path in (shop.path, f"/payments/bank-feed/{feed.endpoint_token}/"):
        # A token that is remembered is served by another way than one that comes first.
        for broken in [*cut, *odd, trailer] * 2:
            assert sent(web.url, path, broken) == (400, FAIL), (path, broken)
    assert sent(web.url, "/payments/webhooks/nobody/", b"zz\r\n")[0] == 404
    assert "a notice without a body that can be read" in web.log()
    assert not [line for line in web.log().splitlines() if "ERROR" in line or "Traceback" in line], web.log()
    assert (effects(), PgRequest.objects.count()) == (before, 0)


@pytest.mark.parametrize("folder", FOLDERS)
def test_plain_http_is_refused_where_pages_are_redirected(pg_shop, shop, settings, folder):
    settings.SECURE_SSL_REDIRECT = True
    token = shop.account.endpoint_token
    sender = dict(toss_case.F1.headers)
    for end in (f"/{token}/", f"/{token}", "/", ""):
        assert raw(pg_shop.url, f"/payments/{folder}{end}", toss_case.F1.body, sender) == (403, "text/plain", FAIL), end
    assert not PgRequest.objects.exists()


def test_a_proxy_of_ours_says_that_the_line_was_https(client, shop, settings):
    settings.SECURE_SSL_REDIRECT = True
    answer = client.post(shop.path, toss_case.F1.body, content_type="application/json", secure=True)
    assert answer.status_code == 200
    assert client.get("/orders/").status_code == 301
