"""Twin of Solapi on loopback: python -m sandbox.solapi --port 4200 [--key K --secret S] [--state FILE].

POST /messages/v4/send-many/detail as Solapi documents it, with its HMAC of date and salt: a wrong signature, a date
more than 15 minutes off or a salt that came before is refused. A message with kakaoOptions (pfId, templateId,
variables, disableSms) is 알림톡. GET /control/messages lists what was taken; POST /control/faults {kind:
refuse|status|drop|number, after_work, times} arranges what goes wrong; POST /control/templates {templateId, pfId,
content} registers an approved template (with none registered any is taken, and its values are shown instead of its
text); POST /control/absent {numbers} says who has no KakaoTalk; POST /control/reset.
The page at / shows what a buyer would read on the phone. With --state the messages survive a kill.
"""

import argparse
import hashlib
import hmac
import json
import re
import signal
import sqlite3
import sys
import threading
import uuid
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sandbox.solapi_kakao import KakaoTalk
from sandbox.solapi_page import shown

HOST = "127.0.0.1"
DEMO_KEY, DEMO_SECRET = "NCSDEMO000000000", "DEMOSECRET0000000000000000000000"  # noqa: S105 - of nobody's account
SEND = "/messages/v4/send-many/detail"
NUMBER = re.compile(r"0\d{7,11}")
_AUTH = re.compile(r"HMAC-SHA256 apiKey=([^,]+), date=([^,]+), salt=([^,]+), signature=([0-9a-f]{64})", re.IGNORECASE)


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


