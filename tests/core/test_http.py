"""The outgoing client against real sockets: answers, limits, deadlines, kept connections."""

import gzip
import json
import os
import socket
import threading
import time

import pytest

from core.http import BadResponse, Client, HttpProblem, Timeout, TooLarge, Unreachable
from tests.fixtures.http_server import Answer, local, reply, sending


def test_a_request_carries_method_path_query_headers_and_json(serve):
    server = serve(sending(reply('{"ok":true,"이름":"값"}'.encode(), "201 Created", "X-Trace: 7")))
    client = Client(f"http://127.0.0.1:{server.port}/v1/", allow_loopback=True, headers={"Authorization": "Bearer k"})
    response = client.request("post", "/주문/1", params={"a": "1 2", "b": 3}, json={"금액": 12300})
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/%EC%A3%BC%EB%AC%B8/1?a=1+2&b=3 HTTP/1.1\r\n")
    assert b"Authorization: Bearer k" in head
    assert f"Host: 127.0.0.1:{server.port}".encode() in head
    assert b"Content-Type: application/json" in head
    assert json.loads(body) == {"금액": 12300}
    assert response.status == 201
    assert response.headers["x-trace"] == "7"
    assert response.json() == {"ok": True, "이름": "값"}


def test_form_fields_and_raw_bytes_are_sent_as_they_are(serve):
    server = serve(sending(reply(b"SUCCESS")))
    client = local(server)
    assert client.request("POST", "/f", fields={"name": "김 하은", "n": 2}).text() == "SUCCESS"
    client.request("POST", "/b", body=b"\x00\xff")
    assert server.requests[0].endswith(b"name=%EA%B9%80+%ED%95%98%EC%9D%80&n=2")
    assert server.requests[1].endswith(b"\r\n\r\n\x00\xff")


def test_connections_are_kept_open_and_shared_between_threads(serve):
    server = serve(sending(reply(b"x")))
    client = local(server, connections=4)
    for _ in range(5):
        client.request("GET", "/")
    assert server.accepted == 1
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda: results.extend(client.request("GET", "/").status for _ in range(10)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [200] * 40
    assert server.accepted <= 4


def test_a_redirect_to_the_metadata_address_is_returned_and_not_followed(serve):
    target = "Location: http://169.254.169.254/latest/meta-data/"
    server = serve(sending(reply(b"", "302 Found", target)))
    response = local(server).request("GET", "/")
    assert response.status == 302
    assert len(server.requests) == 1


def test_a_slow_drip_of_the_body_ends_at_the_total_deadline(serve):
    def drip(connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.05)

    started = time.monotonic()
    with pytest.raises(Timeout) as caught:
        local(serve(drip), timeout=(1, 0.5)).request("GET", "/")
    assert caught.value.sent
    assert time.monotonic() - started < 8


def test_a_slow_drip_of_the_head_ends_at_the_total_deadline(serve):
    def drip(connection: socket.socket, request: bytes) -> None:
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 50:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)

    started = time.monotonic()
    with pytest.raises(Timeout):
        local(serve(drip), timeout=(1, 0.5)).request("GET", "/")
    assert time.monotonic() - started < 8


def test_a_server_that_never_answers_times_out_and_the_next_request_works(serve):
    calls: list[int] = []

    def first_hangs(connection: socket.socket, request: bytes) -> None:
        calls.append(1)
        if len(calls) == 1:
            time.sleep(5)
        connection.sendall(reply(b"ok"))

    client = local(serve(first_hangs), timeout=(5, 30))
    with pytest.raises(Timeout):
        client.request("POST", "/", timeout=(5, 0.3))
    assert client.request("POST", "/").body == b"ok"


def test_a_listener_that_never_accepts_times_out(monkeypatch):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        filler = [socket.socket() for _ in range(4)]
        for waiting in filler:
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        started = time.monotonic()
        with pytest.raises(Timeout):
            Client(f"http://127.0.0.1:{port}", allow_loopback=True, timeout=(0.4, 0.4)).request("GET", "/")
        assert time.monotonic() - started < 8
        for waiting in filler:
            waiting.close()


