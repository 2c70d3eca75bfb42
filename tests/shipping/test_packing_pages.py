"""Pages of the bench over HTTP: who may, what is answered to what, and no personal data beyond reliability.md 4.1."""

from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.roles import Role
from orders.models import Order
from orders.services import locks
from shipping.models import PackingScan, PackingSession, PrintKind
from shipping.services import shipments
from shipping.services.packing.commands import SHEET
from shipping.services.printing import lists
from tests.fixtures.packing import counted, skus

URL = "/pack/scan/"
ALLOWED = {Role.OWNER, Role.LOGISTICS}


def sent(client, code, shipment="", **more):
    data = {"id": str(uuid4()), "code": code, "shipment": shipment} | more
    return client.post(URL, data, headers={"HX-Request": "true"})


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("path", ["/pack/", "/pack/test/", "/pack/commands/"])
def test_only_those_who_pack_get_in(sign_in, role, path):
    assert sign_in(role).get(path).status_code == (200 if role in ALLOWED else 403)


def test_nobody_else_scans(sign_in, make_routed):
    [made] = make_routed(1)
    assert sent(sign_in(Role.CS), skus(made)[0], made.number).status_code == 403
    assert not PackingScan.objects.exists()


def test_looking_opens_nothing(sign_in, make_routed):
    [made] = make_routed(1)
    page = sign_in(Role.LOGISTICS).get(f"/pack/{made.number}/")
    assert page.status_code == 200
    assert not PackingSession.objects.exists()


def test_looking_at_a_shipment_that_must_not_be_packed_shows_the_stop(sign_in, make_routed, staff):
    [made] = make_routed(1)
    locks.hold(line_ids=shipments.lines_of([made.pk]), actor=staff, at=timezone.now(), reason="파손")
    html = sign_in(Role.LOGISTICS).get(f"/pack/{made.number}/").content.decode()
    assert 'data-screen="stop"' in html
    assert "포장을 멈추세요. 배송보류 중입니다. 사유: 파손" in html
    assert "김하은 님" in html
    assert not PackingSession.objects.exists()


def test_a_scan_answers_the_bench_with_its_signal(sign_in, make_routed):
    [made] = make_routed(1, quantities=(2,))
    client = sign_in(Role.LOGISTICS)
    html = sent(client, skus(made)[0], made.number).content.decode()
    assert 'data-signal="ok"' in html
    assert "1 / 2" in html
    assert f'data-shipment="{made.number}"' in html
    assert "<html" not in html
    assert 'data-signal="done"' in sent(client, skus(made)[0], made.number).content.decode()


@pytest.mark.parametrize(
    "data",
    [
        {"id": "no"},
        {"code": ""},
        {"code": "A\x00B"},
        {"line": "x"},
        {"quantity": "-1"},
        {"quantity": "9" * 30},
        {"shipment": "D-20990101-0000001-00"},
        {"reason": "\x00"},
    ],
)
def test_bad_input_is_a_sentence_and_counts_nothing(sign_in, make_routed, data):
    [made] = make_routed(1)
    answer = sent(sign_in(Role.LOGISTICS), **{"code": "SKU", "shipment": made.number} | data)
    assert answer.status_code in {400, 404}
    assert answer["Content-Type"].startswith("text/plain")
    assert answer.content.decode().endswith(".")
    assert not PackingScan.objects.exists()


@pytest.mark.parametrize("code", ["가나다라", "x" * 500, "💥💥💥💥", "‮abcd", "<script>alert(1)</script>", "CMD-XYZ"])
def test_any_code_gets_an_answer(sign_in, make_routed, code):
    [made] = make_routed(1)
    client = sign_in(Role.LOGISTICS)
    for shipment in ("", made.number):
        answer = sent(client, code, shipment)
        assert answer.status_code == 200
        assert 'data-signal="unknown"' in answer.content.decode()
        assert b"<script>" not in answer.content
    assert counted(made) == 0


def test_no_page_of_the_bench_tells_more_of_a_person_than_it_may(sign_in, make_routed):
    [made] = make_routed(1)
    facts = {
        "recipient_name": "남궁가람솔",
        "recipient_phone": "01087654321",
        "buyer_name": "선우나래빛",
        "address1": "경기 성남시 분당구 판교역로 235",
        "address2": "가온빌딩 8층",
        "delivery_note": "부재 시 010-8765-4321",
    }
    Order.objects.filter(pk=made.order_id).update(**facts)
    client = sign_in(Role.LOGISTICS)
    pages = [client.get("/pack/"), client.get(f"/pack/{made.number}/"), sent(client, made.number)]
    for page in pages:
        html = page.content.decode()
        for secret in ("남궁가", "선우", "87654321", "8765-4321", "가온빌딩", "판교역로", "10,000"):
            assert secret not in html
    assert "경기 성남시 분당구" in pages[1].content.decode()


def test_the_sheet_has_a_barcode_for_every_command(sign_in):
    html = sign_in(Role.LOGISTICS).get("/pack/commands/").content.decode()
    assert html.count("<svg xmlns") == len(SHEET)
    assert all(code in html for code in SHEET)


def test_a_list_of_a_picking_batch_shows_its_shipments_alone(sign_in, make_routed, staff):

    one, two = make_routed(2)
    batch = lists.print_list(kind=PrintKind.PICKING, shipment_ids=[one.pk], actor=staff, at=timezone.now(), batch=None)[
        1
    ]
    client = sign_in(Role.LOGISTICS)
    html = sent(client, batch.number).content.decode()
    assert one.number in html
    assert two.number not in html


def test_the_menu_and_the_list_lead_to_the_bench(sign_in, make_routed):
    make_routed(1)
    html = sign_in(Role.LOGISTICS).get("/orders/ready/?period=all").content.decode()
    assert html.count('href="/pack/"') >= 2
    assert 'href="/pack/"' not in sign_in(Role.CS).get("/orders/ready/?period=all").content.decode()


def test_the_detail_tells_who_packed_and_the_list_shows_it(sign_in, make_routed, make_staff):
    [made] = make_routed(1)
    who = make_staff(Role.LOGISTICS, display_name="정도윤")
    sent(sign_in(who), skus(made)[0], made.number)
    client = sign_in(Role.OWNER)
    assert "포장 완료" in client.get("/orders/ready/?period=all").content.decode()
    html = client.get(f"/orders/{made.order.number}/").content.decode()
    assert "포장 검수: 정도윤 님" in html
    assert "상자 1개" in html
