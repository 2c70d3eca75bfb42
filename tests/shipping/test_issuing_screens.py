"""송장 채번 on the list, and 설정 · 송장 번호 (ux.md 2.4, 6.3; reliability.md F10)."""

import re

import pytest

from accounts.roles import Role
from core.models import Job, JobItem, JobState, SettingChange
from core.sealing import seal
from orders.services import locks
from shipping.drains import issue_cj
from shipping.models import AccountState, CourierContract, Parcel, WaybillNumber, WaybillRange
from shipping.services import shipments
from shipping.services.issuing import issuers
from shipping.services.issuing.contracts import ContractFacts, save_contract
from shipping.services.issuing.issue import issue_waybills
from shipping.services.numbers import waybills
from shipping.states import ContractMode
from tests.fixtures.answers import text_of
from tests.fixtures.contracts import range_contract
from tests.fixtures.orders import NOW
from tests.fixtures.shipments import again

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/settings/waybills/"
HX = {"HX-Request": "true"}
IDS = {"page": "ready", "mode": "ids"}


def rows_of(rows):
    return [(row.pk, row.version) for row in again(rows)]


def test_the_act_issues_out_of_a_range_and_can_be_undone(make_shipments, sign_in, press):
    contract, rows = range_contract(), make_shipments(3)
    locks.hold(line_ids=shipments.lines_of([rows[2].pk]), actor=None, at=NOW, reason="고객 부재")
    client = sign_in(Role.LOGISTICS)
    preview, answer = press(client, "issue-waybills", "ready", rows_of(rows), contract=str(contract.pk))
    assert "2건의 송장번호 발급을 요청합니다" in preview.content.decode()
    assert WaybillNumber.objects.count() == 2
    text = answer.content.decode()
    assert "3건 중 2건의 송장번호 발급을 요청했습니다." in text
    assert "기다립니다" not in text
    assert [bool(row.waybill) for row in again(rows)] == [True, True, False]
    job = Job.objects.get()
    undo = client.post(f"/jobs/{job.uuid}/undo/", headers={"HX-Request": "true"})
    assert undo.status_code == 200
    client.post(f"/jobs/{job.uuid}/undo/apply/", headers={"HX-Request": "true"})
    assert set(Parcel.objects.values_list("state", flat=True)) == {"VOID"}
    assert set(WaybillNumber.objects.values_list("state", flat=True)) == {"VOID"}


def test_the_same_click_twice_issues_once(make_shipments, sign_in, press):
    contract, rows = range_contract(), make_shipments(2)
    client, seen = sign_in(Role.LOGISTICS), rows_of(rows)
    press(client, "issue-waybills", "ready", seen, contract=str(contract.pk))
    preview, answer = press(client, "issue-waybills", "ready", seen, contract=str(contract.pk))
    assert (preview.status_code, answer) == (409, None)
    assert WaybillNumber.objects.count() == Parcel.objects.count() == 2


def test_the_rest_of_a_range_goes_in_two_presses_of_who_may(make_shipments, sign_in):
    contract = range_contract(size=10)
    url, one = f"{LIST}{contract.pk}/", WaybillRange.objects.get()
    owner, press_drop = sign_in(Role.OWNER), {"part": "drop", "range": str(one.pk)}
    assert "남은 번호 버리기" not in owner.get(url).content.decode()
    refused = owner.post(url, press_drop)
    assert (refused.status_code, "먼저 중지한 뒤" in refused.content.decode()) == (422, True)
    owner.post(url, press_drop | {"part": "off"})
    assert "남은 번호 버리기" in owner.get(url).content.decode()
    assert sign_in(Role.AUDITOR).post(url, press_drop).status_code == 403
    assert WaybillRange.objects.count() == 1
    done = owner.post(url, press_drop, follow=True)
    assert "번호를 쓰지 않은 대역이라 지웠습니다." in done.content.decode()
    assert WaybillRange.objects.count() == 0
    assert owner.post(url, press_drop).status_code == 404


