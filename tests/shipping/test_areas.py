"""제주와 도서산간: zips at their borders, the levels of rules, and what an order keeps."""

from datetime import date, timedelta

import pytest

from accounts.roles import Role
from core.models import SettingChange
from core.settings_registry import set_setting
from orders.models import Order
from orders.services.changes import Recipient, change_recipient
from orders.services.places import Address, Place
from orders.states import RemoteZone
from shipping.models import AreaLevel, RemoteArea
from shipping.services.area_rules import add_area
from shipping.services.areas import zones_of
from tests.fixtures.orders import ADDRESS, NOW, reloaded

JEJU, ISLAND, MAINLAND = RemoteZone.JEJU, RemoteZone.ISLAND, RemoteZone.MAINLAND


def zone(zip_code="", text="", **facts):
    [place] = zones_of([Address(zip_code, text)], at=NOW, **facts)
    return place.zone


def rule(level, where, zone, **facts):
    places = {"zip_from": where, "zip_to": facts.pop("to", where)} if level == AreaLevel.ZIP else {"text": where}
    values = {"level": level, "zone": zone, "valid_from": date(2026, 1, 1), **places, **facts}
    return add_area(facts=values, actor=None, at=NOW)


@pytest.mark.parametrize(
    ("zip_code", "wanted"),
    [
        ("62999", MAINLAND), ("63000", JEJU), ("63322", JEJU), ("63644", JEJU), ("63645", MAINLAND),
        ("40199", MAINLAND), ("40200", ISLAND), ("40240", ISLAND), ("40241", MAINLAND),
        ("22385", MAINLAND), ("22386", ISLAND), ("22388", ISLAND), ("22389", MAINLAND),
        ("31708", ISLAND), ("31707", MAINLAND), ("31709", MAINLAND), ("58826", ISLAND), ("28826", MAINLAND),
        ("58827", MAINLAND), ("58828", ISLAND), ("58866", ISLAND), ("58867", MAINLAND), ("59790", ISLAND),
        ("59791", MAINLAND), ("06234", MAINLAND), ("01000", MAINLAND), ("", MAINLAND), ("630", MAINLAND),
        ("６３０００", MAINLAND), ("99999", MAINLAND), ("00000", MAINLAND),
    ],
)  # fmt: skip
def test_the_zips_of_the_start_at_their_borders(db, zip_code, wanted):
    assert zone(zip_code, "서울 강남구 테헤란로 1") == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("제주특별자치도 서귀포시 중문로 1", JEJU),
        ("제주 제주시 첨단로 242", JEJU),
        ("경북 울릉군 울릉읍 도동길 1", ISLAND),
        ("경상북도 울릉군 서면", ISLAND),
        ("서울 강남구 제주식당길 1", MAINLAND),  # only the beginning names the province
    ],
)
def test_an_address_without_zip_is_known_by_its_province(db, text, wanted):
    assert zone("", text) == wanted


def test_words_beat_the_zip_and_the_zip_beats_the_province(db):
    rule(AreaLevel.PROVINCE, "충남 보령시", ISLAND)
    assert zone("33400", "충남 보령시 오천면 외연도리 1") == ISLAND
    rule(AreaLevel.ZIP, "33400", MAINLAND)
    assert zone("33400", "충남 보령시 오천면 외연도리 1") == MAINLAND
    rule(AreaLevel.PATTERN, "오천면 외연도리", ISLAND)
    assert zone("33400", "충남 보령시 오천면  외연도리 1") == ISLAND
    assert zone("33400", "충남 보령시 대천동 1") == MAINLAND


def test_a_narrower_rule_takes_a_part_of_a_range_out(db):
    rule(AreaLevel.ZIP, "63100", MAINLAND, to="63110")
    assert [zone(one) for one in ("63099", "63100", "63110", "63111")] == [JEJU, MAINLAND, MAINLAND, JEJU]


