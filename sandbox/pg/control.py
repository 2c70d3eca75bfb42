"""The control API of the sandbox PGs under /control/: what tests and the demo shop arrange behind the PGs' backs.

GET  status                                             -> {now, is_frozen, speed, payout_speed, pgs}
POST reset                                              -> empty books, demo shops, the true time
GET  shops ?pg                                          -> [shop]
POST shops {pg, merchant_id, secrets, notice_url, options}   -> the shop; replaces, missing fields keep their value
GET  payments ?pg&order_ref&limit                       -> [payment], newest first
POST payments {pg, merchant_id?, order_ref, amount, title?, buyer?, bank?, due_at?, method?, announce?, …} -> payment
POST payments/deposit {id | pg+order_ref, amount?, name?, force?} -> payment; likewise payments/reverse,
     payments/expire, payments/close, payments/refund {amount?, reason?, account?}, payments/fail-refund,
     payments/complete-refund, payments/delay-refunds, payments/grant-refunds, payments/refuse-refunds
POST clock {now | advance | real}                       -> status
POST config {speed?, payout_speed?}                     -> status
GET  faults, POST faults {kind, …}, DELETE faults ?id   -> sandbox/pg/faults.py
GET  calls ?pg&method&path&after&limit                  -> [call], oldest first; path is a shell pattern
GET  notices ?pg&order_ref&state&after&limit            -> [notice], oldest first, with every attempt and our answer
POST notices/send {pg, url, body | body_base64, content_type, headers, client_ip}, notices/release {ids?},
     notices/resend {id}
"""

import base64
import fnmatch
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from sqlite3 import Row
from typing import Any

from sandbox.pg.bank import Bank, BankRefusal
from sandbox.pg.dialect import Dialect
from sandbox.pg.faults import Faults
from sandbox.pg.model import KST, Payment, Shop, kst

_CREATE = frozenset(
    {
        "title",
        "buyer",
        "phone",
        "email",
        "currency",
        "bank",
        "due_at",
        "method",
        "notice_url",
        "options",
        "announce",
        "payment_ref",
    }
)
Act = Callable[[int, dict[str, Any]], Payment]