def test_a_contract_that_gives_no_numbers_says_so_in_the_dialog(make_shipments, sign_in, press):
    good, [row] = range_contract(), make_shipments(1)
    facts = ContractFacts(name="로젠 프로그램", courier="KGB", mode=ContractMode.COURIER_FILE)
    by_file = save_contract(code="kgb", given=facts, options={}, actor=None, at=NOW)
    client = sign_in(Role.LOGISTICS)
    _, answer = press(client, "issue-waybills", "ready", rows_of([row]), contract=str(by_file.pk))
    assert answer.status_code == 422
    assert "파일로 번호를 받는 계약입니다. 목록의" in text_of(answer)
    assert (Job.objects.get().state, WaybillNumber.objects.count()) == (JobState.PREVIEW, 0)
    answer = client.post(f"/acts/{Job.objects.get().uuid}/apply/", {"contract": str(good.pk)}, headers=HX)
    assert "1건의 송장번호 발급을 요청했습니다." in text_of(answer)
    assert Parcel.objects.count() == 1


def test_who_comes_second_is_told_which_numbers_were_issued(make_shipments, sign_in, press):
    """A15: both have their preview open when the first one presses."""
    contract, rows = range_contract(), make_shipments(3)
    first, second, seen = sign_in(Role.LOGISTICS), sign_in(Role.OWNER), rows_of(rows)
    late = second.post("/acts/issue-waybills/", {**IDS, "rows": ",".join(f"{a}:{b}" for a, b in seen)}, headers=HX)
    press(first, "issue-waybills", "ready", seen[:2], contract=str(contract.pk))
    apply_url = re.search(r"/acts/[0-9a-f-]{36}/apply/", late.content.decode())[0]
    answer = second.post(apply_url, {"contract": str(contract.pk)}, headers=HX)
    assert "이미 발급됨 2건" in text_of(answer)
    numbers = [row.waybill for row in again(rows)]
    told = JobItem.objects.filter(job__actor__role=Role.OWNER).exclude(reason="").order_by("target_id")
    assert [item.reason for item in told] == [f"이미 발급됨: {number}" for number in numbers[:2]]
    assert WaybillNumber.objects.count() == Parcel.objects.count() == len(set(numbers)) == 3
    stale, none = press(second, "issue-waybills", "ready", seen, contract=str(contract.pk))
    assert (stale.status_code, none) == (409, None)
    assert "이미 발급됨 3건" in text_of(stale)


def test_a_kill_between_reserving_and_writing_leaves_numbers_that_are_used(make_shipments, sign_in, press, monkeypatch):
    contract, rows = range_contract(), make_shipments(2)
    monkeypatch.setenv("OMS_FAILPOINTS", "waybill_reserved=raise")
    client = sign_in(Role.LOGISTICS)
    press(client, "issue-waybills", "ready", rows_of(rows), contract=str(contract.pk))
    assert (Parcel.objects.count(), WaybillNumber.objects.count()) == (0, 2)
    reserved = set(WaybillNumber.objects.values_list("number", flat=True))
    monkeypatch.delenv("OMS_FAILPOINTS")
    press(client, "issue-waybills", "ready", rows_of(rows), contract=str(contract.pk))
    assert {row.waybill for row in again(rows)} == reserved
    assert WaybillRange.objects.get().next_body == 100_000_002


def test_the_act_says_what_is_on_its_way_and_its_undo_reaches_what_came(
    make_shipments, sign_in, press, contract, courier
):
    rows = make_shipments(2)
    client = sign_in(Role.LOGISTICS)
    _, answer = press(client, "issue-waybills", "ready", rows_of(rows), contract=str(contract.pk))
    assert "2건은 택배사의 답을 기다립니다" in answer.content.decode()
    page = client.get("/orders/ready/?period=all").content.decode()
    assert page.count("발급 중") >= 2
    job = Job.objects.get()
    assert WaybillNumber.objects.get(shipment=rows[0]).batch == job
    issue_cj(at=NOW.replace(year=2027))
    assert "발급 중" not in client.get("/orders/ready/?period=all").content.decode()
    undo = client.post(f"/jobs/{job.uuid}/undo/", headers={"HX-Request": "true"})
    assert undo.status_code == 200
    client.post(f"/jobs/{job.uuid}/undo/apply/", headers={"HX-Request": "true"})
    assert set(Parcel.objects.values_list("state", flat=True)) == {"VOID"}


