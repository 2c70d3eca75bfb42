"""설정 · 택배사 목록: who looks, who changes, what is refused, and two people at once."""

import re

import pytest

from accounts.roles import Role
from core.models import SettingChange
from shipping.couriers import COURIERS, TABLE
from shipping.models import Courier, CourierCode
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from tests.fixtures.orders import NOW

LIST, NEW = "/settings/couriers/list/", "/settings/couriers/new/"
CJ = f"{LIST}CJGLS/"


def filled(client, url, **changes):
    """What the form of a page holds, as a browser would send it back."""
    form = client.get(url).context["form"]
    values = {}
    for bound in form:
        value = bound.value()
        if value is True:
            values[bound.name] = "on"
        elif value is not None and value is not False:
            values[bound.name] = value
    return {name: value for name, value in (values | changes).items() if value is not None}


def everything():
    return (
        list(Courier.objects.order_by("pk").values()),
        list(CourierCode.objects.order_by("pk").values()),
        SettingChange.objects.count(),
    )


@pytest.mark.parametrize("role", list(Role))
def test_who_looks_and_who_changes(role, sign_in):
    client = sign_in(role)
    may_look, may_edit = role in {Role.OWNER, Role.AUDITOR}, role == Role.OWNER
    assert client.get(LIST).status_code == client.get(CJ).status_code == (200 if may_look else 403)
    assert client.get(NEW).status_code == (200 if may_edit else 403)
    before = everything()
    fields = {"name": "새 이름", "shortest": 9, "check_rule": "NONE", "level": "off", "version": 0, "is_active": "on"}
    answer = client.post(CJ, fields)
    assert answer.status_code == (302 if may_edit else 403)
    assert (everything() == before) is not may_edit
    assert client.post(NEW, {}).status_code == (422 if may_edit else 403)
    if may_look:
        page = client.get(CJ).content.decode()
        assert ("<button" in page and "저장" in page) or not may_edit
        assert "kr.cjlogistics" in client.get(LIST).content.decode() or may_edit


def test_the_list_shows_every_courier_with_its_rule_and_codes(owner):
    page = owner.get(LIST).content.decode()
    assert page.count("data-courier-row=") == len(COURIERS)
    row = re.search(r'data-courier-row="CJGLS">(.*?)</tr>', page, re.S)[1]
    for said in ("CJ대한통운", "12, 10", "끝자리 앞 9자리를 7로 나눈 나머지", "막기", "0006", "04", "kr.cjlogistics"):
        assert said in row


def test_a_change_is_kept_with_who_and_counts_at_once(owner):
    words, malls = "CJ, 씨제이\n대한통운", "cafe24 바다 0099"
    fields = filled(owner, CJ, aliases=words, digits="12", code_coupang="CJGLS", mall_codes=malls)
    assert owner.post(CJ, fields).status_code == 302
    courier = COURIERS["CJGLS"]
    assert (courier.aliases, courier.digits) == (("CJ", "씨제이", "대한통운"), (12,))
    codes = (courier.code("coupang"), courier.code("cafe24", "바다"), courier.code("cafe24"))
    assert codes == ("CJGLS", "0099", "0006")
    change = SettingChange.objects.get()
    assert (change.key, change.actor.role) == ("courier.CJGLS", Role.OWNER)
    assert (change.old["digits"], change.new["digits"]) == ("12, 10", "12")
    assert CourierCode.objects.get(courier="CJGLS", system="coupang").verified_at is not None
    assert owner.post(CJ, filled(owner, CJ)).status_code == 302
    assert SettingChange.objects.count() == 1
    assert "12, 10" in owner.get(CJ).content.decode()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"aliases": "한진"}, "'한진'은 이미 한진택배가 쓰는 이름이나 별칭입니다. 다른 말을 쓰세요."),
        ({"aliases": "한 진 택배"}, "'한 진 택배'는 이미 한진택배가 쓰는 이름이나 별칭입니다."),
        ({"aliases": "kgb"}, "'kgb'는 이미 로젠택배가 쓰는 이름이나 별칭입니다."),
        ({"aliases": "!!"}, "'!!'에는 글자나 숫자가 있어야 합니다."),
        ({"name": "롯데택배"}, "이름이 '롯데택배'인 택배사가 이미 있습니다."),
        ({"name": ""}, "이름을 입력하세요."),
        ({"code_sweettracker": "05"}, "스마트택배 코드 '05'는 이미 한진택배가 쓰고 있습니다."),
        ({"code_tracker_delivery": "kr.lotte"}, "이미 롯데택배가 쓰고 있습니다."),
        ({"link": "http://a.example/{n}"}, "배송조회 주소는 https://로 시작하고"),
        ({"link": "https://a.example/"}, "송장번호 자리에 {n}을 한 번 써야 합니다."),
        ({"link": "https://{n}.example/"}, "배송조회 주소는 https://로 시작하고"),
        ({"link": "https://a.example/{n}?b={n}"}, "배송조회 주소는 https://로 시작하고"),
        ({"link": "https://a.example/{n}{m}"}, "배송조회 주소는 https://로 시작하고"),
        ({"link": "javascript:alert({n})"}, "배송조회 주소는 https://로 시작하고"),
        ({"digits": "열둘"}, "1부터 30까지의 숫자를 쉼표로 나누어 입력하세요."),
        ({"digits": "31"}, "1부터 30까지의 숫자를 쉼표로 나누어 입력하세요."),
        ({"digits": "5"}, "자릿수는 최소 자릿수(9)부터 30까지여야 합니다."),
        ({"shortest": "0"}, "1부터 30까지의 숫자로 입력하세요."),
        ({"check_rule": "S10"}, "국제우편 S10은 영문자가 있는 13자리 번호입니다."),
        ({"mall_codes": "cafe24 0018"}, "줄을 읽을 수 없습니다."),
        ({"mall_codes": "gmarket 가 1"}, "줄을 읽을 수 없습니다."),
        ({"mall_codes": "cafe24 가 1\ncafe24 가 2"}, "코드를 하나만 쓰세요."),
        ({"is_active": None}, "기본 택배사는 끌 수 없습니다."),
    ],
)
def test_what_cannot_be_stored_is_refused_and_nothing_changes(changes, said, owner):
    before, table = everything(), dict(COURIERS)
    answer = owner.post(CJ, filled(owner, CJ, **changes))
    assert answer.status_code == 422
    page = answer.content.decode().replace("&#x27;", "'")
    assert said in page
    assert everything() == before
    TABLE.forget()
    assert dict(COURIERS) == table


