"""Previews of result files: ticks from screen to screen, which columns were read, whose courier was meant."""

from orders.models import Order
from shipping.models import ExcelTemplate, Parcel
from tests.fixtures.shipments import again, waybill_number
from tests.shipping.test_courier_files import download
from tests.shipping.test_waybill_screens import CJ, UPLOAD, book, send

PEOPLE = ("수하인명", "수하인전화", "운송장번호")


def test_what_is_ticked_stays_while_the_next_rows_are_looked_at(make_shipments, logistics):
    """A file without keys has a question in every row: more of them than one screen holds."""
    made = make_shipments(130)
    for n, one in enumerate(made):
        Order.objects.filter(pk=one.order_id).update(recipient_name=f"받는이{n}", recipient_phone=f"0107700{n:04d}")
    rows = [[f"받는이{n}", f"010-7700-{n:04d}", waybill_number(n)] for n in range(130)]
    url = send(logistics, book(rows, headers=PEOPLE)).headers["Location"]
    html = logistics.get(f"{url}?show=ask").content.decode()
    assert (html.count('name="tick"'), html.count('name="asked"')) == (100, 100)
    assert "고른 행 송장 등록" in html
    assert "반영 가능한" not in html
    first = list(range(2, 102))
    answer = logistics.post(f"{url}?show=ask", {"asked": first, "tick": first[:60], "more": "101"})
    assert answer.headers["Location"] == f"{url}?show=ask&after=101"
    second = logistics.get(answer.headers["Location"]).content.decode()
    assert (second.count('name="tick"'), second.count(" checked")) == (30, 0)
    assert 'data-kept="60"' in second
    back = logistics.get(f"{url}?show=ask").content.decode()
    assert back.count(" checked") == 60
    # Ticks of this screen count as they are now, those of the others as they were left.
    logistics.post(f"{url}?show=ask", {"asked": first, "tick": first[:50], "exclude": "101"})
    last = {"asked": list(range(102, 132)), "tick": list(range(102, 132))}
    assert logistics.post(f"{url}?show=ask&after=101", last).status_code == 302
    assert logistics.post(f"{url}?show=ask&after=101", last).status_code == 302  # a double click
    assert [one.has_waybill for one in again(made)] == [True] * 50 + [False] * 50 + [True] * 30


def test_a_choice_of_an_earlier_screen_can_be_taken_back(make_shipments, logistics):
    twins = make_shipments(2, recipient_name="두분", recipient_phone="01088000001")
    url = send(logistics, book([["두분", "010-8800-0001", waybill_number(0)]], headers=PEOPLE)).headers["Location"]
    logistics.post(url, {"pick": f"2-{twins[1].pk}", "more": "2"})
    assert f'value="2-{twins[1].pk}" selected' in logistics.get(url).content.decode()
    logistics.post(url, {"pick": "2-", "more": "2"})
    assert 'value="2-" selected' in logistics.get(url).content.decode()
    assert logistics.post(url, {"pick": "2-"}).status_code == 409
    assert not Parcel.objects.exists()


CJ_BACK = ("운송장번호", "고객주문번호", "품목명", "받는분성명", "품목명", "운송장번호")


def test_columns_read_by_their_names_are_told_and_can_be_pointed_out_instead(make_shipments, logistics):
    first, second = make_shipments(2)
    rows = [["", one.number, "컵", "김하은", "컵", waybill_number(i)] for i, one in enumerate((first, second))]
    url = send(logistics, book(rows[:1], headers=CJ_BACK)).headers["Location"]
    html = logistics.get(url).content.decode()
    # Our own empty column gives way to the one that the courier's program has added.
    assert "배송번호 = 고객주문번호 · 송장번호 = 운송장번호 (2)" in html
    assert "무시한 열 4개: 운송장번호, 품목명, 받는분성명, 품목명 (2)" in html
    assert "반영 가능한 1건 송장 등록" in html
    asked = logistics.post(url, {"columns": "1"})
    assert asked.context["form"]["waybill"].initial == "운송장번호 (2)"
    chosen = {"stored": asked.context["token"], "shipment": "고객주문번호", "waybill": "품목명", "sender": "새 CJ"}
    mapped = logistics.post(UPLOAD, chosen).headers["Location"]
    assert "쓸 수 없는 글자가 있습니다." in logistics.get(mapped).content.decode()
    # The next file of the sender is read as a person said, although its names could be told.
    url = send(logistics, book(rows[1:], headers=CJ_BACK)).headers["Location"]
    html = logistics.get(url).content.decode()
    assert "'새 CJ' 양식으로 기억한 열을 썼습니다." in html
    assert "송장번호 = 품목명" in html
    assert not Parcel.objects.exists()


def test_a_file_for_one_courier_that_names_none_is_not_read_as_anothers_unseen(make_shipments, logistics):
    [one] = make_shipments(1)
    template = ExcelTemplate.objects.get(name="우체국 계약소포")
    download(logistics, template)
    rows = [[one.number, waybill_number(0)]]
    doubt = "우체국택배로 보낸 파일인데 택배사 열이 없어 CJ대한통운 번호로 읽었습니다."
    content = book(rows, headers=("고객주문번호", "등기번호"))
    assert doubt in logistics.get(send(logistics, content).headers["Location"]).content.decode()
    named = book([[one.number, CJ, waybill_number(0)]])
    for fine in (send(logistics, named), send(logistics, content, courier="EPOST")):
        assert "번호로 읽었습니다" not in logistics.get(fine.headers["Location"]).content.decode()