class Solapi(ThreadingHTTPServer):
    """The account, what it has sent, and what is to go wrong."""

    daemon_threads = True

    def __init__(self, port: int, *, key: str, secret: str, state: Path | None = None) -> None:
        super().__init__((HOST, port), Handler)
        self.key, self.secret = key, secret
        self.lock = threading.Lock()
        self.salts: set[str] = set()
        self.faults: list[dict[str, Any]] = []
        self.kakao = KakaoTalk()
        self._books = sqlite3.connect(state or ":memory:", check_same_thread=False, isolation_level=None)
        self._books.execute("CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY, facts TEXT NOT NULL)")

    def reset(self) -> None:
        """Nothing sent, nothing wrong."""
        with self.lock:
            self.salts, self.faults = set(), []
            self.kakao = KakaoTalk()
            self._books.execute("DELETE FROM message")

    def messages(self) -> list[dict[str, Any]]:
        """What was sent, the oldest first."""
        with self.lock:
            rows = self._books.execute("SELECT facts FROM message ORDER BY id").fetchall()
        return [json.loads(facts) for (facts,) in rows]

    def check(self, header: str) -> None:
        """Raise Refusal for a request that is not of the account."""
        found = _AUTH.fullmatch(header)
        if found is None:
            raise Refusal(400, "InvalidAuthHeader", "인증 헤더가 올바르지 않습니다.")
        key, date, salt, signature = found.groups()
        try:
            moment = datetime.fromisoformat(date)
        except ValueError:
            raise Refusal(400, "InvalidDate", "date가 올바르지 않습니다.") from None
        if moment.tzinfo is None or abs(datetime.now(UTC) - moment) > timedelta(minutes=15):
            raise Refusal(403, "RequestTimeTooSkewed", "요청 시각이 15분 이상 다릅니다.")
        wanted = hmac.new(self.secret.encode(), (date + salt).encode(), hashlib.sha256).hexdigest()
        if key != self.key or not hmac.compare_digest(wanted, signature):
            raise Refusal(403, "SignatureDoesNotMatch", "시그니처가 일치하지 않습니다.")
        with self.lock:
            if salt in self.salts:
                raise Refusal(403, "DuplicatedSignature", "이미 사용한 시그니처입니다.")
            self.salts.add(salt)

    def fault(self, *, after_work: bool) -> dict[str, Any] | None:
        """The next fault of that place."""
        with self.lock:
            for one in self.faults:
                if one["times"] > 0 and bool(one.get("after_work")) == after_work:
                    one["times"] -= 1
                    return one
        return None

    def take(self, values: Any) -> dict[str, Any]:
        """Send the messages; the answer as Solapi gives it."""
        texts = values.get("messages") if isinstance(values, dict) else None
        if not isinstance(texts, list) or not texts:
            raise Refusal(400, "ValidationError", "messages가 필요합니다.")
        group, taken, failed = f"G4V{uuid.uuid4().hex[:24].upper()}", [], []
        for text in texts:
            mid = f"M4V{uuid.uuid4().hex[:24].upper()}"
            if not NUMBER.fullmatch(str(text.get("to"))) or not NUMBER.fullmatch(str(text.get("from"))):
                failed.append(self._failed(text, mid, "수신번호 또는 발신번호가 올바르지 않습니다."))
                continue
            try:
                shown = self.kakao.delivered(text)
            except ValueError as problem:
                failed.append(self._failed(text, mid, str(problem)))
                continue
            taken.append({**text, **shown, "messageId": mid, "groupId": group, "at": datetime.now(UTC).isoformat()})
        with self.lock:
            # One statement, so that a kill leaves all of them or none.
            rows = json.dumps([json.dumps(one, ensure_ascii=False) for one in taken])
            self._books.execute("INSERT INTO message (facts) SELECT value FROM json_each(?)", [rows])
        listed = [_item(one) for one in taken] if values.get("showMessageList") else None
        return {"groupInfo": self._group(group, len(taken), len(failed), values), "failedMessageList": failed,
                **({"messageList": listed} if listed is not None else {})}  # fmt: skip

    def _failed(self, text: dict[str, Any], mid: str, why: str) -> dict[str, Any]:
        return {"to": text.get("to"), "from": text.get("from"), "type": "SMS", "country": "82", "messageId": mid,
                "statusCode": "1010", "statusMessage": why,
                "accountId": self.key, "customFields": text.get("customFields")}  # fmt: skip

    def _group(self, group: str, taken: int, failed: int, values: dict[str, Any]) -> dict[str, Any]:
        count = dict.fromkeys(("sentSuccess", "sentPending", "sentReplacement", "refund"), 0)
        count |= {"total": taken + failed, "sentTotal": 0, "registeredFailed": failed, "registeredSuccess": taken}
        cash, now = {"requested": 0, "replacement": 0, "refund": 0, "sum": 0}, datetime.now(UTC).isoformat()
        return {"count": count, "countForCharge": {"sms": {"82": taken}}, "balance": cash, "point": cash,
                "app": {"profit": {"sms": 0}, "appId": None}, "log": [], "status": "SENDING",
                "allowDuplicates": bool(values.get("allowDuplicates")), "isRefunded": False, "accountId": self.key,
                "masterAccountId": None, "apiVersion": "4", "groupId": group, "price": {"82": {"sms": 18}},
                "dateCreated": now, "dateUpdated": now}  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Solapi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        """What was sent."""
        parts = urlsplit(self.path)
        match parts.path:
            case "/":
                search = parse_qs(parts.query).get("q", [""])[0].strip()
                self._send_bytes(200, shown(self.server.messages(), search).encode(), "text/html; charset=utf-8")
            case "/control/messages":
                self._say(200, self.server.messages())
            case "/healthz":
                self._say(200, {"status": "ok"})
            case _:
                self._say(404, {"errorCode": "ResourceNotFound", "errorMessage": "없는 주소입니다."})

    def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
        """Send, or arrange."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            values = json.loads(body or b"{}")
            match self.path:
                case "/control/faults":
                    self.server.faults.append({"times": 1, **values})
                    self._say(200, values)
                case "/control/templates":
                    self.server.kakao.templates[values["templateId"]] = (values["pfId"], values["content"])
                    self._say(200, values)
                case "/control/absent":
                    self.server.kakao.absent = set(values["numbers"])
                    self._say(200, values)
                case "/control/reset":
                    self.server.reset()
                    self._say(200, {})
                case path if path == SEND:
                    self._send(values)
                case _:
                    raise Refusal(404, "ResourceNotFound", "없는 주소입니다.")
        except ValueError:
            self._say(400, {"errorCode": "ValidationError", "errorMessage": "JSON이 아닙니다."})
        except Refusal as refusal:
            self._say(refusal.status, {"errorCode": refusal.code, "errorMessage": refusal.message})

    def _send(self, values: Any) -> None:
        self.server.check(self.headers.get("Authorization", ""))
        if (fault := self.server.fault(after_work=False)) and self._spoil(fault):
            return
        answer = self.server.take(values)
        if (fault := self.server.fault(after_work=True)) and self._spoil(fault):
            return
        self._say(200, answer)

    def _spoil(self, fault: dict[str, Any]) -> bool:
        if fault["kind"] == "refuse":
            raise Refusal(400, "NotEnoughBalance", "잔액이 부족합니다.")
        if fault["kind"] == "status":
            self._say(500, {"errorCode": "InternalError", "errorMessage": "내부 오류입니다."})
        else:
            self.close_connection = True
            self.connection.close()
        return True

    def _say(self, status: int, values: Any) -> None:
        self._send_bytes(status, json.dumps(values, ensure_ascii=False).encode(), "application/json; charset=utf-8")

    def _send_bytes(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *values: Any) -> None:
        """Numbers of buyers are nothing for a log."""


def _item(one: dict[str, Any]) -> dict[str, Any]:
    found = {"messageId": one["messageId"], "statusCode": "2000", "statusMessage": "정상 접수(이통사로 접수 예정)"}
    return found | ({"customFields": one["customFields"]} if one.get("customFields") else {})


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="sandbox.solapi", description="Twin of Solapi on loopback")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free port")
    parser.add_argument("--key", default=DEMO_KEY)
    parser.add_argument("--secret", default=DEMO_SECRET)
    parser.add_argument("--state", type=Path, help="SQLite file that keeps the messages; without it they are forgotten")
    options = parser.parse_args(arguments)
    server = Solapi(options.port, key=options.key, secret=options.secret, state=options.state)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"listening on http://{HOST}:{server.server_address[1]}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