def test_a_courier_s_own_rule_beats_that_of_all_and_counts_for_it_alone(db):
    rule(AreaLevel.ZIP, "63000", JEJU, to="63644", courier="HANJIN", surcharge=4_000)
    rule(AreaLevel.ZIP, "63000", JEJU, to="63644", courier="EPOST", surcharge=0, valid_from=date(2001, 1, 1))
    jeju = [Address("63000", "")]
    assert zones_of(jeju, at=NOW, courier="HANJIN") == [Place(JEJU, 4_000)]
    assert zones_of(jeju, at=NOW, courier="EPOST") == [Place(JEJU, 0)]
    assert zones_of(jeju, at=NOW) == [Place(JEJU, 0)]


def test_a_rule_counts_from_its_day_in_seoul(db):
    day = NOW.date() + timedelta(days=3)
    rule(AreaLevel.ZIP, "63000", JEJU, to="63644", valid_from=day, surcharge=5_000)
    midnight = NOW.replace(hour=0, minute=0) + timedelta(days=3)
    jeju = [Address("63000", "")]
    assert zones_of(jeju, at=midnight - timedelta(seconds=1)) == [Place(JEJU, 0)]
    assert zones_of(jeju, at=midnight) == [Place(JEJU, 5_000)]


def test_a_rule_out_of_use_counts_no_more(db):
    RemoteArea.objects.update(is_active=False)
    assert zone("63000", "제주 제주시") == MAINLAND


@pytest.mark.parametrize(("policy", "wanted"), [("three", [3_000, 7_000, 0]), ("two", [3_000, 3_000, 0])])
def test_amounts_follow_the_policy(staff, policy, wanted):
    for key, value in (("remote_policy", policy), ("jeju_surcharge", 3_000), ("island_surcharge", 7_000)):
        set_setting(key=key, value=value, actor=staff, at=NOW)
    found = zones_of([Address("63000", ""), Address("40200", ""), Address("06234", "")], at=NOW)
    assert [place.surcharge for place in found] == wanted


def test_a_thousand_addresses_cost_two_questions(db, django_assert_num_queries):
    with django_assert_num_queries(2):
        found = zones_of([Address(f"{63000 + n % 900:05d}", "") for n in range(1_000)], at=NOW)
    assert sum(place.zone == JEJU for place in found) == 645 + 100


def stored(order):
    row = reloaded(order)
    return row.remote_zone, row.remote_surcharge_amount


def test_an_order_keeps_the_zone_it_came_with_whatever_the_table_says_later(make_order, staff):
    set_setting(key="jeju_surcharge", value=3_000, actor=staff, at=NOW)
    jeju = make_order(zip_code="63000", address1="제주 제주시 첨단로 1")
    home = make_order()
    assert [stored(one) for one in (jeju, home)] == [(JEJU, 3_000), (MAINLAND, 0)]
    assert jeju.due_amount == home.due_amount
    set_setting(key="jeju_surcharge", value=9_000, actor=staff, at=NOW)
    RemoteArea.objects.update(is_active=False)
    assert stored(jeju) == (JEJU, 3_000)
    # A change of the name alone says nothing about the place.
    facts = {name: getattr(jeju, name) for name in Recipient.__slots__} | {"recipient_name": "다른이"}
    change_recipient(order_id=jeju.pk, recipient=Recipient(**facts), expected_version=jeju.version, actor=staff, at=NOW)
    assert stored(jeju) == (JEJU, 3_000)


def test_a_new_address_is_judged_with_the_change(make_order, staff):
    order = make_order()
    facts = ADDRESS | {"zip_code": "40200", "address1": "경북 울릉군 울릉읍"}
    change_recipient(
        order_id=order.pk, recipient=Recipient(**facts), expected_version=order.version, actor=staff, at=NOW
    )
    assert stored(order)[0] == ISLAND
    assert Order.objects.filter(remote_zone=ISLAND).count() == 1


