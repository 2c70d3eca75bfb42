"""접속지 behind proxies: only ours are believed, and of what they say only what they wrote themselves."""

import http.client
import os
import subprocess
import sys

import pytest
from django.test import RequestFactory

from accounts.clients import address_of, peer_of
from accounts.middleware import ProxyMiddleware
from core.networks import networks
from payments.models import PgNotice, PgRequest
from tests.payments.pg import inicis_case
from tests.payments.wire.golden_shop import effects, golden_shop

OURS = "10.0.0.0/8, 2001:db8::/32, 192.0.2.7"
PG = "203.238.37.15"


def asked(peer, forwarded=None, **extra):
    headers = {"x-forwarded-for": forwarded} if forwarded is not None else {}
    return RequestFactory().get("/", headers=headers | extra, REMOTE_ADDR=peer)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", PG, "203.0.113.9"),
        ("203.0.113.9", f"{PG}, 10.0.0.1", "203.0.113.9"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", PG, PG),
        ("10.0.0.1", f"{PG}, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", f"{PG}, 192.0.2.7", PG),
        ("10.0.0.1", f"1.1.1.1, {PG}, 192.0.2.7, 10.3.2.1", PG),
        ("10.0.0.1", f"1.1.1.1, 10.0.0.9, {PG}, 192.0.2.7", PG),
        ("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2"),
        ("::ffff:10.0.0.1", PG, PG),
        ("2001:db8::1", "2001:dead::5", "2001:dead::5"),
        ("10.0.0.1", f"{PG}, nonsense", None),
        ("10.0.0.1", f"nonsense, {PG}", PG),
        ("", PG, None),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_no_proxy_of_ours(settings, peer, forwarded, client):
    settings.TRUSTED_PROXIES = networks(OURS)
    assert address_of(asked(peer, forwarded)) == client


def test_without_proxies_of_ours_nobody_is_believed(settings):
    assert settings.TRUSTED_PROXIES == ()
    request = asked("127.0.0.1", PG)
    assert (address_of(request), peer_of(request)) == ("127.0.0.1", "127.0.0.1")


@pytest.mark.parametrize(("peer", "is_secure"), [("10.0.0.1", True), ("203.0.113.9", False)])
def test_https_is_believed_of_our_own_proxies_only(settings, peer, is_secure):
    settings.TRUSTED_PROXIES = networks(OURS)
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    request = asked(peer, None, **{"x-forwarded-proto": "https"})
    ProxyMiddleware(lambda request: None)(request)
    assert request.is_secure() == is_secure


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("ours", "forwarded", "status"),
    [
        ("127.0.0.1", f"{PG}, 192.0.2.7", 403),
        ("127.0.0.1, 192.0.2.7", f"{PG}, 192.0.2.7", 200),
        ("127.0.0.1, 192.0.2.7", f"{PG}, 198.51.100.1", 403),
        ("192.0.2.7", PG, 403),
    ],
)
def test_a_notice_comes_from_the_pg_through_two_proxies_and_from_nobody_else(
    pg_shop, settings, ours, forwarded, status
):
    settings.TRUSTED_PROXIES = networks(ours)
    shop = golden_shop(pg_shop, inicis_case.CASE, checks_ip=True, is_sandbox=False)
    before = effects()
    line = http.client.HTTPConnection(pg_shop.url.removeprefix("http://"), timeout=20)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-For": forwarded}
    line.request("POST", shop.path, inicis_case.F5.body, headers)
    assert line.getresponse().status == status
    line.close()
    kept = PgRequest.objects.get()
    assert kept.peer_ip == "127.0.0.1"
    assert (kept.client_ip == PG) == (status == 200)
    assert PgNotice.objects.exists() == (status == 200)
    assert effects() == before


def test_the_list_is_read_out_of_the_environment():
    code = "from oms import settings as s; print(s.TRUSTED_PROXIES, s.SECURE_PROXY_SSL_HEADER)"
    env = {"PATH": os.environ["PATH"], "OMS_ENV": "test", "OMS_TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.7"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "10.0.0.0/8" in done.stdout
    assert "HTTP_X_FORWARDED_PROTO" in done.stdout
