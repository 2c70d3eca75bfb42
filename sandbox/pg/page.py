"""The page 입금하기: the open virtual accounts of all PGs, and what a person or the bank may do with each.

A card is charged there too, under the order reference of the mall.
"""

import re
from collections.abc import Mapping
from html import escape
from urllib.parse import parse_qsl, urlencode

from sandbox.pg.bank import Bank, BankRefusal
from sandbox.pg.dialect import Dialect, Reply
from sandbox.pg.model import CARD, REFUND, Payment, kst

STATES = {
    "WAITING": ("입금대기", "wait"),
    "PAID": ("입금완료", "good"),
    "PART_REFUNDED": ("부분환불", "warn"),
    "CANCELED": ("취소", "bad"),
    "EXPIRED": ("기한만료", "bad"),
}
REFUND_STATES = {"PENDING": "환불 처리 중", "FAILED": "환불 실패", "COMPLETED": "환불 완료"}
NOTICE_STATES = {
    "DUE": "보내는 중",
    "SENDING": "보내는 중",
    "DONE": "받음",
    "GAVE_UP": "포기",
    "DROPPED": "버림",
    "HELD": "붙잡음",
    "NO_URL": "주소 없음",
}
NOTICE, FORCED, CLOSED = "알림", "pay-forced", ("CANCELED", "EXPIRED")
ORDER_REF = re.compile(r"[A-Za-z0-9_-]{6,64}")
_LIMIT = 100
_TYPE = "text/html; charset=utf-8"


