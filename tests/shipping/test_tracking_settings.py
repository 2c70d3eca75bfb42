"""설정 · 배송조회: accounts and their keys that never come out, quotas, routes, and what all of it can carry."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from core.calendar import kst_date
from core.models import SettingChange
from shipping.models import AccountState, CourierCode, CourierRoute, TrackingAccount, TrackingBudget, TrackingLane
from shipping.services.couriers import note_refused_code
from shipping.services.polling import stretching
from shipping.services.tracking import asking, feeds

URL, NEW = "/settings/tracking/", "/settings/tracking/new/"
FIELDS = {
    "kind": "tracker_delivery", "name": "배송조회", "base_url": "https://apis.tracker.delivery", "api_key": "",
    "per_second": "10", "per_day": "", "min_minutes": "", "concurrency": "16", "is_active": "on",
}  # fmt: skip


def account(**facts):
    facts = {"code": "tracker_delivery", "name": "배송조회", "base_url": "https://apis.tracker.delivery"} | facts
    return TrackingAccount.objects.create(**facts)


def page_of(one):
    return f"{URL}{one.pk}/"


def test_the_key_goes_in_sealed_and_never_comes_out(owner):
    assert owner.post(NEW, FIELDS | {"api_key": "client:secret"}).status_code == 302
    one = TrackingAccount.objects.get()
    assert (one.options(), one.is_active, one.per_second, one.code) == (
        {"api_key": "client:secret"},
        True,
        10,
        "tracker_delivery",
    )
    assert "secret" not in str(one.sealed_options)
    for url in (URL, page_of(one)):
        assert "secret" not in owner.get(url).content.decode()
    owner.post(page_of(one), FIELDS | {"per_second": "5"})
    one.refresh_from_db()
    assert (one.options(), one.per_second) == ({"api_key": "client:secret"}, 5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_url": "http://example.com"}, "https://로 시작해야 합니다."),
        ({"base_url": ""}, "주소를 입력하세요."),
        ({"api_key": "키"}, "키에 쓸 수 없는 글자가 있습니다."),
        ({"per_second": "-1"}, "0.01부터 1000까지의 숫자로 입력하세요."),
        ({"per_second": "nan"}, "0.01부터 1000까지의 숫자로 입력하세요."),
        ({"per_day": "0"}, "1부터 100,000,000까지의 숫자로 입력하세요."),
        ({"per_day": "99999999999999"}, "1부터 100,000,000까지의 숫자로 입력하세요."),
        ({"concurrency": "0"}, "1부터 64까지의 숫자로 입력하세요."),
        ({"min_minutes": "2000"}, "0부터 1440까지의 숫자로 입력하세요."),
    ],
)
def test_a_wrong_account_is_refused(changes, message, owner):
    answer = owner.post(NEW, FIELDS | changes)
    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert not TrackingAccount.objects.exists()


def test_an_odd_key_is_told_at_the_key(owner):
    told = owner.post(NEW, FIELDS | {"api_key": "키"}).context["form"].errors
    assert told.keys() == {"api_key"}


WRONG_ADDRESSES = [
    "http://[::1", "http://[bad]/", "on", "http://", "https://", "javascript:alert(1)", "http://x:abc/",
    "https://apis.tracker.delivery:99999", "https://apis.tracker.delivery:0/", "https://apis.tracker\u200b.delivery",
    "https://apis.tracker.delivery/\u202e", "https://apis.tracker.delivery@evil.com/", "https://a b.com/",
    "https://user:secret@apis.tracker.delivery", "https://apis.tracker.delivery/?a=1", "https://apis.tracker.delivery/#a",
    "ftp://apis.tracker.delivery", "//apis.tracker.delivery",
]  # fmt: skip


@pytest.mark.parametrize("is_sandbox", [True, False])
@pytest.mark.parametrize("address", WRONG_ADDRESSES)
def test_what_is_no_address_is_refused_and_the_old_one_stays(address, is_sandbox, owner):
    one = account(is_sandbox=is_sandbox)
    before = TrackingAccount.objects.values().get()
    answer = owner.post(page_of(one), FIELDS | {"base_url": address, "api_key": "new:key"})
    assert answer.status_code == 422
    assert "주소를 알아볼 수 없습니다. https://apis.tracker.delivery처럼 입력하세요." in answer.content.decode()
    assert TrackingAccount.objects.values().get() == before


@pytest.mark.parametrize(
    ("address", "is_sandbox"),
    [
        ("https://apis.tracker.delivery", False),
        ("https://apis.tracker.delivery:8443/graphql/", False),
        ("http://127.0.0.1:8133", True),
        ("http://[::1]:8133/", True),
        ("http://localhost:8133", True),
    ],
)
def test_a_good_address_is_stored(address, is_sandbox, owner):
    one = account(base_url="https://old.example", is_sandbox=is_sandbox)
    answer = owner.post(page_of(one), FIELDS | {"base_url": address})
    assert answer.status_code == 302
    assert TrackingAccount.objects.get().base_url == address


def test_the_connection_is_tried_at_the_real_sandbox(owner, tracker):
    one = account(base_url=tracker.base_url, is_sandbox=True)
    assert "연결되었습니다." in owner.post(page_of(one), {"part": "test"}).content.decode()
    tracker.control("config", api_key="client:secret")
    assert "인증이 거절되었습니다." in owner.post(page_of(one), {"part": "test"}).content.decode()
    tracker.control("reset")
    one.base_url = "http://127.0.0.1:9"
    one.save()
    assert "응답을 받지 못했습니다." in owner.post(page_of(one), {"part": "test"}).content.decode()


def test_the_page_says_when_the_server_asks_elsewhere(owner, monkeypatch):
    one = account()
    assert "실제 조회 주소" not in owner.get(page_of(one)).content.decode()
    monkeypatch.setenv("OMS_TRACKER_DELIVERY_BASE_URL", "http://127.0.0.1:8133")
    assert "http://127.0.0.1:8133 (서버 환경 변수가 정한 주소)" in owner.get(page_of(one)).content.decode()


def test_a_new_key_gives_a_blocked_account_and_its_lanes_another_chance(owner):
    one = account(state=AccountState.BLOCKED)
    note_refused_code(slug="CJGLS", system="tracker_delivery", at=timezone.now())
    assert "인증이 거절되어 조회를 멈췄습니다" in owner.get(URL).content.decode()
    owner.post(page_of(one), FIELDS | {"api_key": "new:key"})
    one.refresh_from_db()
    assert (one.state, one.retry_at) == (AccountState.OK, None)
    assert not CourierCode.objects.exclude(refused_at=None).exists()


def test_the_capacity_is_computed_from_the_quota_and_explained(owner):
    one = account(per_second=10)
    told = owner.get(URL).content.decode()
    found = re.search(r"이 계정으로 하루 ([\d,]+)건까지 조회할 수 있습니다 \(배송출발 상자는 평균 60분마다\)", told)
    calls = re.search(r"직원 몫 5%를 뺀 하루 ([\d,]+)회 ÷ 상자당 평균 ([\d.]+)회", told)
    assert found is not None
    assert calls is not None
    parcels, asked = (int(text.replace(",", "")) for text in (found[1], calls[1]))
    assert asked == 10 * 0.95 * 16 * 3600
    assert parcels == pytest.approx(asked / float(calls[2]), rel=0.01)
    one.per_second, one.per_day, one.min_interval = None, 10_000, 3 * 3600
    one.save()
    assert "배송출발 상자는 평균 180분마다" in owner.get(URL).content.decode()


def test_the_page_warns_when_there_are_more_parcels_than_the_quota_carries(owner, make_sent):
    one = account(per_day=100)
    make_sent(1)
    stretching.plan(at=timezone.now())
    assert "data-warning" not in owner.get(URL).content.decode()
    TrackingBudget.objects.filter(account=one).update(counts={"CJGLS": {"MOVING": 5000}})
    assert "하루에 약 2,500건을 보내고 있습니다." in owner.get(URL).content.decode()
    TrackingBudget.objects.filter(account=one).update(stretch={"waiting": 4.0, "moving": 2.5, "out": 1.0})
    told = owner.get(URL).content.decode()
    assert "조회 간격을 늘렸습니다: 집하 전 4.0배, 이동중 2.5배." in told


def test_lanes_are_shown_with_their_trouble(owner):
    one, now = account(), timezone.now()
    TrackingLane.objects.create(
        account=one, courier="CJGLS", failing_since=now, opened_until=now + timedelta(minutes=1), last_error="TIMEOUT"
    )
    told = owner.get(URL).content.decode()
    assert "CJ대한통운" in told
    assert "부터 지연" in told


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("SERVER: HTTP 500", "서버 오류 (HTTP 500)"),
        ("RATE_LIMITED: HTTP 429", "조회 한도 초과 (HTTP 429)"),
        ("MALFORMED: the answer broke off: ProtocolError", "읽을 수 없는 응답"),
        ("TIMEOUT: no answer within 10 s", "응답이 늦음"),
    ],
)
def test_the_last_error_of_a_lane_is_told_in_words_of_staff(stored, shown, owner):
    TrackingLane.objects.create(account=account(), courier="CJGLS", last_error=stored)
    told = owner.get(URL).content.decode()
    assert f"<td>{shown}</td>" in told
    assert stored not in told


def test_an_account_that_cannot_be_opened_says_so_in_words_of_staff(owner, make_sent):
    one = account(code="cj", kind="cj", base_url="http://127.0.0.1:9", is_sandbox=True)
    make_sent(1)
    asking.poll_due(at=timezone.now() + timedelta(days=1))
    feeds.due(at=timezone.now())
    feeds.pull(account_id=one.pk, at=timezone.now())
    told = owner.get(URL).content.decode()
    assert told.count("이 주소와 키로는 조회할 수 없습니다. 주소와 키를 확인하세요.") == 2
    assert "KeyError" not in told


def test_routes_are_kept_in_order_and_wrong_ones_refused(owner):
    first, second = account(), account(code="own", name="자체 서버")
    couriers = re.findall(r'name="(\w+)-0"', owner.get(URL).content.decode())
    empty = {f"{courier}-{rank}": "" for courier in couriers for rank in (0, 1, 2)}
    assert "CJGLS-0" in empty
    assert owner.post(URL, empty | {"CJGLS-0": str(second.pk), "CJGLS-1": str(first.pk)}).status_code == 302
    route = CourierRoute.objects.filter(courier="CJGLS").order_by("rank").values_list("account", flat=True)
    assert list(route) == [second.pk, first.pk]
    twice = owner.post(URL, empty | {"CJGLS-0": str(first.pk), "CJGLS-1": str(first.pk)})
    assert (twice.status_code, "같은 계정을 두 번 골랐습니다" in twice.content.decode()) == (422, True)
    assert owner.post(URL, empty | {"CJGLS-0": "999999"}).status_code == 422
    assert list(route.all()) == [second.pk, first.pk]


def test_a_courier_may_have_three_accounts_and_no_gap_between_them(owner):
    ids = [str(account(code=code, name=code).pk) for code in ("tracker_delivery", "own", "third")]
    ranks = [f"CJGLS-{rank}" for rank in range(3)]
    route = CourierRoute.objects.filter(courier="CJGLS").order_by("rank").values_list("account", flat=True)
    assert owner.post(URL, dict(zip(ranks, ids, strict=True))).status_code == 302
    assert list(route) == [int(pk) for pk in ids]
    for given, missing in [({ranks[1]: ids[0]}, "1순위"), ({ranks[0]: ids[0], ranks[2]: ids[1]}, "2순위")]:
        answer = owner.post(URL, given)
        assert answer.status_code == 422
        assert f">CJ대한통운 {missing}</a>: {missing} 계정을 먼저 고르세요." in answer.content.decode()
    assert list(route.all()) == [int(pk) for pk in ids]


def test_an_account_that_has_spent_its_day_says_so_until_tomorrow(owner):
    one, today = account(per_day=100), kst_date(timezone.now())
    budget = TrackingBudget.objects.create(account=one, day=today, used=99, staff_used=5)
    spent = "오늘 한도를 다 써서 내일 다시 조회합니다"
    assert spent not in owner.get(URL).content.decode()
    TrackingBudget.objects.update(used=100)
    assert spent in owner.get(URL).content.decode()
    budget.day, budget.used = today - timedelta(days=1), 100
    budget.save()
    assert spent not in owner.get(URL).content.decode()


def test_a_lane_that_nobody_tries_again_is_not_called_late(owner):
    one, now = account(last_ok_at=timezone.now()), timezone.now()
    lane = TrackingLane.objects.create(
        account=one, courier="CJGLS", failing_since=now - timedelta(hours=1), opened_at=now - timedelta(hours=1),
        opened_until=now + timedelta(minutes=3), last_error="SERVER: HTTP 500",
    )  # fmt: skip
    told = owner.get(URL).content.decode()
    assert "에 다시 시도" in told
    assert "응답이 없어 조회가 지연되고 있습니다" in told
    lane.opened_until = now - timedelta(minutes=2)
    lane.save()
    told = owner.get(URL).content.decode()
    assert "부터 응답이 없었고 지금은 조회하지 않음" in told
    assert "에 다시 시도" not in told
    assert "응답이 없어 조회가 지연되고 있습니다" not in told


def test_the_auditor_looks_and_others_do_not(sign_in):
    one = account()
    auditor = sign_in(Role.AUDITOR)
    page = auditor.get(URL)
    assert page.status_code == 200
    assert page_of(one) not in page.content.decode()
    assert auditor.get(page_of(one)).status_code == 403
    assert auditor.post(URL, {}).status_code == 403
    assert sign_in(Role.LOGISTICS).get(URL).status_code == 403
    assert sign_in(Role.OWNER).get(f"{URL}999999/").status_code == 404


def test_hanjin_is_tracked_at_the_host_that_its_contract_names(owner):
    form = owner.get(f"{NEW}?kind=hanjin").context["form"]
    assert (form.initial["base_url"], form.fields["base_url"].help_text) == (
        "",
        "계약할 때 받은 조회 서버의 주소입니다.",
    )
    keys = {"client_id": "C", "api_key": "K", "secret_key": "S"}
    refused = owner.post(NEW, FIELDS | keys | {"kind": "hanjin", "base_url": ""})
    assert refused.status_code == 422
    assert not TrackingAccount.objects.exists()


def test_an_account_keeps_who_changed_what_and_never_a_key(owner):
    keys = {"api_key": "client:secret"}
    owner.post(NEW, FIELDS | keys)
    one = TrackingAccount.objects.get()
    seen = owner.get(page_of(one)).context["form"].initial["seen"]
    owner.post(page_of(one), FIELDS | {"api_key": "client:other", "per_second": "2.5", "per_day": "1000", "seen": seen})
    page = owner.get(page_of(one))
    assert {(row.label, row.old, row.new) for row in page.context["changes"]} == {
        ("계정", "없음", "배송조회 · tracker.delivery"), ("키", "", "새 키"),
        ("초당 조회 한도", "10건", "2.5건"), ("하루 조회 한도", "한도 없음", "1,000건"),
    }  # fmt: skip
    [who] = {row.who for row in page.context["changes"]}
    assert who.startswith("대표")
    assert not SettingChange.objects.filter(new__icontains="secret").exists()


def test_who_saves_an_account_over_a_colleague_is_told_and_changes_nothing(owner):
    one = account()
    seen = owner.get(page_of(one)).context["form"].initial["seen"]
    assert owner.post(page_of(one), FIELDS | {"name": "먼저", "seen": seen}).status_code == 302
    late = owner.post(page_of(one), FIELDS | {"name": "나중", "api_key": "client:secret", "seen": seen})
    assert late.status_code == 409
    assert "먼저 바꿨습니다. 화면을 새로 고쳐 지금 값을 확인하세요." in late.content.decode()
    one.refresh_from_db()
    assert (one.name, one.sealed_options) == ("먼저", {})


def test_routes_keep_who_changed_them(owner):
    first, second = account(), account(code="tracker_delivery-2", name="둘째")
    assert owner.post(URL, {"CJGLS-0": second.pk, "CJGLS-1": first.pk}).status_code == 302
    assert owner.post(URL, {"CJGLS-0": second.pk, "CJGLS-1": first.pk}).status_code == 302
    [row] = owner.get(URL).context["changes"]
    assert (row.label, row.old, row.new) == ("CJ대한통운", "모든 계정", "둘째, 배송조회")
