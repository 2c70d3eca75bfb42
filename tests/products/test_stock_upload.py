"""The stock file: preview, apply, errors, and files that nobody should send."""

import io

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.roles import Role
from core.models import Job, JobItem, JobState
from orders.models import OrderEvent
from products.models import StockLevel, StockMovement
from products.services import stock
from tests.fixtures import files
from tests.fixtures.products import STOCK_DAY, figures, put_stock

pytestmark = pytest.mark.django_db
UPLOAD = "/products/stock/upload/"


def send(client, content, *, name="재고.xlsx", reason=""):
    return client.post(UPLOAD, {"file": SimpleUploadedFile(name, content), "reason": reason})


def stored():
    levels = list(StockLevel.objects.order_by("pk").values_list())
    return levels, StockMovement.objects.count(), OrderEvent.objects.filter(kind="stock.changed").count()


@pytest.fixture
def shelf(make_variant, make_line):
    """Four variants: 10 on hand, 20, 5 with 4 allocated, none."""
    variants = [make_variant(on_hand=units, sku=f"S-{n}") for n, units in enumerate((10, 20, 5, 0), start=1)]
    line = make_line(variants[2], 4)
    stock.add_demand([line], at=STOCK_DAY)
    stock.allocate([line.later()], at=STOCK_DAY)
    return variants


ROWS = [
    ["재고 실사표 (9월)", None, None],
    ["품목 코드", "실재고", "사유"],
    ["S-1", 12, "실사"],
    ["S-2", "20개", None],
    ["S-3", 3, "실사"],
    ["S-4", 7, None],
    ["S-9", 7, "실사"],
    ["S-1", 99, "실사"],
    [None, 4, "실사"],
    ["S-4", None, "실사"],
    ["=cmd|' /C calc'!A0", "=1+1", "<script>"],
    ["S-4", "많음", "실사"],
]


def errors_of(job):
    return dict(JobItem.objects.filter(job=job, target_id=None).values_list("row_number", "reason"))


def test_a_preview_judges_every_row_and_writes_nothing(shelf, sign_in):
    before = stored()
    client = sign_in(Role.LOGISTICS)
    answer = send(client, files.xlsx(ROWS))
    assert answer.status_code == 302
    assert stored() == before
    job = Job.objects.get()
    assert (job.state, job.total) == (JobState.PREVIEW, 10)
    assert errors_of(job) == {
        5: "이미 할당한 4개보다 적게 줄일 수 없습니다. 배송준비중 주문을 먼저 확인하세요.",
        6: "사유를 입력하세요. 재고 이력에 남습니다.",
        7: "품목코드를 찾을 수 없습니다. 상품 목록의 품목코드를 확인하세요.",
        8: "파일의 3행과 품목코드가 같습니다.",
        9: "품목코드를 입력하세요.",
        10: "실재고를 입력하세요.",
        11: "수식의 계산 결과가 파일에 없습니다. 엑셀에서 파일을 열어 저장하거나 값으로 붙여넣어 주세요.",
        12: "수량은 3처럼 정수로 입력하세요.",
    }
    page = client.get(answer.url).content.decode()
    assert "확인하기 전에는 재고가 바뀌지 않습니다." in page
    assert "반영 가능한 1건 재고 반영" in page
    assert "<script>" not in page.split("</head>")[1].split("<main")[1].split("</main>")[0]
    for key, number in (("all", 10), ("ready", 1), ("error", 8), ("same", 1)):
        assert f'data-count="{key}">{number}<' in page
        assert client.get(answer.url, {"show": key}).content.decode().count("data-row=") == number


def test_applying_a_preview_changes_the_good_rows_only(shelf, sign_in):
    client = sign_in(Role.LOGISTICS)
    url = send(client, files.xlsx(ROWS), reason="9월 실사").url
    assert client.post(url).status_code == 302
    assert [figures(variant)[0] for variant in shelf] == [12, 20, 5, 7]
    job = Job.objects.get()
    assert job.state == JobState.PARTIAL
    movements = StockMovement.objects.filter(kind="ADJUST").order_by("pk")
    assert [(row.variant_id, row.on_hand, row.reason) for row in movements] == [
        (shelf[0].pk, 2, "실사"),
        (shelf[3].pk, 7, "9월 실사"),
    ]
    event = OrderEvent.objects.filter(kind="stock.changed").order_by("pk").last()
    assert (event.batch, event.source, event.actor) == (job, "UPLOAD", job.actor)
    after = stored()
    assert client.post(url).status_code == 302
    assert stored() == after
    again = send(client, files.xlsx(ROWS))
    assert again.status_code in {302, 409}
    assert stored() == after


def test_the_error_file_holds_exactly_the_refused_rows(shelf, sign_in):
    client = sign_in(Role.LOGISTICS)
    url = send(client, files.xlsx(ROWS)).url
    before = stored()
    answer = client.get(f"{url}errors.xlsx")
    content = b"".join(answer.streaming_content)
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[0] == ("품목 코드", "실재고", "사유", "오류 내용")
    assert [row[0] for row in rows[1:]] == ["S-3", "S-4", "S-9", "S-1", None, "S-4", "#N/A", "S-4"]
    assert rows[2][3] == "사유를 입력하세요. 재고 이력에 남습니다."
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    assert stored() == before
    again = send(client, content, name="오류.xlsx", reason="실사")
    assert JobItem.objects.filter(job__uuid=again.url.split("/")[-2], result="PENDING").count() == 2


