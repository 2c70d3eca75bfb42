"""Where the outgoing client goes and where it does not: addresses, names that change, TLS."""

import ipaddress
import shutil
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from core.connections import is_allowed
from core.http import Client, Refused, Timeout, Unreachable
from tests.fixtures.http_server import reply, sending


def test_loopback_is_refused_unless_allowed_and_nothing_reaches_the_server(serve):
    server = serve(sending(reply(b"secret")))
    for host in ("localhost", "127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"):
        with pytest.raises(Refused) as caught:
            Client(f"https://{host}:{server.port}").request("GET", "/")
        assert not caught.value.sent
    assert server.accepted == 0


def test_with_loopback_allowed_only_loopback_is(serve):
    def to_the_world(host: str, port: int, **options: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("203.0.114.9", port))]

    with pytest.raises(Refused) as caught:
        Client("http://shop.example", allow_loopback=True, resolve=to_the_world).request("GET", "/")
    assert caught.value.address == "203.0.114.9"


def test_a_name_that_changes_its_address_is_checked_at_each_connection(serve):
    server = serve(sending(reply(b"inner")))
    public = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", server.port))
    inner = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))
    answers = [[inner], [public, inner]]
    asked: list[str] = []

    def rebinding(host: str, port: int, **options: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return answers.pop(0)

    client = Client(f"https://courier.example:{server.port}", resolve=rebinding)
    for _ in range(2):
        with pytest.raises(Refused):
            client.request("GET", "/")
    assert asked == ["courier.example"] * 2
    assert server.accepted == 0


def test_the_name_is_resolved_once_per_connection_and_the_checked_address_is_used(serve):
    server = serve(sending(reply(b"ok")))
    asked: list[str] = []

    def once(host: str, port: int, **options: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    client = Client(f"http://sandbox.example:{server.port}", allow_loopback=True, resolve=once)
    client.request("GET", "/")
    client.request("GET", "/")
    assert asked == ["sandbox.example"]
    assert f"Host: sandbox.example:{server.port}".encode() in server.requests[0]


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "172.16.5.4", "192.168.0.1", "169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192",
        "0.0.0.0", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1", "::", "::1",
        "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "::ffff:10.0.0.1", "::127.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_inner_addresses_are_refused(address):
    assert not is_allowed(ipaddress.ip_address(address), allow_loopback=False)


@pytest.mark.parametrize("address", ["8.8.8.8", "211.115.106.1", "2606:4700::1", "2001:4860:4860::8888"])
def test_public_addresses_are_allowed_and_not_as_loopback(address):
    assert is_allowed(ipaddress.ip_address(address), allow_loopback=False)
    assert not is_allowed(ipaddress.ip_address(address), allow_loopback=True)


@pytest.mark.parametrize(
    "url",
    ["http://pg.example", "ftp://pg.example", "https://user:pw@pg.example", "https://", "//pg.example", "https://a:99999",
     "https://pg.example/?a=1", "https://pg.example/#x", "file:///etc/passwd", "https://" + "a" * 70 + ".kr"],
)  # fmt: skip
def test_unfit_urls_are_refused_and_a_password_is_not_repeated(url):
    with pytest.raises(Refused) as caught:
        Client(url)
    assert "pw" not in str(caught.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[str, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("courier.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return str(folder / "cert.pem"), context


def _to_loopback(host: str, port: int, **options: object) -> list[tuple[object, ...]]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


def test_tls_keeps_the_name_of_the_url_while_connecting_to_the_checked_address(serve, certificate):
    ca_file, context = certificate
    names: list[str | None] = []
    context.sni_callback = lambda connection, name, _: names.append(name)
    server = serve(sending(reply(b"ok")), context=context)
    client = Client(
        f"https://courier.example:{server.port}", allow_loopback=True, ca_file=ca_file, resolve=_to_loopback
    )
    assert client.request("GET", "/").body == b"ok"
    assert names == ["courier.example"]


def test_tls_refuses_another_name_and_an_unknown_authority(serve, certificate):
    ca_file, context = certificate
    server = serve(sending(reply(b"ok")), context=context)
    for url, authority in (("https://other.example", ca_file), ("https://courier.example", None)):
        client = Client(f"{url}:{server.port}", allow_loopback=True, ca_file=authority, resolve=_to_loopback)
        with pytest.raises(Unreachable) as caught:
            client.request("POST", "/", json={})
        assert not caught.value.sent
    assert server.requests == []


def test_the_authorities_are_read_once_by_a_process_whichever_client_asks(serve, certificate, monkeypatch, tmp_path):
    ca_file, context = certificate
    server = serve(sending(reply(b"ok")), context=context)
    read: list[str | None] = []
    load = ssl.create_default_context

    def counted(**given: str | None) -> ssl.SSLContext:
        read.append(given["cafile"])
        return load(**given)

    monkeypatch.setattr(ssl, "create_default_context", counted)
    new = shutil.copy(ca_file, tmp_path / "new.pem")
    for _ in range(3):
        url = f"https://courier.example:{server.port}"
        client = Client(url, allow_loopback=True, ca_file=str(new), resolve=_to_loopback)
        assert client.request("GET", "/").body == b"ok"
        client.close()
        assert client.request("GET", "/").body == b"ok"
    assert read == [str(new)]


def test_a_slow_drip_under_tls_ends_at_the_total_deadline(serve, certificate):
    ca_file, context = certificate

    def drip(connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.05)

    server = serve(drip, context=context)
    client = Client(
        f"https://courier.example:{server.port}",
        allow_loopback=True,
        ca_file=ca_file,
        resolve=_to_loopback,
        timeout=(2, 0.5),
    )
    started = time.monotonic()
    with pytest.raises(Timeout):
        client.request("GET", "/")
    assert time.monotonic() - started < 8


def test_a_handshake_that_never_comes_times_out_and_nothing_was_sent(certificate):
    ca_file, _ = certificate
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        client = Client(
            f"https://courier.example:{port}",
            allow_loopback=True,
            ca_file=ca_file,
            resolve=_to_loopback,
            timeout=(0.4, 5),
        )
        with pytest.raises(Timeout) as caught:
            client.request("POST", "/", json={})
        assert not caught.value.sent