class Page:
    """One page and its form; works without script."""

    def __init__(self, bank: Bank, dialects: Mapping[str, Dialect]) -> None:
        self._bank, self._dialects = bank, dialects

    def answer(self, method: str, query: Mapping[str, str], body: bytes) -> Reply:
        """GET shows, POST does one thing and leads back."""
        if method != "POST":
            return Reply(200, self._shown(query).encode(), _TYPE)
        values = dict(parse_qsl(body.decode("utf-8", "replace")))
        try:
            said = {"done": self._do(values)}
        except BankRefusal as refusal:
            said = {"refused": refusal.message}
        except (ValueError, KeyError):
            said = {"refused": "금액은 숫자로 입력해 주세요."}
        back = {**said, **({"q": query["q"]} if query.get("q") else {})}
        return Reply(303, b"", _TYPE, {"Location": "/?" + urlencode(back)})

    def _do(self, values: Mapping[str, str]) -> str:
        if values["act"] == "pay-card":
            return self._pay_by_card(values)
        number, act = int(values["id"]), values["act"]
        if act in {"pay", "pay-other", FORCED}:
            payment = self._bank.books.payment(number)
            if payment is None:
                raise BankRefusal("UNKNOWN_PAYMENT", "없는 결제입니다.")
            amount = int(values["amount"].replace(",", ""))
            name = values.get("name", "").strip() or payment.buyer
            if act == FORCED and amount < 1:
                raise ValueError("a deposit is at least one won")
            (self._bank.force_deposit if act == FORCED else self._bank.deposit)(number, amount, name)
            return f"{payment.order_ref}: {amount:,}원을 {name} 이름으로 입금했습니다."
        if act == "reverse":
            return f"{self._bank.reverse(number).order_ref}: 은행이 입금을 취소했습니다."
        if act == "expire":
            return f"{self._bank.expire(number).order_ref}: 입금기한이 지났습니다."
        if act == "fail-refund":
            return f"{self._bank.fail_refund(number).order_ref}: 환불이 실패했습니다."
        if act == "cancel-card":
            payment = self._bank.books.payment(number)
            if payment is None or payment.method != CARD:
                raise BankRefusal("UNKNOWN_PAYMENT", "없는 결제입니다.")
            won = self._bank.refund(number, amount=payment.balance, reason="PG 관리자 화면에서 취소").amount
            return f"{payment.order_ref}: 카드 결제 {won:,}원을 취소했습니다."
        raise BankRefusal("UNKNOWN_ACT", "없는 동작입니다.")

    def _pay_by_card(self, values: Mapping[str, str]) -> str:
        """What the buyer does in a payment window: the mall then names the reference to the shop."""
        dialect, order_ref = self._dialects[values["pg"]], values.get("order_ref", "").strip()
        amount = int(values["amount"].replace(",", ""))
        if amount < 1:
            raise ValueError("a card payment is at least one won")
        if not ORDER_REF.fullmatch(order_ref):
            raise BankRefusal("BAD_REFERENCE", "주문번호는 영문, 숫자, -, _로 6~64자입니다.")
        shop = self._bank.books.shop(dialect.name, dialect.demo.merchant_id) or dialect.demo
        buyer = values.get("name", "").strip() or "구매자"
        self._bank.open(shop, order_ref=order_ref, amount=amount, method=CARD, buyer=buyer, title="카드 결제")
        return f"{order_ref}: {dialect.label}에서 카드로 {amount:,}원을 결제했습니다."

    def _shown(self, query: Mapping[str, str]) -> str:
        search = query.get("q", "").strip()
        payments = [payment for payment in self._bank.books.payments(limit=1000) if _fits(payment, search)][:_LIMIT]
        notices = self._notices()
        rows = "".join(self._row(payment, notices.get(payment.id, ""), search) for payment in payments)
        empty = "찾는 계좌가 없습니다." if search else "발급된 가상계좌가 없습니다."
        said = "".join(
            f'<p class="{kind}" role="status">{escape(query[kind])}</p>'
            for kind in ("done", "refused")
            if kind in query
        )
        shown = rows or f'<li class="empty">{empty}</li>'
        return _PAGE.format(style=_STYLE, said=said, search=escape(search), rows=shown, card=self._card_form(search))

    def _card_form(self, search: str) -> str:
        names = "".join(f'<option value="{one.name}">{escape(one.label)}</option>' for one in self._dialects.values())
        return (
            f'<details data-card><summary>카드로 결제하기</summary><form method="post" action="{_action(search)}">'
            f'<label>PG <select name="pg">{names}</select></label>'
            '<label>주문번호 <input name="order_ref" maxlength="64" required></label>'
            + _money_fields("", "")
            + _button("pay-card", "카드 결제", "main")
            + "</form></details>"
        )

    def _notices(self) -> dict[int, str]:
        sql = "SELECT payment_id, kind, state FROM notice ORDER BY id DESC LIMIT 2000"
        newest: dict[int, str] = {}
        for row in self._bank.books.rows(sql):
            newest.setdefault(row["payment_id"], f"{row['kind']} · {NOTICE_STATES[row['state']]}")
        return newest

    def _row(self, payment: Payment, notice: str, search: str) -> str:
        dialect = self._dialects[payment.pg]
        label, css = STATES[payment.state]
        is_card = payment.method == CARD
        refund = REFUND_STATES.get(payment.refund_state(self._bank.now()), "")
        facts = [
            ("주문번호", payment.order_ref),
            ("결제수단", "카드" if is_card else dialect.banks.get(payment.bank, payment.bank)),
            ("PG 거래번호", payment.payment_ref if is_card else ""),
            ("계좌번호", payment.account_number),
            ("예금주", payment.holder),
            ("입금기한", kst(payment.due_at).strftime("%Y-%m-%d %H:%M") if payment.due_at and not is_card else ""),
            ("청구 금액", f"{payment.amount:,}원"),
            ("입금 금액", f"{payment.paid_amount:,}원" if payment.paid_amount else ""),
            ("환불 금액", f"{payment.refunded_amount:,}원 {refund}" if payment.refunded_amount else ""),
            (NOTICE, notice),
        ]
        shown = "".join(
            f"<div{' class=wide' if name == NOTICE else ''}><dt>{name}</dt><dd>{escape(value)}</dd></div>"
            for name, value in facts
            if value
        )
        return (
            f'<li data-order="{escape(payment.order_ref)}" data-state="{payment.state}">'
            f'<h2>{escape(dialect.label)} <span class="badge {css}">{label}</span></h2>'
            f"<p>{escape(payment.title)}</p><dl>{shown}</dl>{self._forms(payment, search)}</li>"
        )

    def _forms(self, payment: Payment, search: str) -> str:
        start = _start(payment, search)
        forms = [_pay(payment, start), self._other(payment, start)] if payment.method != CARD else []
        others: list[tuple[str, str]] = []
        if payment.method == CARD and payment.balance:
            others.append(("cancel-card", "카드 취소"))
        elif payment.standing_deposits and not payment.of_kind(REFUND):
            others.append(("reverse", "은행 취소"))
        if payment.state == "WAITING" and not payment.paid_amount:
            others.append(("expire", "기한 지남"))
        if payment.refund_state(0) == "PENDING":
            others.append(("fail-refund", "환불 실패"))
        if others:
            forms.append(start + "".join(_button(act, label) for act, label in others) + "</form>")
        return "".join(forms)

    def _other(self, payment: Payment, start: str) -> str:
        """다른 금액; and a deposit into a closed account, which a bank should refuse and staff meet all the same."""
        if payment.state in CLOSED:
            title, act = "닫힌 계좌에 입금", _button(FORCED, "거절하지 않고 입금")
            note = "<p>은행은 보통 닫힌 계좌의 입금을 거절합니다. 취소한 뒤 들어온 돈을 시험할 때만 씁니다.</p>"
        else:
            title, act = "다른 금액", _button("pay-other", "다른 금액 입금")
            note = "<p>이 은행은 청구 금액만 한 번 받습니다.</p>" if self._bank.is_exact(payment) else ""
        form = start + _money_fields(payment.buyer, "") + act + "</form>"
        return f"<details><summary>{title}</summary>{note}{form}</details>"