def test_an_error_file_sent_back_uncorrected_is_refused_again(shelf, sign_in, make_variant):
    make_variant(on_hand=1, sku="521853123456780032")
    rows = [["품목코드", "실재고", "사유"], [5.2185312345678e17, 3, "실사"], ["S-1", "=1+1", "실사"]]
    rows.append(["S-2", 5, "=1+1"])
    client = sign_in(Role.OWNER)
    before = stored()
    url = send(client, files.xlsx(rows), reason="다시 셈").url
    content = b"".join(client.get(f"{url}errors.xlsx").streaming_content)
    again = send(client, content, name="오류.xlsx", reason="다시 셈").url
    items = JobItem.objects.filter(job__uuid=again.split("/")[-2])
    assert [item.result for item in items] == ["REFUSED"] * 3, [item.reason for item in items]
    Job.objects.update(file_path="gone.xlsx")
    content = b"".join(client.get(f"{again}errors.xlsx").streaming_content)
    again = send(client, content, name="오류 2.xlsx", reason="다시 셈").url
    items = JobItem.objects.filter(job__uuid=again.split("/")[-2])
    assert [item.result for item in items] == ["REFUSED"] * 3, [item.reason for item in items]
    client.post(again)
    assert stored() == before


def test_a_level_that_moved_since_the_preview_is_refused(shelf, sign_in):
    client = sign_in(Role.LOGISTICS)
    url = send(client, files.xlsx(ROWS[1:3] + [["S-4", 7, "실사"]])).url
    put_stock(shelf[0], 1, reference="between")
    assert client.post(url).status_code == 302
    assert [figures(variant)[0] for variant in shelf] == [11, 20, 5, 7]
    reasons = JobItem.objects.filter(target_id=shelf[0].pk).values_list("reason", flat=True)
    assert [reason.split("에 ", 1)[1] for reason in reasons] == [
        "시스템이 재고를 바꿔 실재고가 11개입니다. 다시 확인하고 입력하세요."
    ]


def test_a_preview_that_is_thrown_away_changes_nothing(shelf, sign_in):
    client = sign_in(Role.LOGISTICS)
    url = send(client, files.xlsx(ROWS)).url
    before = stored()
    assert client.post(url, {"discard": "1"}).url == UPLOAD
    assert client.post(url).status_code == 409
    assert Job.objects.get().state == JobState.CANCELED
    assert stored() == before


def test_the_file_of_the_list_can_be_sent_back(shelf, sign_in):
    client = sign_in(Role.OWNER)
    answer = client.get("/products/excel/?sort=sku")
    workbook = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content)))
    sheet = workbook.active
    head = [cell.value for cell in sheet[1]]
    assert {"품목코드", "실재고", "수요", "할당", "가용"} <= set(head)
    column = head.index("실재고") + 1
    assert [sheet.cell(row, column).value for row in range(2, 6)] == [10, 20, 5, 0]
    sheet.cell(2, column).value = 15
    url = send(client, files.saved(workbook), reason="다시 셈").url
    assert client.post(url).status_code == 302
    assert [figures(variant)[0] for variant in shelf] == [15, 20, 5, 0]


CSV = "품목코드,실재고,사유\nS-1,11,실사\nS-2,21,실사\n"


XLS = files.saved(files.xls([["품목코드", "실재고", "사유"], ["S-1", 11, "실사"], ["S-2", 21, "실사"]]))


@pytest.mark.parametrize("content", [CSV.encode("utf-8-sig"), CSV.encode("cp949"), XLS])
def test_other_formats_are_read_as_well(shelf, sign_in, content):
    client = sign_in(Role.OWNER)
    assert client.post(send(client, content, name="재고.csv").url).status_code == 302
    assert [figures(variant)[0] for variant in shelf[:2]] == [11, 21]


def many(rows):
    return files.xlsx([["품목코드", "실재고"], *([f"S-{n}", n] for n in range(rows))])


