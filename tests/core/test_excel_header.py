"""The row of column names is found in real layouts, and every column is given to the right key."""

from typing import Any

import pytest

from core.excel import FileProblem, Table, find_header, header_at, match_columns, normalize, read_table
from tests.fixtures.files import xlsx

SMARTSTORE = (
    "상품주문번호 주문번호 배송속성 풀필먼트사(주문_기준) 택배사(주문_기준) 배송방법(구매자_요청) 배송방법"
    " 택배사 송장번호 발송일 판매채널 구매자명 구매자ID 수취인명 주문상태 주문세부상태 수량클레임_여부"
    " 결제위치 결제일 상품번호 상품명 상품종류 반품안심케어 멤버십N배송 옵션정보 옵션관리코드 수량 옵션가격"
    " 상품가격 최종_상품별_할인액 최초_상품별_할인액 판매자_부담_할인액 최종_상품별_총_주문금액"
    " 최초_상품별_총_주문금액 사은품 발주확인일 발송기한 발송처리일 송장출력일 배송비_형태 배송비_묶음번호"
    " 배송비_유형 배송비_합계 제주/도서_추가배송비 배송비_할인액 판매자_상품코드 판매자_내부코드1"
    " 판매자_내부코드2 수취인연락처1 수취인연락처2 통합배송지 기본배송지 상세배송지 구매자연락처 우편번호"
    " 배송메세지 출고지 결제수단 네이버페이_주문관리_수수료 매출연동_수수료 정산예정금액 개인통관고유부호"
    " 주문일시 배송희망일 구독신청회차 구독진행회차 구독배송희망일 배송태그_유형 출입방법_유형 출입방법_내용"
    " 수령위치_유형 수령위치_내용"
)
NAMES = [name.replace("_", " ") for name in SMARTSTORE.split()]
GUIDE = (
    "◈ 엑셀 일괄발송 안내: 상품주문번호, 배송방법, 택배사, 송장번호 항목은 수정하거나 삭제하지 마시고 "
    "발송처리할 주문 건의 택배사와 송장번호를 입력한 뒤 저장하여 일괄발송 메뉴에서 업로드해 주세요."
)
TARGETS = {
    "line_number": ["상품주문번호"],
    "order_number": ["주문번호"],
    "courier": ["택배사"],
    "delivery_method": ["배송방법"],
    "waybill": ["송장번호", "운송장번호"],
    "recipient_phone": ["수취인연락처1"],
    "zip_code": ["우편번호"],
    "quantity": ["수량"],
}


def table(*rows: list[Any]) -> Table:
    width = max(len(row) for row in rows)
    padded = [[*row, *[None] * (width - len(row))] for row in rows]
    return Table("a", "xlsx", ["s"], "s", width, list(range(1, len(rows) + 1)), padded)


def test_the_72_columns_of_smartstore_are_found_under_the_guide_text():
    values = [f"값{i}" for i in range(72)]
    found = read_table(xlsx([[GUIDE], NAMES, values, values]), filename="스마트스토어.xlsx")
    header = find_header(found, TARGETS)
    assert len(NAMES) == 72
    assert header.index == 1
    assert found.numbers[header.index] == 2
    assert {key: NAMES[position] for key, position in header.columns.items()} == {
        "line_number": "상품주문번호",
        "order_number": "주문번호",
        "courier": "택배사",
        "delivery_method": "배송방법",
        "waybill": "송장번호",
        "recipient_phone": "수취인연락처1",
        "zip_code": "우편번호",
        "quantity": "수량",
    }
    assert len(header.unknown) == 72 - 8
    assert header.missing("waybill", "nothing") == ["nothing"]


def test_without_targets_the_row_that_looks_like_names_is_found():
    found = read_table(xlsx([[GUIDE], NAMES, ["2025112112345678", "20251121", *["값"] * 70]]), filename="a")
    assert find_header(found).index == 1