def _fits(payment: Payment, search: str) -> bool:
    return not search or any(search in text for text in (payment.order_ref, payment.account_number, payment.buyer))


def _start(payment: Payment, search: str) -> str:
    return f'<form method="post" action="{_action(search)}"><input type="hidden" name="id" value="{payment.id}">'


def _action(search: str) -> str:
    return escape("/" + (f"?{urlencode({'q': search})}" if search else ""))


def _pay(payment: Payment, start: str) -> str:
    rest = max(payment.amount - payment.paid_amount, 0)
    if payment.state in CLOSED or not rest:
        return ""
    return start + _money_fields(payment.buyer, str(rest)) + _button("pay", "입금하기", "main") + "</form>"


def _money_fields(name: str, amount: str) -> str:
    return (
        f'<label>입금자명 <input name="name" value="{escape(name)}" maxlength="40"></label>'
        f'<label>금액(원) <input name="amount" value="{amount}" inputmode="numeric" size="10" required></label>'
    )


def _button(act: str, label: str, css: str = "") -> str:
    return f'<button name="act" value="{act}" data-action="{act}" class="{css}">{label}</button>'


_STYLE = """
:root { color-scheme: light dark; --bg: #f5f6f8; --card: #fff; --text: #1b1f24; --soft: #57606a; --line: #d4d9df;
  --main: #1f5fd0; --on: #fff; --good: #116932; --warn: #7a4b00; --bad: #a3232b; --wait: #1f5fd0; }
@media (prefers-color-scheme: dark) { :root { --bg: #14171b; --card: #1e2329; --text: #e8ebee; --soft: #a6b0ba;
  --line: #3a424b; --main: #8ab4ff; --on: #10203d; --good: #7fd99a; --warn: #f0c065; --bad: #ff9c9c;
  --wait: #8ab4ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 880px; padding: 24px 16px 64px; background: var(--bg); color: var(--text);
  font: 15px/1.5 system-ui, "Apple SD Gothic Neo", "Malgun Gothic", "Noto Sans KR", sans-serif; word-break: keep-all; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 16px; margin: 0; } p { margin: 4px 0; color: var(--soft); }
ul { list-style: none; margin: 16px 0; padding: 0; display: grid; gap: 12px; }
li { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 16px; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 8px 16px; margin: 12px 0; }
dl .wide { grid-column: 1 / -1; }
dt { font-size: 13px; color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
form { display: flex; flex-wrap: wrap; align-items: end; gap: 8px; margin-top: 8px; }
details { margin-top: 8px; } summary { cursor: pointer; color: var(--soft); }
label { display: grid; font-size: 13px; color: var(--soft); }
input, select, button { font: inherit; min-height: 36px; padding: 4px 10px; border: 1px solid var(--line);
  border-radius: 6px; background: var(--card); color: var(--text); max-width: 100%; }
button { cursor: pointer; } .main { background: var(--main); border-color: var(--main); color: var(--on); }
:focus-visible { outline: 2px solid var(--main); outline-offset: 2px; }
.badge { font-size: 13px; font-weight: 600; padding: 1px 8px; border: 1px solid currentColor; border-radius: 10px; }
.good, .done { color: var(--good); } .warn { color: var(--warn); } .bad, .refused { color: var(--bad); }
.wait { color: var(--wait); } .done, .refused { font-weight: 600; } .empty { color: var(--soft); text-align: center; }
"""
_PAGE = """<!DOCTYPE html>
<html lang="ko"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>입금하기</title>
<style>{style}</style></head><body>
<main><h1>입금하기</h1><p>연습용 가상계좌와 카드입니다. 실제 돈은 움직이지 않습니다.</p>{said}{card}
<form method="get" action="/" role="search">
<label>주문번호·계좌번호·입금자명 <input type="search" name="q" value="{search}"></label>
<button>찾기</button></form>
<ul>{rows}</ul></main></body></html>
"""
