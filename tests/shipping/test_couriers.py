"""The courier table and the finding of a courier in a cell of text (shipping.md 2)."""

import pytest

from shipping.couriers import (
    COURIERS,
    AmbiguousCourier,
    CheckRule,
    Courier,
    UnknownCourier,
    find_courier,
)


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("CJ대한통운", "CJGLS"),
        ("cj 대한통운", "CJGLS"),
        ("대한통운 택배", "CJGLS"),
        ("ＣＪ택배", "CJGLS"),
        ("KOREX", "CJGLS"),
        ("CJ/대한통운", "CJGLS"),
        ("CJGLS", "CJGLS"),
        ("(주)한진", "HANJIN"),
        ("현대택배", "HYUNDAI"),
        ("롯데글로벌로지스", "HYUNDAI"),
        ("HYUNDAI", "HYUNDAI"),
        ("로젠택배(주)", "KGB"),
        ("KGB", "KGB"),
        ("LOGEN", "KGB"),
        ("우체국", "EPOST"),
        ("우체국 택배", "EPOST"),
        ("우체국택배/소포", "EPOST"),
        ("우편등기", "REGISTPOST"),
        ("우체국 등기", "REGISTPOST"),
        ("우체국EMS", "EMS"),
        ("대신 택배", "DAESIN"),
        ("GS25 편의점택배", "CVSNET"),
        ("CU 편의점", "CUPARCEL"),
        ("쿠팡", "COUPANGLS"),
        ("기타", "CH1"),
    ],
)
def test_a_cell_that_names_one_courier_finds_it(text, slug):
    assert find_courier(text) is COURIERS[slug]


@pytest.mark.parametrize(
    ("text", "slugs"),
    [
        ("롯데/경동", ["HYUNDAI", "KDEXP"]),
        ("CJ, 한진", ["CJGLS", "HANJIN"]),
        ("우체국택배/등기", ["EPOST", "REGISTPOST"]),
        ("편의점택배", ["CUPARCEL", "CVSNET"]),
    ],
)
def test_a_cell_that_names_two_couriers_is_never_the_first_of_them(text, slugs):
    found = find_courier(text)
    assert isinstance(found, AmbiguousCourier)
    assert [courier.slug for courier in found.candidates] == slugs
    names = ", ".join(COURIERS[slug].name for slug in slugs)
    assert found.message == f"택배사 '{text}'에 맞는 택배사가 여럿입니다: {names}. 하나만 쓰세요."


@pytest.mark.parametrize("text", ["야호택배", "택배", "CJ대한통운 강남", "CJX", "04", "0006", "<script>", "///"])
def test_a_cell_with_anything_else_in_it_is_unknown(text):
    found = find_courier(text)
    assert isinstance(found, UnknownCourier)
    assert "찾을 수 없습니다. 설정의 택배사 이름 또는 코드를 쓰세요." in found.message


def test_the_sentence_takes_the_particle_of_the_word():
    assert find_courier("야호택배").message.startswith("택배사 '야호택배'를 ")
    assert find_courier("번개통운").message.startswith("택배사 '번개통운'을 ")
    assert find_courier(" \n").message == "택배사를 입력하세요."


def test_a_very_long_cell_is_cut_in_the_sentence():
    found = find_courier("가" * 100_000)
    assert isinstance(found, UnknownCourier)
    assert found.text == "가" * 40


def test_every_slug_name_and_alias_finds_its_courier_or_says_that_it_is_shared():
    for courier in COURIERS.values():
        for word in (courier.slug, courier.name, *courier.aliases):
            found = find_courier(word)
            assert found is courier or (isinstance(found, AmbiguousCourier) and courier in found.candidates), word
        assert find_courier(courier.name) is courier
        assert find_courier(courier.slug) is courier


def test_the_historical_codes_stand_for_the_names_of_today():
    assert COURIERS["HYUNDAI"].name == "롯데택배"
    assert COURIERS["KGB"].name == "로젠택배"
    assert COURIERS["CVSNET"].name == "GS편의점택배"
    assert COURIERS["CH1"].name == "기타 택배"


def test_a_code_that_no_two_sources_agree_on_is_empty():
    assert COURIERS["HANJIN"].code("cafe24") == ""
    assert COURIERS["CJGLS"].code("cafe24") == "0006"
    assert COURIERS["COUPANGLS"].code("naver") == ""


def test_the_tracking_page_takes_only_a_plain_number():
    assert COURIERS["KDEXP"].tracking_url("1234567890123").endswith("?barcode=1234567890123")
    assert COURIERS["KDEXP"].tracking_url("123-456") == ""
    assert COURIERS["CJGLS"].tracking_url("680000000011") == ""


def test_couriers_are_values_that_can_be_keys():
    assert len(set(COURIERS.values())) == len(COURIERS)
    assert all(isinstance(courier, Courier) and slug == courier.slug for slug, courier in COURIERS.items())
    assert COURIERS["EMS"].check == CheckRule.S10
