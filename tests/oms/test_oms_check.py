"""`oms_check`: one corrupted row is found by exactly the invariant that it breaks; exit code and JSON for programs."""

import json
from datetime import timedelta
from importlib import import_module
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.models import AccessAction, AccessLog
from accounts.services import record_access
from core.invariants import declared_invariants
from core.models import Job, JobState
from orders.services import changes, locks
from orders.states import LockKind
from shipping.models import Parcel
from tests.fixtures import files
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.shipments import waybill_number
from tests.fixtures.work import confirmed, previewed
from tests.flows.test_waybills_file import CJ, apply, sheet, upload
from tests.products.test_stock_upload import send

pytestmark = pytest.mark.django_db


def corrupt(sql, *params):
    """Change rows as only somebody with the keys of the server can: no trigger sees it."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, params)
        assert cursor.rowcount
        cursor.execute("SET LOCAL session_replication_role = origin")


def codes():
    return {violation.invariant for violation in broken()}


@pytest.fixture
def line(make_order, lines_of):
    return lines_of(make_order(paid=True))[0]


@pytest.fixture
def done_job(make_order, lines_of, staff, hold_act):
    """A finished act on two lines."""
    lines = [lines_of(make_order(paid=True))[0] for _ in range(2)]
    job = confirmed(previewed(hold_act, lines, actor=staff), actor=staff)
    assert (job.state, job.total, job.done) == (JobState.DONE, 2, 2)
    return job


@pytest.mark.parametrize("wrong", [LockKind.CLAIM, LockKind.PAYMENT, LockKind.ADDRESS])
def test_a_bit_that_is_not_its_lock(line, staff, wrong):
    locks.hold(line_ids=[line.pk], actor=staff, at=NOW, reason="고객 부재")
    assert codes() == set()
    corrupt("UPDATE orders_linelock SET kind = %s WHERE line_id = %s", wrong, line.pk)
    assert codes() == {"INV-02"}


def test_a_lock_without_its_bit_and_a_bit_without_its_lock(line, staff):
    locks.hold(line_ids=[line.pk], actor=staff, at=NOW, reason="고객 부재")
    corrupt("UPDATE orders_linelock SET released_at = now() WHERE line_id = %s", line.pk)
    assert codes() == {"INV-02"}


JOB_FAULTS = {
    "wrong numbers": "UPDATE core_job SET done = 1, failed = 1 WHERE id = %s",
    "wrong total": "UPDATE core_job SET total = 3 WHERE id = %s",
    "an item undecided": "UPDATE core_jobitem SET result = 'PENDING' WHERE job_id = %s",
    "an item lost": "DELETE FROM core_jobitem WHERE job_id = %s",
    "nobody's": "UPDATE core_job SET state = 'RUNNING', lease_until = NULL WHERE id = %s",
    "silent": "UPDATE core_job SET state = 'RUNNING', lease_until = now() - interval '1 hour' WHERE id = %s",
}


@pytest.mark.parametrize("fault", JOB_FAULTS)
def test_a_job_with(done_job, fault):
    before = codes()
    assert "INV-12" not in before
    corrupt(JOB_FAULTS[fault], done_job.pk)
    assert codes() - before == {"INV-12"}


def test_a_running_job_may_be_silent_for_a_moment(done_job):
    corrupt(
        "UPDATE core_job SET state = 'RUNNING', lease_until = now() - interval '1 minute' WHERE id = %s", done_job.pk
    )
    assert "INV-12" not in codes()


def test_a_row_of_a_waybill_file_without_its_parcel(make_shipments, staff):
    found = make_shipments(2)
    rows = [[one.number, CJ, waybill_number(n)] for n, one in enumerate(found)]
    job = apply(upload(sheet(rows), actor=staff, ship=True), actor=staff)
    assert (job.state, job.done, codes()) == (JobState.DONE, 2, set())
    parcel = Parcel.objects.first()
    corrupt("UPDATE orders_orderevent SET batch_id = NULL WHERE subject = 'parcel' AND subject_id = %s", parcel.pk)
    [violation] = broken()
    assert (violation.invariant, violation.subject) == ("INV-14", f"job {job.uuid}")


def test_a_row_of_a_stock_file_without_its_movement(make_variant, staff, sign_in):
    variant = make_variant(on_hand=10, sku="S-1")
    content = files.xlsx([["품목코드", "실재고", "사유"], ["S-1", 12, "실사"]])
    client = sign_in(staff)
    assert send(client, content).status_code == 302
    job = apply(Job.objects.get(act="stock-upload"), actor=staff)
    assert (job.done, codes()) == (1, set())
    corrupt("UPDATE products_stockmovement SET reference = 'lost' WHERE reference = %s", f"{job.uuid.hex}:{variant.pk}")
    assert codes() == {"INV-14"}


@pytest.fixture
def logged(staff):
    """Three rows of the access log."""
    subjects = ["20260921-0000001"]
    facts = {"actor": staff, "at": NOW, "purpose": "배송 문의", "subjects": subjects, "detail": {"list": "orders"}}
    rows = [record_access(action=action, **facts) for action in (AccessAction.EXPORT, AccessAction.VIEW)]
    rows.append(record_access(actor=None, action=AccessAction.LOGIN_FAILED, at=timezone.now()))
    assert codes() == set()
    return rows


@pytest.mark.parametrize(
    ("sql", "how"),
    [
        ("DELETE FROM accounts_accesslog WHERE action = 'EXPORT'", "was deleted"),
        ("DELETE FROM accounts_accessseal", "has no seal"),
        ("UPDATE accounts_accesslog SET purpose = ''", "is not what was written"),
        ("UPDATE accounts_accesslog SET subjects = '{}'", "is not what was written"),
        ("UPDATE accounts_accesslog SET actor_id = NULL WHERE action = 'VIEW'", "is not what was written"),
        ("UPDATE accounts_accesslog SET at = at - interval '1 day'", "is not what was written"),
        ("UPDATE accounts_accesslog SET detail = '{}' WHERE action = 'EXPORT'", "is not what was written"),
    ],
)
def test_an_access_log_that_was_tampered_with(logged, sql, how):
    corrupt(sql)
    found = broken()
    assert {(one.invariant, one.detail) for one in found} == {("INV-15", how)}
    assert f"access log {logged[0].pk if 'VIEW' not in sql else logged[1].pk}" in {one.subject for one in found}


def test_rows_of_the_log_written_together_are_sealed_too(staff):
    AccessLog.objects.bulk_create(AccessLog(actor=staff, action=AccessAction.VIEW, at=NOW) for _ in range(3))
    assert codes() == set()


@pytest.mark.parametrize("days", [40, -40])
def test_a_deadline_that_no_rule_gives(line, days):
    corrupt("UPDATE orders_orderline SET ship_by = ship_by + make_interval(days => %s)", days)
    corrupt("UPDATE orders_order SET next_due_at = next_due_at + make_interval(days => %s)", days)
    assert codes() == {"INV-18"}


def test_deadlines_that_somebody_gave_are_no_faults(make_order, lines_of, staff):
    own = lines_of(make_order(paid=True, ship_by=NOW + timedelta(days=60)))[0]
    told = lines_of(make_order(paid=True))[0]
    day = (NOW + timedelta(days=60)).date()
    notice = {"delay_reason": "ETC", "detail": "입고 지연"}
    done = changes.notify_delay(line_ids=[told.pk], new_date=day, actor=staff, at=NOW, **notice)
    assert done.refused == {}
    assert reloaded(own).ship_by == NOW + timedelta(days=60)
    assert reloaded(told).ship_by > NOW + timedelta(days=59)
    assert codes() == set()
    corrupt("UPDATE orders_orderevent SET data = NULL WHERE kind = 'order.received'")
    assert [one.subject for one in broken()] == [own.number]


# The command


def check(*args):
    """Exit code and output."""
    out = StringIO()
    try:
        call_command("oms_check", *args, stdout=out)
    except SystemExit as ended:
        return ended.code, out.getvalue()
    return 0, out.getvalue()


def test_the_command_ends_with_0_while_everything_holds(line):
    code, text = check("INV-02", "INV-18", "--json")
    said = json.loads(text)
    assert (code, said["ok"], said["violations"]) == (0, True, [])
    assert {one["code"] for one in said["checked"]} == {"INV-02", "INV-18"}
    code, text = check("INV-02")
    assert (code, text.startswith("INV-02 ok")) == (0, True)


def test_the_command_ends_with_1_and_names_what_is_broken(line):
    corrupt("UPDATE orders_orderline SET ship_by = NULL WHERE id = %s", line.pk)
    code, text = check("INV-18", "--json")
    said = json.loads(text)
    assert (code, said["ok"]) == (1, False)
    detail = "PREPARING without a deadline"
    assert said["violations"] == [{"invariant": "INV-18", "subject": line.number, "detail": detail}]
    code, text = check("INV-18")
    assert (code, "INV-18 BROKEN" in text, line.number in text) == (1, True, True)


@pytest.mark.parametrize("args", [["FOO", "--json"], ["INV-99"], ["INV-02", "inv-02"]])
def test_an_unknown_code_is_an_error_that_names_the_known_ones(db, args):
    with pytest.raises(CommandError) as refused:
        check(*args)
    assert all(one.code in str(refused.value) for one in declared_invariants())
    assert "unknown: " in str(refused.value)


def test_every_invariant_of_the_shop_has_a_check():
    known = {one.code for one in declared_invariants()}
    assert known >= {f"INV-{n:02d}" for n in (1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18)}


def test_rows_from_before_there_were_seals_get_one(logged):
    corrupt("DELETE FROM accounts_accessseal")
    assert codes() == {"INV-15"}
    with connection.cursor() as cursor:
        cursor.execute(import_module("accounts.migrations.0004_seal_older_rows").SEAL)
    assert codes() == set()