def test_the_reason_stands_in_the_cell_of_the_number(make_shipments, sign_in, staff, contract, courier):
    courier.faults = [("register", "UNDELIVERABLE")]
    rows = make_shipments(1)
    issue_waybills(shipment_ids=[rows[0].pk], contract_id=contract.pk, actor=staff, at=NOW)
    issue_cj(at=NOW)
    for role in (Role.LOGISTICS, Role.VIEWER):
        page = sign_in(role).get("/orders/ready/?period=all").content.decode()
        assert "발급 실패" in page
        assert "배송불가 지역 구간 없음" in page


def test_without_a_contract_the_dialog_says_where_to_register_one(make_shipments, sign_in, press):
    rows = make_shipments(1)
    preview, answer = press(sign_in(Role.LOGISTICS), "issue-waybills", "ready", rows_of(rows))
    assert (preview.status_code, answer) == (409, None)
    assert "계약을 등록하세요" in preview.content.decode()


def form_of(**facts):
    given = {
        "code": "cj-main", "name": "CJ 본사", "courier": "CJGLS", "customer_code": "C1", "is_active": "on",
        "is_default": "on",
    }  # fmt: skip
    return given | facts


def test_a_contract_and_its_ranges_are_registered_and_changed(sign_in):
    client = sign_in(Role.OWNER)
    assert "택배 계약이 없습니다" in client.get(LIST).content.decode()
    assert "번호 받는 방법" in client.get(f"{LIST}new/").content.decode()
    made = client.post(f"{LIST}new/?mode=RANGE", form_of())
    contract = CourierContract.objects.get()
    assert (made.status_code, made["Location"]) == (302, f"{LIST}{contract.pk}/")
    page = client.post(f"{LIST}{contract.pk}/", {"part": "range", "head": "68", "start": "1", "end": "2", "order": "1"})
    assert page.status_code == 422
    assert "본번호는 숫자 9자리입니다" in page.content.decode()
    given = {"part": "range", "head": "68", "start": "100000000", "end": "100000099", "order": "1"}
    assert client.post(f"{LIST}{contract.pk}/", given).status_code == 302
    answer = client.post(f"{LIST}{contract.pk}/", given)
    assert answer.status_code == 422
    assert "겹칩니다" in answer.content.decode()
    one = WaybillRange.objects.get()
    assert "68100000000~68100000099" in client.get(f"{LIST}{contract.pk}/").content.decode()
    client.post(f"{LIST}{contract.pk}/", {"part": "off", "range": str(one.pk)})
    assert not WaybillRange.objects.get().is_active
    seen = client.get(f"{LIST}{contract.pk}/").context["form"].initial["seen"]
    changed = form_of(name="CJ 새 이름", seen=seen)
    assert client.post(f"{LIST}{contract.pk}/", changed).status_code == 302
    stale = client.post(f"{LIST}{contract.pk}/", changed | {"name": "늦은 이름"})
    assert stale.status_code == 409
    assert CourierContract.objects.get().name == "CJ 새 이름"
    assert SettingChange.objects.filter(key__startswith="courier_contract:cj-main:").count() >= 4


@pytest.mark.parametrize("role", list(Role))
def test_who_looks_at_a_contract_and_who_changes_it(role, sign_in):
    contract, client = range_contract(), sign_in(role)
    may_look, may_edit = role in {Role.OWNER, Role.AUDITOR}, role == Role.OWNER
    page = client.get(f"{LIST}{contract.pk}/")
    assert page.status_code == (200 if may_look else 403)
    if may_look:
        text = page.content.decode()
        assert ("변경 이력" in text, "68100000000~68100000999" in text) == (True, True)
        assert ("대역 등록</button>" in text, ">중지<" in text, ">저장<" in text) == (may_edit,) * 3
    off = {"part": "off", "range": str(WaybillRange.objects.get().pk)}
    assert client.post(f"{LIST}{contract.pk}/", off).status_code == (302 if may_edit else 403)
    assert WaybillRange.objects.get().is_active is not may_edit