@pytest.mark.parametrize(
    ("name", "content", "status", "sentence"),
    [
        ("empty.xlsx", b"", 422, "파일에 내용이 없습니다."),
        ("nul.csv", b"\x00" * 5_000, 422, "파일에 내용이 없습니다."),
        ("photo.xlsx", b"\x89PNG\r\n\x1a\n" + files.noise(500), 422, "그림 파일"),
        ("random.xlsx", b"PK\x03\x04" + files.noise(5_000), 422, "다시 올려 주세요."),
        ("cut.xlsx", files.xlsx()[:900], 422, "다시 올려 주세요."),
        ("macro.xlsx", files.patched(files.xlsx(), xl__vbaProject_dot_bin=b"\xd0\xcf"), 422, "매크로가 든 파일"),
        ("locked.xlsx", files.locked(files.xlsx(ROWS), "비밀"), 422, "암호가 걸린 파일입니다."),
        ("other.xlsx", files.xlsx(), 422, "&#x27;품목코드&#x27;, &#x27;실재고&#x27; 열을 찾지 못했습니다."),
        (
            "no-figures.xlsx",
            files.xlsx([["품목코드", "상품명"], ["S-1", "x"]]),
            422,
            "파일에서 &#x27;실재고&#x27; 열을",
        ),
        ("long.csv", b"a,b\n" * 60_000, 422, "50,000행까지"),
        ("big.csv", b"x" * (20 * 2**20 + 1), 413, "20MB까지"),
        ("../../etc/passwd", b"", 422, "파일에 내용이 없습니다."),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_a_sentence(shelf, sign_in, name, content, status, sentence):
    before = stored()
    answer = send(sign_in(Role.OWNER), content, name=name)
    assert answer.status_code == status
    assert sentence in answer.content.decode()
    assert stored() == before
    assert not Job.objects.exists()


def test_a_locked_file_is_kept_until_its_password_comes(shelf, sign_in):
    client, before = sign_in(Role.OWNER), stored()
    asked = send(client, files.locked(files.xlsx(ROWS), "비밀 1"), reason="9월 실사")
    assert asked.status_code == 422
    assert 'type="password"' in asked.content.decode()
    token = asked.context["form"].data["held"]
    wrong = client.post(UPLOAD, {"held": token, "password": "아님", "reason": "9월 실사"})
    assert wrong.status_code == 422
    assert "암호가 맞지 않아" in wrong.content.decode()
    stranger = sign_in(Role.LOGISTICS).post(UPLOAD, {"held": token, "password": "비밀 1"})
    assert stranger.status_code == 404
    assert not Job.objects.exists()
    right = client.post(UPLOAD, {"held": token, "password": "비밀 1", "reason": "9월 실사"})
    assert right.status_code == 302
    assert "비밀 1" not in str(Job.objects.get().params)
    assert stored() == before
    content = b"".join(client.get(f"{right.url}errors.xlsx").streaming_content)
    rows = list(openpyxl.load_workbook(io.BytesIO(content)).active.iter_rows(values_only=True))
    assert [row[0] for row in rows[1:4]] == ["S-3", "S-9", "S-1"]
    assert client.post(right.url).status_code == 302
    assert figures(shelf[0])[0] == 12


def test_no_file_is_answered_with_a_sentence(shelf, sign_in):
    answer = sign_in(Role.OWNER).post(UPLOAD, {"file": "text"})
    assert answer.status_code == 422
    assert "올릴 파일을 고르세요." in answer.content.decode()


def test_hostile_cells_are_text_on_the_way_in_and_out(shelf, sign_in):
    client = sign_in(Role.OWNER)
    rows = [["품목코드", "실재고", "사유"], ["S-1", 11, "<img src=x onerror=alert(1)>\x07"], ["=HYPERLINK(1)", 1, "@x"]]
    rows += [["S-2", 10**15, "x"], ["S-3", 1.5, "x"], ["S-4", "-3", "x"], ["S-4" * 40, 1, "x"]]
    url = send(client, ("\n".join(",".join(map(str, row)) for row in rows)).encode("utf-8-sig"), name="a.csv").url
    page = client.get(url).content.decode()
    assert "<img" not in page.split("<main")[1]
    assert JobItem.objects.exclude(target_id=None).count() == 1
    assert client.post(url).status_code == 302
    assert [figures(variant)[0] for variant in shelf] == [11, 20, 5, 0]
    assert "\x07" not in StockMovement.objects.get(kind="ADJUST").reason


def test_a_large_change_in_a_file_needs_the_owner(shelf, sign_in):
    content = files.xlsx([["품목코드", "실재고", "사유"], ["S-1", 111, "실사"]])
    before = stored()
    url = send(sign_in(Role.LOGISTICS), content).url
    assert list(errors_of(Job.objects.get()).values()) == ["한 번에 100개를 넘는 재고 변경은 대표만 할 수 있습니다."]
    assert sign_in(Role.LOGISTICS).post(url).status_code == 409
    assert stored() == before
    owner = sign_in(Role.OWNER)
    assert owner.post(send(owner, content).url).status_code == 302
    assert figures(shelf[0])[0] == 111


def test_many_rows_are_shown_in_pages_and_judged_with_few_statements(
    make_variant, sign_in, django_assert_max_num_queries
):
    product = make_variant(sku="S-0").product
    for n in range(1, 250):
        make_variant(sku=f"S-{n}", product=product, option_values=[str(n)])
    client = sign_in(Role.OWNER)
    with django_assert_max_num_queries(40):
        url = send(client, many(260), reason="실사").url
    seen, after = 0, "0"
    while after:
        answer = client.get(url, {"after": after})
        seen += answer.content.decode().count("data-row=")
        after = answer.context["next"]
    assert seen == 260
    assert client.post(url).status_code == 302
    assert Job.objects.get().state == JobState.QUEUED
    assert "이 화면을 닫아도 계속됩니다." in client.get(url).content.decode()
