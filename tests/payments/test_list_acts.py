"""Every list of money offers its own acts only: a row of one table is never taken for the row of another."""

import pytest

from core.lists import lists
from core.models import Job
from payments.models import PgAccount, PgNotice
from payments.services.deposits import allocating
from payments.states import DepositState, NoticeState
from tests.fixtures.orders import NOW, reloaded

OWN = {
    "deposits": {"ignore-deposit", "reopen-deposit", "unallocate-deposit"},
    "notices": {"replay-notice"},
    "problems": {
        "ask-difference", "accept-difference", "revive-order", "attach-notice", "mark-test", "close-problem",
        "reopen-problem",
    },
    "refunds": {
        "approve-refund", "pay-refund", "confirm-payout", "report-bounce", "hold-refund", "release-refund",
        "retry-refund", "withdraw-refund",
    },
    "receipts": set(),
    "reconciliations": set(),
    "refused-requests": set(),
}  # fmt: skip


@pytest.mark.parametrize("name", OWN)
def test_a_list_of_money_shows_the_buttons_of_its_own_rows(name, make_staff):
    assert {one.name for one in lists.page(name).buttons(make_staff())} == OWN[name]


BY_TAB = {
    ("refunds", "draft"): {"approve-refund", "hold-refund", "retry-refund", "withdraw-refund"},
    ("refunds", "pay"): {"pay-refund", "hold-refund", "withdraw-refund"},
    ("refunds", "held"): {"release-refund", "withdraw-refund"},
    ("refunds", "failed"): {"retry-refund", "withdraw-refund"},
    ("refunds", "done"): set(),
    ("deposits", "under"): {"ignore-deposit"},
    ("deposits", "auto"): {"unallocate-deposit"},
    ("problems", "done"): {"reopen-problem"},
    ("problems", "asked"): OWN["problems"] - {"reopen-problem"},
}  # fmt: skip


@pytest.mark.parametrize(("name", "tab"), BY_TAB)
def test_a_tab_offers_what_can_be_done_with_its_rows(name, tab, make_staff, client):
    owner = make_staff()
    assert {one.name for one in lists.page(name).buttons(owner, tab)} == BY_TAB[name, tab]
    client.force_login(owner)
    html = client.get(f"{lists.page(name).url}?tab={tab}").content.decode()
    assert {one for one in OWN[name] if f'data-action="{one}"' in html} == BY_TAB[name, tab]


def test_no_list_of_orders_shows_a_button_of_money_rows(make_staff):
    owner, foreign = make_staff(), set.union(*OWN.values())
    for page in lists.pages():
        if page.name not in OWN:
            assert foreign.isdisjoint(one.name for one in page.buttons(owner)), page.name


@pytest.mark.parametrize("where", ["notices", "order"])
def test_an_act_on_deposits_does_not_take_the_rows_of_another_table(
    where, came_in, matched, make_order, make_staff, sign_in
):
    deposit, order, owner = came_in(11_000, "이순신"), make_order(price=5_000), make_staff()
    matched()
    allocating.ignore(deposit_ids=[deposit.pk], actor=owner, at=NOW, reason="다른 돈")
    account = PgAccount.objects.create(
        code="t", name="토스", provider="toss", merchant_id="m", base_url="https://pg.example"
    )
    notice = PgNotice.objects.create(
        pk=deposit.pk, account=account, event_key="e", kind="DEPOSITED", is_proven=True, body_hash=b"x",
        state=NoticeState.IGNORED, due_at=NOW, received_at=NOW, finished_at=NOW,
    )  # fmt: skip
    rows = f"{notice.pk}:{notice.claim}" if where == "notices" else f"{order.pk}:{order.version}"
    before, jobs = reloaded(deposit), Job.objects.count()
    values = {"page": where, "mode": "ids", "rows": rows, "reason": "시험"}
    answer = sign_in(owner).post("/acts/reopen-deposit/", values, headers={"HX-Request": "true"})
    assert answer.status_code == 422
    assert "할 수 없는 처리입니다" in answer.content.decode()
    fresh = reloaded(deposit)
    assert (fresh.state, fresh.version) == (DepositState.IGNORED, before.version)
    assert Job.objects.count() == jobs
