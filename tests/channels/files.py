"""Order files as channels send them: the exact columns of domain.md 4.2, 4.4, 4.6, with the traps of section 5."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import openpyxl

from tests.fixtures.files import locked, saved


def names(text: str) -> list[str]:
    """Column names out of a text that people can read."""
    return [name.strip() for name in text.replace("\n", " ").split(",")]


GUIDE = (
    "◈ 엑셀 일괄발송을 하시려면 첫 행을 삭제한 뒤 배송방법, 택배사, 송장번호를 입력하고 저장해 주세요. "
    "상품주문번호, 주문번호는 수정하지 마세요."
)
SMARTSTORE = names("""
    상품주문번호, 주문번호, 배송속성, 풀필먼트사(주문 기준), 택배사(주문 기준), 배송방법(구매자 요청), 배송방법,
    택배사, 송장번호, 발송일, 판매채널, 구매자명, 구매자ID, 수취인명, 주문상태, 주문세부상태, 수량클레임 여부,
    결제위치, 결제일, 상품번호, 상품명, 상품종류, 반품안심케어, 멤버십N배송, 옵션정보, 옵션관리코드, 수량,
    옵션가격, 상품가격, 최종 상품별 할인액, 최초 상품별 할인액, 판매자 부담 할인액, 최종 상품별 총 주문금액,
    최초 상품별 총 주문금액, 사은품, 발주확인일, 발송기한, 발송처리일, 송장출력일, 배송비 형태, 배송비 묶음번호,
    배송비 유형, 배송비 합계, 제주/도서 추가배송비, 배송비 할인액, 판매자 상품코드, 판매자 내부코드1,
    판매자 내부코드2, 수취인연락처1, 수취인연락처2, 통합배송지, 기본배송지, 상세배송지, 구매자연락처, 우편번호,
    배송메세지, 출고지, 결제수단, 네이버페이 주문관리 수수료, 매출연동 수수료, 정산예정금액, 개인통관고유부호,
    주문일시, 배송희망일, 구독신청회차, 구독진행회차, 구독배송희망일, 배송태그 유형, 출입방법 유형, 출입방법 내용,
    수령위치 유형, 수령위치 내용
""")
CAFE24 = names("""
    쇼핑몰, 쇼핑몰 번호, 주문번호, 품목별 주문번호, 주문일시, 결제일시(입금확인일), 총 주문금액, 결제금액,
    상품품목코드, 주문상품명, 상품명(한국어 쇼핑몰), 상품옵션, 수량, 판매가, 상품구매금액(KRW),
    사용한 적립금액(최종), 주문서 쿠폰 할인금액, 실제 환불금액, 수령인, 수령인 휴대전화, 수령인 우편번호,
    수령인 주소, 배송메시지, 배송업체, 송장번호, 배송비, 배송유형, 배송번호, 주문자명, 주문자 휴대전화,
    수령인 전화번호, 자체품목코드, 결제수단, 입금자명
""")
SABANGNET = names("""
    idx, order_id, mall_id, mall_user_id, order_status, user_id, user_name, user_tel, user_cel, user_email,
    receive_name, receive_tel, receive_cel, receive_zipcode, receive_addr, delv_msg, total_cost, pay_cost,
    sale_cost, delv_cost, order_date, reg_date, ord_confirm_date, delivery_confirm_date, cancel_dt, rtn_dt,
    chng_dt, hope_delv_date, mall_product_id, product_id, sku_id, p_product_name, p_sku_value, product_name,
    sku_value, compayny_goods_cd, sku_alias, barcode, model_no, sale_cnt, box_ea, p_ea, delivery_method_str,
    order_gubun, set_gubun, jung_chk_yn, mall_order_seq, copy_idx, delivery_id, invoice_no, inv_send_dm,
    inv_send_msg, free_gift
