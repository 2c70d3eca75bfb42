"""웹훅 수신함 over HTTP: what it shows and hides, the raw body for a reason, replay with preview."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AccessLog
from accounts.roles import Role
from core import drains
from orders.models import OrderEvent
from orders.states import LineState
from payments.models import LedgerEntry, Payment, PgNotice, PgRequest
from payments.services.notices import draining, replaying
from payments.states import NoticeState, PaymentState
from tests.fixtures.answers import text_of
from tests.fixtures.orders import reloaded
from tests.payments.test_notices import ledger, post

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/payments/notices/"


@pytest.fixture
def paid(pg_shop):
    """An order that a deposit at the sandbox's Toss has paid; (order, its notice)."""
    order = pg_shop.order(pg_shop.account("toss"))
    pg_shop.deposit(order)
    pg_shop.heard()
    return order, PgNotice.objects.filter(kind="DEPOSITED", state=NoticeState.PROCESSED).order_by("pk").first()


def test_the_inbox_shows_what_came_and_what_became_of_it(paid, sign_in):
    order, notice = paid
    page = sign_in(Role.CS).get(URL).content.decode()
    for words in (f'href="/orders/{order.number}/"', "toss", "입금", "반영", f'href="{URL}{notice.pk}/"'):
        assert words in page
    assert "PROCESSED</" not in page
    detail = sign_in(Role.CS).get(f"{URL}{notice.pk}/").content.decode()
    for words in ("읽은 내용", "받은 요청", "보낸 IP", "200", order.number, "UTF-8", "CP949"):
        assert words in detail


@pytest.mark.parametrize("role", list(Role))
def test_who_may_see_the_inbox(sign_in, role):
    status = 403 if role in {Role.LOGISTICS, Role.VIEWER} else 200
    client = sign_in(role)
    assert [client.get(url).status_code for url in (URL, f"{URL}refused/")] == [status, status]


def test_names_and_accounts_are_masked_until_somebody_gives_a_reason(pg_shop, sign_in):
    account = pg_shop.account("nicepay-form")
    order = pg_shop.order(account)
    pg_shop.deposit(order, depositor="홍길동")
    pg_shop.heard()
    notice = PgNotice.objects.get(kind="DEPOSITED")
    raw = PgRequest.objects.get(notice=notice)
    assert "홍길동".encode("cp949") in bytes(raw.body) or b"%C8%AB%B1%E6%B5%BF" in bytes(raw.body)
    client, url = sign_in(Role.CS), f"{URL}{notice.pk}/?charset=cp949"
    page = client.get(url).content.decode()
    assert "홍길동" not in page
    assert "홍*동" in page
    reveal = f"{URL}requests/{raw.pk}/body/"
    refused = client.post(reveal, {"reason": "왜", "charset": "cp949"})
    assert refused.status_code == 422
    assert "보는 이유를 네 글자 이상" in refused.content.decode()
    assert not AccessLog.objects.filter(action="VIEW").exists()
    shown = client.post(reveal, {"reason": "고객 입금 문의", "charset": "cp949"})
    assert shown["Cache-Control"] == "no-store"
    assert bytes(raw.body).decode("cp949", "replace")[:20].split("&")[0] in shown.content.decode()
    logged = AccessLog.objects.get(action="VIEW")
    assert (logged.purpose, logged.subjects) == ("고객 입금 문의", [notice.order_ref])
    assert logged.detail == {"fields": ["pg_request_body"], "request": raw.pk, "pg": "nicepay-form"}
    assert sign_in(Role.FINANCE).post(reveal, {"reason": "고객 입금 문의"}).status_code == 403
    assert AccessLog.objects.filter(action="VIEW").count() == 1


def test_refused_requests_stand_in_a_list_of_their_own(pg_shop, sign_in):
    account = pg_shop.account("toss")
    order = pg_shop.order(account)
    body = {
        "createdAt": "2026-11-21T11:59:57.103000", "status": "DONE", "transactionKey": "T1",
        "orderId": Payment.objects.get(order=order).order_ref, "secret": "ps_wrong",
    }  # fmt: skip
    assert post(pg_shop, account, body)[0] == 401
    client, request = sign_in(Role.FINANCE), PgRequest.objects.get()
    page = client.get(f"{URL}refused/").content.decode()
    assert "비밀값이 맞지 않음" in page
    assert "401" in page
    detail = client.get(f"{URL}refused/{request.pk}/").content.decode()
    assert "ps_wrong" not in detail
    assert "비밀값이 맞지 않음" in detail
    assert client.get(f"{URL}refused/?tab=address").content.decode().count("<tbody id=") == 0


def test_replaying_what_is_applied_says_that_nothing_changes(paid, sign_in, press):
    order, notice = paid
    preview, _ = press(sign_in(Role.OWNER), "replay-notice", "notices", [(notice.pk, notice.version)])
    assert "변경 없음: PG의 결제와 우리 원장이 같습니다." in preview.content.decode()
    assert PgNotice.objects.get(pk=notice.pk).state == NoticeState.PROCESSED
    assert ledger(order) == [("DEPOSIT", 33_000)]