POSTED = {
    "level": "ZIP", "zip_from": "12345", "zip_to": "12349", "text": "", "courier": "", "zone": "3", "surcharge": "5000",
    "valid_from": "2026-01-01", "source": "운임표", "is_active": "on",
}  # fmt: skip
PAGE = "/settings/remote-areas/"


def test_the_owner_adds_changes_and_switches_off(sign_in):
    owner = sign_in(Role.OWNER)
    assert owner.post(PAGE, POSTED)["Location"] == PAGE
    area = RemoteArea.objects.get(zip_from="12345")
    assert zone("12347") == ISLAND
    assert "12345–12349" in owner.get(PAGE).content.decode()
    twice = owner.post(PAGE, POSTED)
    assert twice.status_code == 422
    assert "이미 있습니다" in twice.content.decode()
    place = f"{PAGE}{area.pk}/"
    assert owner.get(place).status_code == 200
    assert owner.post(PAGE, POSTED | {"courier": "HANJIN"}).status_code == 302
    assert [one.new["courier"] for one in SettingChange.objects.order_by("pk")] == ["모든 택배사", "한진택배"]
    off = {name: value for name, value in POSTED.items() if name != "is_active"} | {"version": "0"}
    assert owner.post(place, off).status_code == 302
    assert zone("12347") == MAINLAND
    assert owner.post(place, POSTED | {"version": "0"}).status_code == 409
    assert not reloaded(area).is_active


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"zip_from": "1234"}, "숫자 5자리"),
        ({"zip_from": ""}, "우편번호를 입력하세요"),
        ({"zip_to": "12344"}, "처음 번호보다"),
        ({"level": "PATTERN", "text": " 섬 "}, "두 글자 이상"),
        ({"surcharge": "-1"}, "0부터"),
        ({"valid_from": ""}, "적용 시작일을"),
        ({"zone": ""}, "권역을 고르세요."),
        ({"level": ""}, "비교 기준을 고르세요."),
    ],
)
def test_what_is_no_rule_is_refused_with_its_reason(sign_in, wrong, said):
    before = RemoteArea.objects.count()
    answer = sign_in(Role.OWNER).post(PAGE, POSTED | wrong)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert RemoteArea.objects.count() == before


def test_the_amounts_are_kept_on_the_same_page(sign_in):
    owner = sign_in(Role.OWNER)
    shown = owner.get(PAGE).context["settings_form"].initial["was"]
    posted = {
        "part": "settings",
        "was": shown,
        "remote_policy": "two",
        "jeju_surcharge": "3000",
        "island_surcharge": "0",
    }
    assert owner.post(PAGE, posted).status_code == 302
    [place] = zones_of([Address("40200", "")], at=NOW)
    assert place == Place(ISLAND, 3_000)
    assert "3,000원" in owner.get(PAGE).content.decode()


def test_only_the_right_roles_look_and_change(sign_in):
    assert sign_in(Role.AUDITOR).get(PAGE).status_code == 200
    assert sign_in(Role.AUDITOR).post(PAGE, POSTED).status_code == 403
    assert sign_in(Role.LOGISTICS).get(PAGE).status_code == 403
    assert not RemoteArea.objects.filter(zip_from="12345").exists()


def test_lists_files_and_the_detail_show_it(sign_in, make_order, make_shipments, staff):
    set_setting(key="jeju_surcharge", value=3_000, actor=staff, at=NOW)
    order = make_order(zip_code="63000", address1="제주 제주시 첨단로 1", paid=True)
    [waits] = make_shipments(zip_code="40200", address1="경북 울릉군 울릉읍")
    owner = sign_in(Role.OWNER)
    assert ">제주<" in owner.get("/orders/?period=all").content.decode()
    assert ">도서산간<" in owner.get("/orders/ready/?period=all").content.decode()
    assert waits.order.number in owner.get("/orders/ready/?period=all&zone=3").content.decode()
    assert waits.order.number not in owner.get("/orders/ready/?period=all&zone=2").content.decode()
    assert "제주 · 추가 배송비 3,000원" in owner.get(f"/orders/{order.number}/").content.decode()
