"""A member of staff with one kept connection: logs in, asks, presses buttons."""

import gzip
import http.client
import re
import time
import urllib.parse
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass(frozen=True)
class Answer:
    """Status, text and how long it took, in milliseconds."""

    status: int
    body: bytes
    ms: float
    location: str

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class Staff:
    """One person at one browser."""

    def __init__(self, url: str, *, name: str = "owner", password: str = "demo") -> None:
        self.host = urllib.parse.urlsplit(url).netloc
        self.cookies: dict[str, str] = {}
        self.connection = http.client.HTTPConnection(self.host, timeout=300)
        page = self.get("/login/")
        token = _TOKEN.search(page.text)
        answer = self.post("/login/", {"username": name, "password": password}, token=token[1] if token else "")
        if answer.status != 302:
            raise SystemExit(f"Log-in failed: HTTP {answer.status}")

    def get(self, path: str, *, htmx: str = "") -> Answer:
        """GET; `htmx` names the target that a fragment is asked for."""
        return self._send("GET", path, None, {"HX-Request": "true", "HX-Target": htmx} if htmx else {})

    def post(self, path: str, fields: dict[str, Any], *, token: str = "", htmx: str = "") -> Answer:
        """POST of a form."""
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-CSRFToken": token or self.cookies.get("csrftoken", ""),
        }
        if htmx:
            headers |= {"HX-Request": "true", "HX-Target": htmx}
        return self._send("POST", path, urllib.parse.urlencode(fields, doseq=True).encode(), headers)

    def upload(self, path: str, *, name: str, content: bytes, fields: dict[str, str] | None = None) -> Answer:
        """POST of a form with one file in the field `file`."""
        mark = "----bench-boundary-7d1f"
        parts = [f'--{mark}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
                 for key, value in (fields or {}).items()]  # fmt: skip
        head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        parts += [f"{head}Content-Type: application/octet-stream\r\n\r\n".encode(), content, b"\r\n"]
        body = b"".join(parts) + f"--{mark}--\r\n".encode()
        headers = {
            "Content-Type": f"multipart/form-data; boundary={mark}",
            "X-CSRFToken": self.cookies.get("csrftoken", ""),
        }
        return self._send("POST", path, body, headers)

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        sent = {"Accept-Encoding": "gzip", "Host": self.host, "Referer": f"http://{self.host}/", **headers}
        sent["Cookie"] = "; ".join(f"{key}={value}" for key, value in self.cookies.items())
        started = time.perf_counter()
        try:
            self.connection.request(method, path, body, sent)
            response = self.connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # A kept connection that the server has closed meanwhile.
            self.connection.close()
            started = time.perf_counter()
            self.connection.request(method, path, body, sent)
            response = self.connection.getresponse()
        content = response.read()
        elapsed = (time.perf_counter() - started) * 1000
        if response.headers.get("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        for line in response.headers.get_all("Set-Cookie") or []:
            for key, morsel in SimpleCookie(line).items():
                self.cookies[key] = morsel.value
        return Answer(response.status, content, elapsed, response.headers.get("Location", ""))