def test_the_history_of_a_contract_is_told_in_words(sign_in):
    client = sign_in(Role.OWNER)
    client.post(f"{LIST}new/?mode=RANGE", form_of())
    contract = CourierContract.objects.get()
    url = f"{LIST}{contract.pk}/"
    client.post(url, {"part": "range", "head": "68", "start": "100000000", "end": "100000099", "order": "1"})
    client.post(url, {"part": "off", "range": str(WaybillRange.objects.get().pk)})
    seen = client.get(url).context["form"].initial["seen"]
    changed = form_of(name="CJ 새 이름", cut_off="17:30", seen=seen)
    del changed["is_default"]
    assert client.post(url, changed).status_code == 302
    told = [(row.label, row.old, row.new) for row in client.get(url).context["changes"]]
    assert told == [
        ("기본 계약", "사용", "사용 안 함"),
        ("집하 마감", "없음", "17:30"),
        ("이름", "CJ 본사", "CJ 새 이름"),
        ("송장번호 대역", "68100000000~68100000099 사용", "68100000000~68100000099 중지"),
        ("송장번호 대역", "없음", "68100000000~68100000099 · 100개"),
        ("계약 등록", "없음", "CJ 본사 · 송장번호 대역"),
    ]
    other = range_contract(code="cj-main-2", size=0)
    assert len(client.get(f"{LIST}{other.pk}/").context["changes"]) == 1


def test_a_range_without_sort_codes_says_so_before_anything_is_printed(make_shipments, sign_in, contract, courier):
    ranged, client = range_contract(), sign_in(Role.OWNER)
    said = "출력하기 전에 CJ대한통운 API 계약도 등록하세요."
    CourierContract.objects.filter(pk=contract.pk).update(is_active=False)
    [row] = make_shipments(1)
    dialog = {"page": "ready", "mode": "ids", "rows": f"{row.pk}:{row.version}"}
    assert said in client.get(f"{LIST}{ranged.pk}/").content.decode()
    assert said in client.post("/acts/issue-waybills/", dialog, headers=HX).content.decode()
    CourierContract.objects.filter(pk=contract.pk).update(is_active=True)
    assert said not in client.get(f"{LIST}{ranged.pk}/").content.decode()
    assert said not in client.post("/acts/issue-waybills/", dialog, headers=HX).content.decode()


def test_keys_go_in_and_never_come_out(sign_in):
    client = sign_in(Role.OWNER)
    keys = {f"option_{name}": f"secret-{name}" for name, _ in issuers.KEYS[ContractMode.HANJIN_API]}
    facts = form_of(courier="HANJIN", base_url="https://api.example.com", **keys)
    assert client.post(f"{LIST}new/?mode=HANJIN_API", facts).status_code == 302
    contract = CourierContract.objects.get()
    assert contract.options()["api_key"] == "secret-api_key"
    assert "secret-" not in str(contract.sealed_options)
    page = client.get(f"{LIST}{contract.pk}/").content.decode()
    assert "저장됨" in page
    assert "secret-" not in page
    assert not any("secret-" in str(row.new) for row in SettingChange.objects.all())
    seen = client.get(f"{LIST}{contract.pk}/").context["form"].initial["seen"]
    kept = form_of(courier="HANJIN", base_url="https://api.example.com", seen=seen)
    assert client.post(f"{LIST}{contract.pk}/", kept).status_code == 302
    assert CourierContract.objects.get().options()["api_key"] == "secret-api_key"


@pytest.mark.parametrize(
    ("mode", "facts", "field"),
    [
        ("CJ_API", {"base_url": "http://api.example.com"}, "base_url"),
        ("CJ_API", {"base_url": ""}, "base_url"),
        ("CJ_API", {"base_url": "https://api.example.com", "courier": "HANJIN"}, "courier"),
        ("RANGE", {"courier": "DHL"}, "courier"),
        ("RANGE", {"code": "CJ 본사"}, "code"),
        ("RANGE", {"name": ""}, "name"),
        ("RANGE", {"cut_off": "25시"}, "cut_off"),
    ],
)
def test_a_contract_that_cannot_work_is_refused_at_its_field(mode, facts, field, sign_in):
    answer = sign_in(Role.OWNER).post(f"{LIST}new/?mode={mode}", form_of(**facts))
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert CourierContract.objects.count() == 0