def test_the_preview_of_a_replay_says_how_much_and_writes_nothing(pg_shop, sign_in, press):
    order = pg_shop.order(pg_shop.account("toss"))
    pg_shop.deposit(order)
    pg_shop.pgs.wait_for(lambda: PgNotice.objects.exists())
    PgNotice.objects.update(state=NoticeState.DEAD, reason="no_answer", finished_at=reloaded(order).ordered_at)
    notice = PgNotice.objects.filter(kind="DEPOSITED").first()
    client = sign_in(Role.OWNER)
    opened = client.post(
        "/acts/replay-notice/", {"page": "notices", "mode": "ids", "rows": f"{notice.pk}:{notice.version}"},
        headers={"HX-Request": "true"},
    ).content.decode()  # fmt: skip
    assert "입금 33,000원이 원장에 더해집니다." in opened
    assert not LedgerEntry.objects.exists()
    assert pg_shop.state(order) == (LineState.AWAITING_PAYMENT, 0, PaymentState.PENDING)
    assert PgNotice.objects.get(pk=notice.pk).state == NoticeState.DEAD
    press(client, "replay-notice", "notices", [(notice.pk, notice.version)])
    assert PgNotice.objects.get(pk=notice.pk).state == NoticeState.RETRY
    event = OrderEvent.objects.get(kind="notice.replayed")
    assert (event.subject, event.subject_id) == ("notice", notice.pk)
    drains.run_all()
    assert pg_shop.state(order) == (LineState.PREPARING, 33_000, PaymentState.PAID)
    assert PgNotice.objects.get(pk=notice.pk).state == NoticeState.PROCESSED


@pytest.mark.parametrize(
    ("minutes", "is_hurried"), [(30, True), (1, False)], ids=["waits for long", "may be worked on just now"]
)
def test_a_notice_that_is_to_be_tried_again_may_be_hurried(pg_shop, sign_in, press, minutes, is_hurried):
    order = pg_shop.order(pg_shop.account("toss"))
    pg_shop.deposit(order)
    pg_shop.pgs.wait_for(lambda: PgNotice.objects.exists())
    due = timezone.now() + timedelta(minutes=minutes)
    PgNotice.objects.update(state=NoticeState.RETRY, reason="no_answer", due_at=due, attempts=4)
    notice = PgNotice.objects.filter(kind="DEPOSITED").first()
    client = sign_in(Role.OWNER)
    assert "재시도 대기" in client.get(URL).content.decode()
    preview, _ = press(client, "replay-notice", "notices", [(notice.pk, notice.version)])
    words = text_of(preview)
    after = PgNotice.objects.get(pk=notice.pk)
    if not is_hurried:
        assert "4번 시도한 알림입니다. 늦어도 " in words
        assert "까지 저절로 다시 시도합니다." in words
        assert (after.due_at, after.claim, after.attempts) == (due, notice.claim, 4)
        return
    assert (after.state, after.reason, after.attempts) == (NoticeState.RETRY, "replayed", 0)
    assert (after.claim, after.due_at <= timezone.now()) == (notice.claim + 1, True)
    drains.run_all()
    assert pg_shop.state(order) == (LineState.PREPARING, 33_000, PaymentState.PAID)
    assert PgNotice.objects.get(pk=notice.pk).state == NoticeState.PROCESSED


def test_a_claim_keeps_a_notice_from_being_hurried(pg_shop, staff):
    pg_shop.deposit(pg_shop.order(pg_shop.account("toss")))
    pg_shop.pgs.wait_for(lambda: PgNotice.objects.exists())
    at = timezone.now() + timedelta(seconds=1)
    PgNotice.objects.update(state=NoticeState.RETRY, due_at=at)
    held = {one.pk: one.claim for one in draining._claim(at, without=())}
    outcome = replaying.replay(notice_ids=list(held), actor=staff, at=at)
    assert (set(outcome.refused), outcome.possible) == (set(held), [])
    assert dict(PgNotice.objects.filter(pk__in=held).values_list("pk", "claim")) == held


def test_only_the_owner_replays(paid, sign_in, press):
    _, notice = paid
    preview, answer = press(sign_in(Role.FINANCE), "replay-notice", "notices", [(notice.pk, notice.version)])
    assert (preview.status_code, answer) == (403, None)
    assert PgNotice.objects.get(pk=notice.pk).state == NoticeState.PROCESSED


def test_an_unknown_notice_or_request_is_not_found(sign_in):
    client = sign_in(Role.OWNER)
    assert client.get(f"{URL}999999/").status_code == 404
    assert client.get(f"{URL}refused/999999/").status_code == 404
    assert client.post(f"{URL}requests/999999/body/", {"reason": "고객 문의"}).status_code == 404


def test_a_wrong_filter_is_refused_in_korean(sign_in):
    answer = sign_in(Role.OWNER).get(f"{URL}?state=NONE")
    assert answer.status_code == 400
    assert "고를 수 없는 값입니다." in answer.content.decode()