def test_words_and_codes_that_two_couriers_share_already_may_stay(owner):
    """편의점 names CU and GS, kr.epost is 우체국택배 and 우편등기 (shipping.md 2)."""
    for slug in ("CVSNET", "EPOST"):
        fields = filled(owner, f"{LIST}{slug}/", shortest="10")
        assert owner.post(f"{LIST}{slug}/", fields).status_code == 302
        assert COURIERS[slug].shortest == 10


def test_of_two_people_the_second_is_told_who_was_first(owner, sign_in):
    first = filled(owner, CJ, name="첫째 이름")
    second = filled(owner, CJ, digits="12")
    assert owner.post(CJ, first).status_code == 302
    before = everything()
    answer = owner.post(CJ, second)
    assert answer.status_code == 409
    assert "먼저 바꿨습니다. 화면을 새로 고쳐 지금 값을 확인하세요." in answer.content.decode()
    assert everything() == before
    assert owner.post(CJ, first).status_code == 409
    assert COURIERS["CJGLS"].name == "첫째 이름"


def test_a_courier_out_of_use_takes_no_new_number_and_keeps_its_parcels(owner, make_sent, make_shipments):
    from_before = make_sent()[0]
    waiting = make_shipments()[0]
    assert owner.post(f"{LIST}HANJIN/", filled(owner, f"{LIST}HANJIN/", is_active=None)).status_code == 302
    assert not COURIERS["HANJIN"].is_active
    entries = {waiting.pk: WaybillEntry("HANJIN", "506738618960")}
    done = waybills.register_waybills(entries=entries, actor=None, at=NOW)
    assert done.refused == {waiting.pk: "한진택배는 쓰지 않는 택배사입니다. 다른 택배사를 고르세요."}
    assert not done.possible
    page = owner.get(CJ).content.decode()
    assert "이 택배사로 보낸 상자가 배송 중입니다." in page
    assert "이 택배사로 보낸 상자가 배송 중입니다." not in owner.get(f"{LIST}HANJIN/").content.decode()
    assert from_before.courier == "CJGLS"


def test_a_new_courier_is_found_by_its_name(owner):
    fields = filled(owner, NEW, slug="GANA", name="가나택배", digits="11", code_naver="GANA", check_rule="NONE")
    answer = owner.post(NEW, fields)
    assert (answer.status_code, answer.url) == (302, f"{LIST}GANA/")
    assert COURIERS["GANA"].code("naver") == "GANA"
    assert list(COURIERS)[-1] == "GANA"
    again = owner.post(NEW, fields)
    assert again.status_code == 422
    assert "코드 &#x27;GANA&#x27;인 택배사가 이미 있습니다." in again.content.decode()
    for wrong in ("gana", "1GANA", "G", "GANA-1", "G" * 13):
        assert owner.post(NEW, fields | {"slug": wrong, "name": "다른 택배", "code_naver": ""}).status_code == 422
    assert Courier.objects.count() == len(COURIERS)
    assert owner.get(f"{LIST}NOBODY/").status_code == 404