def test_numbers_that_wait_are_tried_again_or_given_up(make_shipments, sign_in, staff, contract, courier):
    courier.faults = [("register", "lost")]
    rows = make_shipments(1)
    issue_waybills(shipment_ids=[rows[0].pk], contract_id=contract.pk, actor=staff, at=NOW)
    issue_cj(at=NOW.replace(year=2090))
    number = WaybillNumber.objects.get()
    url = f"{LIST}numbers/{number.pk}/"
    client = sign_in(Role.OWNER)
    assert number.key in client.get(LIST).content.decode()
    assert sign_in(Role.LOGISTICS).post(url, {"part": "abandon", "reason": "확인"}).status_code == 403
    assert sign_in(Role.AUDITOR).post(url, {"part": "retry"}).status_code == 403
    assert client.post(url, {"part": "retry"}).status_code == 302
    assert WaybillNumber.objects.get().next_try_at < number.next_try_at
    assert client.post(url, {"part": "abandon", "reason": ""}).status_code == 422
    assert WaybillNumber.objects.get().state == "RESERVED"
    assert "기사가 두 번" in client.get(url).content.decode()
    assert client.post(url, {"part": "abandon", "reason": "전화로 확인"}).status_code == 302
    assert WaybillNumber.objects.get().state == "ABANDONED"
    assert client.post(url, {"part": "abandon", "reason": "전화로 확인"}).status_code == 409
    assert client.post(f"{LIST}numbers/999999/", {"part": "retry"}).status_code == 404


def test_a_booking_that_a_person_canceled_at_the_courier_leaves_the_list(
    make_shipments, sign_in, staff, contract, courier
):
    [row] = make_shipments(1)
    issue_waybills(shipment_ids=[row.pk], contract_id=contract.pk, actor=staff, at=NOW)
    issue_cj(at=NOW)
    courier.faults = [("cancel", "REJECTED")]
    waybills.void_waybills(line_ids=shipments.lines_of([row.pk]), actor=staff, at=NOW, reason="주소 오류")
    issue_cj(at=NOW)
    number, client = WaybillNumber.objects.get(), sign_in(Role.OWNER)
    url = f"{LIST}numbers/{number.pk}/"
    page = client.get(LIST).content.decode()
    assert "접수 취소 안 됨" in page
    assert ">취소 확인<" in page
    assert sign_in(Role.AUDITOR).post(url, {"part": "settle"}).status_code == 403
    assert WaybillNumber.objects.get().cancel == "REFUSED"
    assert client.post(url, {"part": "settle"}).status_code == 302
    number.refresh_from_db()
    assert (number.cancel, "님이 택배사 접수 취소를 확인했습니다." in number.last_error) == ("DONE", True)
    assert number.key not in client.get(LIST).content.decode()
    assert client.post(url, {"part": "settle"}).status_code == 409
    assert client.post(f"{LIST}numbers/999999/", {"part": "settle"}).status_code == 404


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"state": AccountState.BLOCKED}, "인증이 거절되어"),
        ({"is_active": False}, "계약을 먼저 켜세요"),
        ({"paused_until": NOW.replace(year=2090)}, "한도가 풀렸으면 계약에서 연결 확인을 누르세요."),
    ],
)
def test_a_number_of_a_contract_that_stands_still_is_not_promised_another_try(
    facts, said, make_shipments, sign_in, staff, contract, courier
):
    [row] = make_shipments(1)
    issue_waybills(shipment_ids=[row.pk], contract_id=contract.pk, actor=staff, at=NOW)
    WaybillNumber.objects.update(next_try_at=NOW.replace(year=2091))
    CourierContract.objects.update(**facts)
    answer = sign_in(Role.OWNER).post(f"{LIST}numbers/{WaybillNumber.objects.get().pk}/", {"part": "retry"})
    assert (answer.status_code, said in answer.content.decode()) == (409, True)
    assert WaybillNumber.objects.get().next_try_at == NOW.replace(year=2091)


def test_keys_that_do_not_open_and_missing_adapters_are_told(sign_in, contract, courier):
    client = sign_in(Role.OWNER)
    url = f"{LIST}{contract.pk}/"
    told = client.post(url, {"part": "check"}, follow=True).content.decode()
    assert "연결되었습니다" in told
    CourierContract.objects.update(sealed_options={"x": seal("y", purpose="another")})
    assert "키를 다시 입력하세요" in client.post(url, {"part": "check"}, follow=True).content.decode()
    CourierContract.objects.update(sealed_options={}, state=AccountState.BLOCKED)
    assert "인증이 거절" in client.get("/orders/ready/?period=all").content.decode()
    courier.faults = [("refine", "AUTH")]
    CourierContract.objects.update(state=AccountState.OK)
    assert "우리 키를 받지 않았습니다" in client.post(url, {"part": "check"}, follow=True).content.decode()
    assert CourierContract.objects.get().state == AccountState.BLOCKED
