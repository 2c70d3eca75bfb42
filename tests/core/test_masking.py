"""The one masking rule, reliability.md R-10."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.masking import mask_account, mask_address, mask_email, mask_name, mask_phone, mask_text, may_be


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("홍길동", "홍*동"),
        ("홍길", "홍*"),
        ("남궁민수", "남**수"),
        ("황보라마바", "황***바"),
        ("홍", "*"),
        ("홍 길 동", "홍*동"),
        ("김수한무거북이와두루미", "김******미"),
        ("(주)가람 상사", "(주)가**사"),
        ("주식회사 가람", "주식회사가*"),
        ("(주)", "(***"),
        ("John Smith", "J***"),
        ("A", "*"),
        ("", ""),
    ],
)
def test_names_keep_their_ends(name, masked):
    assert mask_name(name) == masked


@pytest.mark.parametrize("told", [
    "홍*동", "홍길동", "홍○○", "홍O동", "*길*", "홍**", "홍*", "홍*동님", "(주)홍*동", "홍*동(1층)", "홍*동외1",
    "", "***", "본인", "고객님", "H***",
])  # fmt: skip
def test_a_masked_name_that_may_be_ours_is_not_told_apart(told):
    assert may_be(told, "홍길동")


@pytest.mark.parametrize("told", ["김*동", "홍*순", "김길동", "홍순동", "김**", "김*", "김*수님", "남궁*수"])
def test_a_masked_name_of_somebody_else_is_told_apart(told):
    assert not may_be(told, "홍 길동")


@pytest.mark.parametrize("name", ["John Smith", "", "Kim하늘", "7층 창고"])
def test_a_name_of_ours_that_is_no_korean_one_is_compared_with_nothing(name):
    assert may_be("김*수", name)


@given(name=st.text(alphabet="가나다라홍길동김", min_size=1, max_size=8))
def test_our_own_mask_always_may_be_us(name):
    assert may_be(mask_name(name), name)


@pytest.mark.parametrize(
    ("phone", "masked"),
    [
        ("01012345678", "010-1234-****"),
        ("010-1234-5678", "010-1234-****"),
        ("1012345678", "010-1234-****"),
        ("02-123-4567", "02-123-****"),
        ("0507-1234-5678", "0507-1234-****"),
        ("1588-0000", "1588-****"),
        ("1234567", "123****"),
        ("1234", "****"),
        ("", ""),
    ],
)
def test_phones_lose_the_last_four_digits(phone, masked):
    assert mask_phone(phone) == masked


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("서울특별시 강남구 테헤란로 123, 4층 (역삼동)", "서울특별시 강남구 테헤란로 ****"),
        ("서울 강남구 테헤란로14길 6", "서울 강남구 테헤란로14길 ****"),
        ("서울 강남구 테헤란로123 101동 202호", "서울 강남구 테헤란로 ****"),
        ("서울 구로구 구로동 123-4", "서울 구로구 구로동 ****"),
        ("서울 성북구 동소문로 77", "서울 성북구 동소문로 ****"),
        ("서울 종로구 종로3가 10", "서울 종로구 종로3가 ****"),
        ("경기도 수원시 영통구 광교로 145", "경기도 수원시 영통구 광교로 ****"),
        ("경기 양평군 양서면 두물머리길 123", "경기 양평군 양서면 ****"),
        ("세종특별자치시 한누리대로 2130", "세종특별자치시 한누리대로 ****"),
        ("제주특별자치도 제주시 첨단로 242", "제주특별자치도 제주시 첨단로 ****"),
        ("서울 강남구 역삼1동 824", "서울 강남구 역삼1동 ****"),
        ("홍길동 서울 강남구 테헤란로 1", "****"),
        ("역삼동 123-4", "****"),
        ("1600 Amphitheatre Parkway", "****"),
        ("서울특별시", "서울특별시 ****"),
        ("", ""),
    ],
)
def test_addresses_end_at_the_town_or_road(address, masked):
    assert mask_address(address) == masked


@pytest.mark.parametrize(
    ("email", "masked"),
    [
        ("abcdef@example.com", "ab****@example.com"),
        ("ab@example.com", "a****@example.com"),
        ("a@example.com", "****@example.com"),
        ("nonsense", "****"),
        ("", ""),
    ],
)
def test_mail_keeps_two_letters_and_the_host(email, masked):
    assert mask_email(email) == masked


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("123-456-1234", "***-***-1234"),
        ("110-123-456789", "***-***-**6789"),
        ("1101234561234", "*********1234"),
        ("1234", "****"),
        ("", ""),
    ],
)
def test_accounts_keep_the_last_four_digits(number, masked):
    assert mask_account(number) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("연락처 010-1234-5678로 전화", "연락처 010-1234-****로 전화"),
        ("01012345678", "0101234****"),
        ("010.1234.5678 / 010 1234 5678", "010.1234.**** / 010 1234 ****"),
        ("０１０-１２３４-５６７８", "010-1234-****"),
        ("+82 10-1234-5678", "+82 10-1234-****"),
        ("1012345678", "101234****"),
        ("안심 0507-1234-5678", "안심 0507-1234-****"),
        ("집 02-123-4567", "집 02-123-****"),
        ("메일 abcdef@example.com 입니다", "메일 ab****@example.com 입니다"),
        ("국민 123456-01-123456 홍길동", "국민 ******-**-**3456 홍길동"),
        ("계좌 110 123 456789", "계좌 *** *** **6789"),
        ("계좌 11012345678901", "계좌 **********8901"),
        ("900101-1234567", "******-*******"),
        ("주문 20260921-0000017-02 확인, 배송 D-20260921-0000017-00", None),
        ("9/28 14:00 이후, 3개, 12,300원, 101동 1502호", None),
        ("2026-11-21 14:20 통화", None),
        ("대표번호 1588-0000", None),
        ("", None),
    ],
)
def test_free_text_hides_numbers_that_lead_to_a_person(text, masked):
    assert mask_text(text) == (text if masked is None else masked)


@given(
    st.from_regex(r"010[- .]?[0-9]{4}[- .]?[0-9]{4}", fullmatch=True),
    st.text(alphabet="가나다 ,:\n", max_size=8),
    st.text(alphabet="가나다 ,:\n", max_size=8),
)
def test_no_mobile_number_survives_in_free_text(phone, before, after):
    masked = mask_text(before + phone + after)
    assert not re.search(re.escape(phone), masked)
    assert masked == before + phone[:-4] + "****" + after


@given(st.text(max_size=60))
def test_any_text_can_be_masked_and_masking_is_stable(text):
    for mask in (mask_name, mask_phone, mask_address, mask_email, mask_account, mask_text):
        mask(text)
    assert mask_text(mask_text(text)) == mask_text(text)