""")


def smartstore_row(n: int, **facts: Any) -> dict[str, Any]:
    """One paid 상품주문; `n` makes its numbers."""
    row = {
        "상품주문번호": f"20260920{n:08d}",
        "주문번호": f"2026092{n:09d}",
        "배송방법(구매자 요청)": "택배,등기,소포",
        "판매채널": "스마트스토어",
        "구매자명": "홍길동",
        "구매자ID": "hong****",
        "수취인명": "김 수령",
        "주문상태": "결제완료",
        "주문세부상태": "신규주문",
        "수량클레임 여부": "N",
        "결제위치": "모바일",
        "결제일": "2026-09-20 21:03:11",
        "상품번호": "8801234567",
        "상품명": "오가닉 면 티셔츠",
        "상품종류": "조합형옵션상품",
        "옵션정보": "색상: 화이트 / 사이즈: M",
        "수량": 2,
        "옵션가격": 1000,
        "상품가격": 14900,
        "최종 상품별 할인액": 1800,
        "최초 상품별 할인액": 1800,
        "판매자 부담 할인액": 1800,
        "최종 상품별 총 주문금액": 30000,
        "최초 상품별 총 주문금액": 30000,
        "발송기한": "2026-09-28 23:59:59",
        "배송비 형태": "선결제",
        "배송비 묶음번호": f"B{n:06d}",
        "배송비 유형": "유료",
        "배송비 합계": 3000,
        "배송비 할인액": 0,
        "수취인연락처1": "010-8765-4321",
        "통합배송지": "서울특별시 강남구 테헤란로 4321 101동 1203호",
        "기본배송지": "서울특별시 강남구 테헤란로 4321",
        "상세배송지": "101동 1203호",
        "구매자연락처": "010-1234-5678",
        "우편번호": "06234",
        "배송메세지": "문 앞에 놓아 주세요",
        "주문일시": "2026-09-20 21:02:58",
    }
    return row | facts


def cafe24_row(n: int, **facts: Any) -> dict[str, Any]:
    """One paid 품목 of a Cafe24 mall."""
    number = f"20260920-{n:07d}"
    row = {
        "쇼핑몰": "한국어 쇼핑몰",
        "쇼핑몰 번호": 1,
        "주문번호": number,
        "품목별 주문번호": f"{number}-01",
        "주문일시": "2026-09-20 20:11:05",
        "결제일시(입금확인일)": "2026-09-20 20:12:40",
        "총 주문금액": 33000,
        "결제금액": 33000,
        "상품품목코드": "P000000N000A",
        "주문상품명": "무선 이어폰",
        "상품옵션": "색상=블랙",
        "수량": 1,
        "판매가": 30000,
        "상품구매금액(KRW)": 30000,
        "사용한 적립금액(최종)": 0,
        "주문서 쿠폰 할인금액": 0,
        "실제 환불금액": 0,
        "수령인": "이서연",
        "수령인 휴대전화": "010-2222-3333",
        "수령인 우편번호": "04524",
        "수령인 주소": "서울특별시 중구 세종대로 110",
        "배송비": 3000,
        "주문자명": "박주문",
        "주문자 휴대전화": "010-4444-5555",
        "결제수단": "신용카드",
    }
    return row | facts


def sabangnet_row(n: int, **facts: Any) -> dict[str, Any]:
    """One 신규주문 collected by Sabangnet."""
    row = {
        "idx": 900_000 + n,
        "order_id": f"SB{n:08d}",
        "mall_id": "coupang",
        "order_status": "001",
        "user_name": "최주문",
        "user_cel": "010-6666-7777",
        "receive_name": "정수령",
        "receive_cel": "010-8888-9999",
        "receive_zipcode": "48058",
        "receive_addr": "부산광역시 해운대구 센텀중앙로 79",
        "total_cost": 24000,
        "pay_cost": 24000,
        "sale_cost": 12000,
        "delv_cost": 0,
        "order_date": "20260920193011",
        "reg_date": "20260920200000",
        "mall_product_id": "7700123",
        "product_name": "원목 도마",
        "sku_value": "대형",
        "sale_cnt": 2,
    }
    return row | facts


def grid(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> list[list[Any]]:
    """Header and rows; a column nobody filled is blank."""
    return [list(columns), *([row.get(name) for name in columns] for row in rows)]


def smartstore(
    rows: Iterable[Mapping[str, Any]], *, password: str = "", guide: bool = True, columns: Sequence[str] = SMARTSTORE
) -> bytes:
    """발주발송관리 download: guide text in row 1, header in row 2, on request behind a password (rows 1 and 4)."""
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = "발주발송관리"
    if guide:
        book.active.append([GUIDE])
    for row in grid(columns, rows):
        book.active.append(row)
    data = saved(book)
    return locked(data, password) if password else data


def cafe24(rows: Iterable[Mapping[str, Any]], *, encoding: str = "utf-8-sig", columns: Sequence[str] = CAFE24) -> bytes:
    """Cafe24 download as CSV, in UTF-8 with a byte order mark or in CP949."""
    target = io.StringIO()
    csv.writer(target).writerows(grid(columns, rows))
    return target.getvalue().encode(encoding, "replace")


def sabangnet(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Sabangnet rows as xlsx."""
    return plain(grid(SABANGNET, rows))


def plain(rows: Iterable[Sequence[Any]]) -> bytes:
    """Any sheet as xlsx."""
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(list(row))
    return saved(book)
