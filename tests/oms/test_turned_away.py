"""What Django turns away before a view sees it: the right sentence, and one WARNING line without a traceback."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from django.test import Client

from core.models import Holiday, Job
from oms.logs import JsonFormatter
from shipping.models import TrackingAccount

FORM = "application/x-www-form-urlencoded"
HOLIDAYS, IMPORT = "/settings/holidays/", "/orders/import/"
LOST = "보낸 내용을 읽을 수 없어 처리하지 않았습니다. 화면을 새로 고친 뒤 다시 시도하세요."


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the process writes about a request, line by line."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("django")
    logger.addHandler(handler)
    yield written
    logger.removeHandler(handler)


@pytest.fixture
def client(sign_in, staff) -> Client:
    return sign_in(staff)


def part(name: str, *, end: bytes = b"\r\n--x--\r\n") -> bytes:
    """A form with one file of that name."""
    head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return head.encode() + b"a,b" + end


SENT = {
    "too many fields": (HOLIDAYS, "&".join(f"f{n}=1" for n in range(1100)), FORM, 400, "한 번에 보낸 항목이 너무 많아"),
    "too large": (HOLIDAYS, b"name=" + b"a" * (13 << 20), FORM, 413, "한 번에 12MB까지 보낼 수 있어"),
    "another charset": (HOLIDAYS, b"name=%b1%e8", f"{FORM}; charset=euc-kr", 400, LOST),
    "a form without its boundary": (HOLIDAYS, b"x", "multipart/form-data", 400, LOST),
    "a file name of 5,000 letters": (
        IMPORT, part("가" * 5000 + ".csv"), "multipart/form-data; boundary=x", 400,
        "파일 이름이 너무 길어 올리지 않았습니다. 파일 이름을 짧게 바꾸고 다시 올려 주세요.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SENT)
def test_a_form_that_cannot_be_read_is_one_warning_and_a_sentence(kind, client, lines):
    address, body, content_type, status, sentence = SENT[kind]
    answer = client.post(address, body, content_type=content_type)
    assert answer.status_code == status
    page = answer.content.decode()
    assert sentence in page
    assert "조건을 지우고" not in page
    assert_one_warning(lines, status)
    assert not Holiday.objects.exists()
    assert not Job.objects.exists()


def test_a_wrong_host_is_one_warning_and_a_sentence(client, lines, settings):
    settings.ALLOWED_HOSTS = ["shop.example"]
    answer = client.get("/", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "이 서버에서 쓰지 않는 주소입니다." in answer.content.decode()
    assert_one_warning(lines, 400)


def test_our_own_failures_keep_their_traceback(lines):
    try:
        raise RuntimeError("broken")
    except RuntimeError as error:
        logging.getLogger("django.request").error("failed", exc_info=error, extra={"status_code": 500})
    (line,) = map(json.loads, lines.getvalue().splitlines())
    assert line["level"] == "ERROR"
    assert "RuntimeError" in line["traceback"]


def assert_one_warning(lines: io.StringIO, status: int) -> None:
    """Exactly one line, and no more in it than is needed."""
    (line,) = map(json.loads, lines.getvalue().splitlines())
    assert (line["level"], line["status"]) == ("WARNING", status)
    assert "traceback" not in line


@pytest.mark.django_db
def test_what_opens_a_door_is_not_in_the_line_of_what_was_turned_away(lines):
    token = "s3cret" * 8
    TrackingAccount.objects.create(
        code="tracker_delivery", name="배송조회", base_url="https://apis.tracker.delivery", hook_token=token
    )
    asked = [Client().post(f"/hooks/tracking/{token}/", "[]", content_type="application/json")]
    rooms = ("t", "rider", "payments/webhooks", "payments/bank-feed", "invitation/Mg")
    asked += [Client().get(f"/{room}/{token}/") for room in rooms]
    assert [answer.status_code for answer in asked] == [400, 404, 404, 404, 404, 410]
    told = [json.loads(line)["message"] for line in lines.getvalue().splitlines()]
    assert told == [
        "Bad Request: /hooks/tracking/<key>", "Not Found: /t/<key>", "Not Found: /rider/<key>",
        "Not Found: /payments/webhooks/<key>", "Not Found: /payments/bank-feed/<key>", "Gone: /invitation/<key>",
    ]  # fmt: skip