@pytest.mark.parametrize(
    "rows",
    [
        [["주문번호", "송장번호"], ["1", "2"]],
        [["2025년 11월 21일 출고 목록"], ["주문번호", "송장번호"], ["20251121-0000001", "680000000011"]],
        [["출고 목록"], ["담당: 김하은"], [], ["주문번호", "송장번호"], ["1", "680000000011"]],
        [[1, 2], ["주문번호", "송장번호"], [20251121, 680000000011]],
        [["수정하지 마세요", "수정하지 마세요"], ["주문번호", "송장번호"], ["a", "b"]],
        [["주문 정보", None], ["주문번호", "송장번호"], ["주문번호 없음", "직접수령"]],
    ],
)
def test_titles_guides_and_data_rows_are_not_taken_for_names(rows):
    found = table(*rows)
    header = find_header(found, TARGETS)
    assert found.rows[header.index][:2] == ["주문번호", "송장번호"]
    assert header.columns == {"order_number": 0, "waybill": 1}


def test_a_name_that_stands_twice_serves_two_keys_by_position():
    found = table(["고객주문번호", "품목명", "박스수량", "품목명"], ["D-1", "이어폰", 1, "화이트"])
    targets = {"item": ["품목명"], "item_option": ["품목명"], "key": ["고객주문번호"]}
    header = find_header(found, targets)
    assert header.columns == {"item": 1, "item_option": 3, "key": 0}
    assert header.labels == ("고객주문번호", "품목명", "박스수량", "품목명 (2)")
    assert header.unknown == (2,)


def test_a_name_that_stands_twice_is_not_lost_when_one_key_wants_it():
    header = find_header(table(["품목명", "품목명"], ["a", "b"]), {"item": ["품목명"]})
    assert (header.columns, header.unknown) == ({"item": 0}, (1,))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("받는분 주소", "받는분주소"),
        ("송장\n번호", "송장번호"),
        ("ＩＤ（주문자）", "id(주문자)"),
        ("*우편번호", "우편번호"),
        ("※ 수량 :", "수량"),
        ("Order No.", "orderno"),
    ],
)
def test_names_are_compared_without_width_case_space_and_decoration(one, other):
    assert normalize(one) == normalize(other)


def test_parentheses_are_optional_but_an_exact_name_wins():
    targets = {"courier": ["택배사"], "address": ["받는분주소"]}
    assert match_columns(["택배사(주문 기준)", "택배사", "받는분주소(전체, 분할)"], targets) == {
        "courier": 1,
        "address": 2,
    }
    assert match_columns(["택배사(주문 기준)", "받는분주소"], targets) == {"courier": 0, "address": 1}
    assert match_columns(["받는분주소"], {"address": ["받는분주소(전체, 분할)"]}) == {"address": 0}


def test_better_names_come_first_and_no_column_serves_two_keys():
    targets = {"product": ["주문상품명(옵션포함)", "주문상품명", "상품명"], "short": ["상품명"]}
    assert match_columns(["상품명", "주문상품명"], targets) == {"product": 1, "short": 0}
    assert match_columns(["상품명"], targets) == {"product": 0}
    assert match_columns(["", " "], {"x": ["", "()"]}) == {}


@pytest.mark.parametrize("rows", [[[1, 2], [3, 4]], [[GUIDE], [GUIDE]], [["2025-11-21", "010-1234-5678"]]])
def test_a_sheet_without_names_is_refused(rows):
    with pytest.raises(FileProblem) as caught:
        find_header(table(*rows))
    assert caught.value.code == "file_no_header"


def test_a_sheet_without_any_known_name_is_refused_when_names_are_wanted():
    found = table(["이름", "나이"], ["a", 3])
    with pytest.raises(FileProblem):
        find_header(found, TARGETS)
    assert find_header(found).index == 0


def test_a_row_chosen_by_a_person_is_taken_as_it_is():
    found = table([1, "주문번호"], ["a", "b"])
    header = header_at(found, 0, TARGETS)
    assert (header.names, header.columns, header.unknown) == (("1", "주문번호"), {"order_number": 1}, (0,))


def test_a_header_below_the_first_thirty_rows_is_not_searched():
    found = table(*[[i] for i in range(30)], ["주문번호", "송장번호"])
    with pytest.raises(FileProblem):
        find_header(found, TARGETS)
