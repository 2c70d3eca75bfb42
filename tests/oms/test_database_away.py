"""The database is away from a web process: 503 with a way out, and one line in the log for each request."""

import json
import urllib.error
import urllib.request

import pytest

from core import processes as system
from tests.infra.processes import Processes, status_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]
NOWHERE = "postgresql://nobody@127.0.0.1:9/nothing"
LONGEST_ANSWER = 20.0


def asked(url, **headers):
    request = urllib.request.Request(url, headers={"Cookie": "sessionid=" + "a" * 32} | headers)
    try:
        with urllib.request.urlopen(request, timeout=LONGEST_ANSWER) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()


def test_without_a_database_every_request_hears_when_to_come_back(processes: Processes):
    web = processes.start("web", env={"DATABASE_URL": NOWHERE})
    assert system.wait_until(lambda: status_of(f"{web.url}/healthz") == 200, timeout=120), web.log()
    status, headers, page = asked(f"{web.url}/orders/")
    assert (status, headers["Retry-After"], headers["Cache-Control"]) == (503, "5", "no-store")
    assert "잠시 뒤 다시 시도하세요." in page
    assert "저장하지 못했습니다" not in page
    status, _, text = asked(f"{web.url}/orders/", **{"HX-Request": "true"})
    assert (status, text.startswith("지금은 데이터베이스에")) == (503, True)
    status, _, body = asked(f"{web.url}/api/v1/orders", Authorization="Bearer oms_abc_def")
    assert (status, json.loads(body)["code"]) == (503, "busy")
    log = web.log()
    assert log.count("database is away") == 3
    assert "Traceback" not in log
    assert len([line for line in log.splitlines() if '"WARNING"' in line or '"ERROR"' in line]) == 3