class Control:
    """Answers /control/<name>; every method takes the JSON body (or the query) and returns JSON."""

    def __init__(self, bank: Bank, faults: Faults, dialects: Mapping[str, Dialect]) -> None:
        self._bank, self._books, self._sender = bank, bank.books, bank.sender
        self._faults, self._dialects = faults, dialects
        self._routes: Mapping[tuple[str, str], Callable[[dict[str, Any]], Any]] = {
            ("GET", "status"): self._status,
            ("POST", "reset"): self._reset,
            ("GET", "shops"): lambda query: [asdict(shop) for name in self._pgs(query) for shop in self._shops(name)],
            ("POST", "shops"): self._save_shop,
            ("GET", "payments"): self._payments,
            ("POST", "payments"): self._open,
            ("POST", "clock"): self._set_clock,
            ("POST", "config"): self._configure,
            ("GET", "faults"): lambda query: self._faults.listed(),
            ("POST", "faults"): self._faults.add,
            ("DELETE", "faults"): lambda query: {
                "removed": self._faults.remove(int(query["id"]) if "id" in query else None)
            },
            ("GET", "calls"): self._calls,
            ("GET", "notices"): self._notices,
            ("POST", "notices/send"): lambda values: {"id": self._sender.post_raw(values)},
            ("POST", "notices/release"): lambda values: {"released": self._sender.release(values.get("ids"))},
            ("POST", "notices/resend"): lambda values: {"id": self._sender.resend(int(values["id"]))},
        }
        self._acts: Mapping[str, Act] = {
            "deposit": self._deposit,
            "reverse": lambda number, values: bank.reverse(number),
            "expire": lambda number, values: bank.expire(number),
            "close": lambda number, values: bank.close(number),
            "refund": self._refund,
            "fail-refund": lambda number, values: bank.fail_refund(number),
            "complete-refund": lambda number, values: bank.complete_refunds(number),
            "delay-refunds": lambda number, values: bank.delay_refunds(number),
            "grant-refunds": lambda number, values: bank.grant_refunds(number),
            "refuse-refunds": lambda number, values: bank.refuse_refunds(number),
        }
        self.open_demo_shops()

    def answer(self, method: str, name: str, values: Any) -> tuple[int, Any]:
        """Status and JSON of one control request; wrong is 400, refused by the bank 409: nothing changed."""
        route = self._routes.get((method, name))
        act = self._acts.get(name.removeprefix("payments/")) if method == "POST" else None
        if route is None and act is None:
            return 404, {"error": f"no control {method} {name}"}
        try:
            if not isinstance(values, dict):
                raise ValueError("the body must be a JSON object")
            return 200, route(values) if route else self._act(act, values)
        except BankRefusal as refusal:
            return 409, {"error": refusal.code, "message": refusal.message}
        except (ValueError, TypeError, KeyError, OverflowError) as problem:
            return 400, {"error": f"{type(problem).__name__}: {problem}"}

    def open_demo_shops(self) -> None:
        """Every PG has the shop of its public test keys from the start."""
        for dialect in self._dialects.values():
            if self._books.shop(dialect.name, dialect.demo.merchant_id) is None:
                self._books.save_shop(dialect.demo)

    def _pgs(self, query: Mapping[str, Any]) -> list[str]:
        return [query["pg"]] if "pg" in query else list(self._dialects)

    def _shops(self, pg: str) -> list[Shop]:
        return self._books.shops(pg)

    def _status(self, values: dict[str, Any]) -> dict[str, Any]:
        now = kst(self._books.now()).isoformat(timespec="milliseconds")
        pgs = {dialect.name: dialect.label for dialect in self._dialects.values()}
        return {"now": now, "is_frozen": self._books.is_frozen, **self._speeds(), "pgs": pgs}

    def _speeds(self) -> dict[str, float]:
        return {"speed": self._sender.speed, "payout_speed": self._bank.payout_speed}

    def _reset(self, values: dict[str, Any]) -> dict[str, Any]:
        self._faults.remove()
        self._books.reset()
        self.open_demo_shops()
        return {"ok": True}

    def _save_shop(self, values: dict[str, Any]) -> dict[str, Any]:
        known = self._books.shop(self._dialects[values["pg"]].name, values["merchant_id"])
        shop = Shop(**{**(asdict(known) if known else {}), **values})
        self._books.save_shop(shop)
        return asdict(shop)

    def _open(self, values: dict[str, Any]) -> dict[str, Any]:
        dialect = self._dialects[values["pg"]]
        shop = self._books.shop(dialect.name, values.get("merchant_id", dialect.demo.merchant_id))
        if shop is None:
            raise ValueError("no such shop")
        fields = {name: values[name] for name in _CREATE & values.keys()}
        if isinstance(fields.get("due_at"), str):
            fields["due_at"] = parse_time(fields["due_at"])
        fields.setdefault("due_at", self._books.now() + 7 * 86_400)
        fields.setdefault("bank", next(iter(dialect.banks)))
        amount = int(values["amount"])
        payment = self._bank.open(shop, order_ref=str(values["order_ref"]), amount=amount, **fields)
        return self._shown(payment)

    def _act(self, act: Act | None, values: dict[str, Any]) -> dict[str, Any]:
        found = (
            self._books.payment(int(values["id"]))
            if "id" in values
            else self._books.by_order(values["pg"], values["order_ref"], values.get("merchant_id"))
        )
        if found is None or act is None:
            raise ValueError("no such payment")
        return self._shown(act(found.id, values))

    def _deposit(self, number: int, values: dict[str, Any]) -> Payment:
        payment = self._books.payment(number)
        amount = int(values.get("amount", payment.amount if payment else 0))
        name = str(values.get("name", payment.buyer if payment else ""))
        if values.get("force"):
            return self._bank.force_deposit(number, amount, name)
        return self._bank.deposit(number, amount, name)

    def _refund(self, number: int, values: dict[str, Any]) -> Payment:
        payment = self._books.payment(number)
        amount = int(values.get("amount", payment.balance if payment else 0))
        reason = str(values.get("reason", "PG 관리자 화면에서 취소"))
        self._bank.refund(number, amount=amount, reason=reason, account=values.get("account"))
        return self._books.payment(number) or Payment(0, "", "", "", "", 0, 0)

    def _payments(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        if "order_ref" in query:
            found = [self._books.by_order(name, query["order_ref"]) for name in self._pgs(query)]
            return [self._shown(payment) for payment in found if payment]
        newest = self._books.payments(limit=int(query.get("limit", 200)))
        return [self._shown(payment) for payment in newest if payment.pg in self._pgs(query)]

    def _shown(self, payment: Payment) -> dict[str, Any]:
        sums = {"paid_amount": payment.paid_amount, "refunded_amount": payment.refunded_amount}
        state = payment.refund_state(self._books.now())
        return {**asdict(payment), **sums, "balance": payment.balance, "refund_state": state}

    def _set_clock(self, values: dict[str, Any]) -> dict[str, Any]:
        """now: freeze there; advance: move by seconds; real: true goes back to the true time."""
        if values.get("real"):
            self._books.set_clock(offset=0.0, frozen_at=None)
        if "now" in values:
            self._books.set_clock(offset=0.0, frozen_at=parse_time(values["now"]))
        if "advance" in values:
            self._books.advance(float(values["advance"]))
        self._bank.expire_due()
        self._sender.wake()
        return self._status({})

    def _configure(self, values: dict[str, Any]) -> dict[str, Any]:
        speeds = {name: float(values[name]) for name in ("speed", "payout_speed") if name in values}
        if any(speed <= 0 for speed in speeds.values()):
            raise ValueError("speed must be above 0")
        self._sender.speed = speeds.get("speed", self._sender.speed)
        self._bank.payout_speed = speeds.get("payout_speed", self._bank.payout_speed)
        return self._status({})

    def _calls(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        rows = self._books.rows("SELECT * FROM call WHERE id > ? ORDER BY id", int(query.get("after", 0)))
        chosen = [
            row
            for row in rows
            if fnmatch.fnmatchcase(row["pg"], query.get("pg", "*"))
            and fnmatch.fnmatchcase(row["method"], query.get("method", "*"))
            and fnmatch.fnmatchcase(row["path"], query.get("path", "*"))
        ]
        return [_spelled(row, headers="headers") for row in chosen[-int(query.get("limit", 1000)) :]]

    def _notices(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        sql = "SELECT n.*, p.order_ref FROM notice n LEFT JOIN payment p ON p.id = n.payment_id"
        sql += " WHERE n.id > ? ORDER BY n.id"
        rows = [
            row
            for row in self._books.rows(sql, int(query.get("after", 0)))
            if all(row[name] == query[name] for name in ("pg", "order_ref", "state") if name in query)
        ]
        return [_spelled(row, headers="headers", attempts="attempts") for row in rows[-int(query.get("limit", 1000)) :]]


def parse_time(text: str) -> float:
    """ISO 8601 as epoch seconds; without an offset it is Korean time. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=KST)).timestamp()


def sweep_for_ever(bank: Bank) -> None:
    """Expire accounts as time goes by."""
    while True:
        bank.expire_due()
        time.sleep(1)


def _spelled(row: Row, **parsed: str) -> dict[str, Any]:
    """A row as JSON: bytes as text and as base64, columns of JSON as what they hold."""
    values: dict[str, Any] = {}
    for name in row.keys():  # noqa: SIM118 - a Row iterates over values
        value = row[name]
        if isinstance(value, bytes):
            values[name] = value.decode("utf-8", "replace")
            values[f"{name}_base64"] = base64.b64encode(value).decode()
        else:
            values[name] = json.loads(value) if name in parsed else value
    return values