def test_a_body_of_ten_megabytes_is_too_large_and_is_not_read_to_its_end(serve):
    sent: list[int] = []

    def flood(connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n")
        for _ in range(160):
            connection.sendall(b"x" * 65_536)
            sent.append(65_536)

    with pytest.raises(TooLarge):
        local(serve(flood)).request("GET", "/")
    assert sum(sent) < 10_485_760


def test_a_body_of_exactly_the_cap_is_read(serve):
    assert len(local(serve(sending(reply(b"x" * 2**20)))).request("GET", "/").body) == 2**20


def test_an_endless_chunked_body_is_too_large(serve):
    def flood(connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")

    with pytest.raises(TooLarge):
        local(serve(flood)).request("GET", "/")


def test_gzip_is_unpacked_and_a_gzip_bomb_is_too_large(serve):
    packed = gzip.compress("운송장".encode())
    assert local(serve(sending(reply(packed + packed, "200 OK", "Content-Encoding: gzip")))).request(
        "GET", "/"
    ).text() == ("운송장운송장")
    bomb = gzip.compress(b"\0" * 100_000_000)
    assert len(bomb) < 2**20
    with pytest.raises(TooLarge):
        local(serve(sending(reply(bomb, "200 OK", "Content-Encoding: gzip")))).request("GET", "/")


@pytest.mark.parametrize(
    "data",
    [
        reply(b"not gzip", "200 OK", "Content-Encoding: gzip"),
        reply(gzip.compress(b"x" * 1000)[:-6], "200 OK", "Content-Encoding: gzip"),
        reply(b"?", "200 OK", "Content-Encoding: br"),
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n",
    ],
    ids=["no gzip", "cut gzip", "brotli", "ssh", "bad chunk", "many headers", "long header"],
)
def test_garbage_is_a_bad_response(serve, data):
    def answer(connection: socket.socket, request: bytes) -> None:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_RDWR)

    with pytest.raises(BadResponse):
        local(serve(answer), timeout=(1, 2)).request("POST", "/")


def test_a_connection_closed_in_the_middle_of_the_body_is_a_bad_response(serve):
    def cut(connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        connection.shutdown(socket.SHUT_RDWR)

    server = serve(cut)
    with pytest.raises(BadResponse) as caught:
        local(server).request("GET", "/")
    assert caught.value.sent
    assert len(server.requests) == 1


def test_json_that_is_none_is_a_bad_response(serve):
    response = local(serve(sending(reply(b"<html>")))).request("GET", "/")
    with pytest.raises(BadResponse):
        response.json()


def _closing_every_second_time(requests: list[bytes]) -> Answer:
    def answer(connection: socket.socket, request: bytes) -> None:
        requests.append(request)
        if len(requests) == 2:
            connection.shutdown(socket.SHUT_RDWR)
        else:
            connection.sendall(reply(b"ok"))

    return answer


def test_a_get_on_a_dead_kept_connection_is_sent_again_once(serve):
    requests: list[bytes] = []
    client = local(serve(_closing_every_second_time(requests)))
    assert client.request("GET", "/1").body == b"ok"
    assert client.request("GET", "/2").body == b"ok"
    assert len(requests) == 3


def test_a_post_is_never_sent_twice(serve):
    requests: list[bytes] = []
    client = local(serve(_closing_every_second_time(requests)))
    client.request("POST", "/1", json={})
    with pytest.raises(BadResponse) as caught:
        client.request("POST", "/2", json={})
    assert caught.value.sent
    assert len(requests) == 2


def test_a_post_that_changes_nothing_there_is_sent_again_on_a_dead_kept_connection(serve):
    requests: list[bytes] = []
    client = local(serve(_closing_every_second_time(requests)))
    client.request("POST", "/1", json={})
    assert client.request("POST", "/2", json={}, is_repeatable=True).body == b"ok"
    assert len(requests) == 3


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_new_connection_that_is_closed_at_once_is_not_asked_again(serve, method):
    """A service that is down closes every connection: asking twice would double what it must bear."""
    requests: list[bytes] = []

    def close(connection: socket.socket, request: bytes) -> None:
        requests.append(request)
        connection.shutdown(socket.SHUT_RDWR)

    with pytest.raises(BadResponse):
        local(serve(close)).request(method, "/", is_repeatable=True)
    assert len(requests) == 1


def test_a_closed_port_is_unreachable_and_nothing_was_sent():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable) as caught:
        Client(f"http://127.0.0.1:{port}", allow_loopback=True).request("GET", "/")
    assert not caught.value.sent


def test_a_name_without_address_is_unreachable():
    def nowhere(*args: object, **options: object) -> list[tuple[object, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(Unreachable) as caught:
        Client("https://courier.invalid", resolve=nowhere).request("GET", "/")
    assert not caught.value.sent


@pytest.mark.parametrize("path", ["", "x", "//evil.example/", "http://evil.example/"])
def test_a_path_cannot_leave_the_host(serve, path):
    server = serve(sending(reply(b"")))
    with pytest.raises(ValueError, match="path"):
        local(server).request("GET", path)
    assert server.accepted == 0


def test_line_breaks_cannot_add_headers_or_requests(serve):
    server = serve(sending(reply(b"")))
    client = local(server)
    with pytest.raises(HttpProblem) as caught:
        client.request("GET", "/", headers={"X-Key": "secret\r\nX-Evil: 1"})
    assert not caught.value.sent
    assert "secret" not in str(caught.value)
    client.request("GET", "/a\r\nX-Evil: 1")
    assert server.requests[0].startswith(b"GET /a%0D%0AX-Evil:%201 HTTP/1.1\r\n")
    assert len(server.requests) == 1


def test_proxies_of_the_environment_are_ignored(serve, monkeypatch):
    server = serve(sending(reply(b"direct")))
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert local(server).request("GET", "/").body == b"direct"


def test_a_forked_worker_opens_its_own_connection(serve):
    server = serve(sending(reply(b"ok")))
    client = local(server)
    client.request("GET", "/")
    client._process = os.getpid() + 1
    client.request("GET", "/")
    assert server.accepted == 2
