"""What every other test relies on: database copies, the browser, its watch over the console."""

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from playwright.sync_api import Page

from tests.infra.order import LONGEST, in_queues


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("run", [1, 2])
def test_what_migrations_wrote_is_there_before_and_after_a_test_with_real_transactions(run):
    before = ContentType.objects.count()
    assert before > 0
    made = ContentType.objects.create(app_label="tests", model="thing")
    assert ContentType.objects.filter(app_label="tests").get() == made
    assert ContentType.objects.count() == before + 1


@pytest.mark.django_db
def test_each_worker_has_a_database_of_its_own(worker_id):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        (name,) = cursor.fetchone()
    assert name.endswith("_main" if worker_id == "master" else f"_{worker_id}")


@pytest.mark.browser
def test_the_browser_is_korean_and_in_seoul(page: Page, live_server):
    page.goto(f"{live_server.url}/healthz")
    assert page.evaluate("navigator.language") == "ko-KR"
    assert page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone") == "Asia/Seoul"
    assert page.evaluate("[innerWidth, innerHeight]") == [1440, 900]


@pytest.mark.browser
def test_console_errors_exceptions_and_csp_violations_are_heard(page: Page, live_server, console_errors):
    page.goto(f"{live_server.url}/healthz")
    page.route("**/guarded", lambda route: route.fulfill(
        headers={"Content-Security-Policy": "default-src 'none'", "Content-Type": "text/html"},
        body="<script>document.title = 'ran'</script>",
    ))  # fmt: skip
    with page.expect_event("pageerror"):
        page.evaluate("console.error('complaint'); setTimeout(() => { throw new Error('thrown') })")
    page.goto(f"{live_server.url}/guarded")
    page.wait_for_timeout(200)
    heard = "\n".join(console_errors)
    assert "complaint" in heard
    assert "thrown" in heard
    assert "CSP: script-src-elem refused inline" in heard
    assert page.title() != "ran"
    console_errors.clear()


@pytest.mark.browser
def test_the_browser_draws_hangul(page: Page):
    # Two different syllables drawn by a font that has them differ; two boxes for missing glyphs do not.
    page.set_content("<canvas width=80 height=40></canvas>")
    drawn = page.evaluate(
        """() => ["가", "힣"].map(syllable => {
            const canvas = document.querySelector("canvas"), context = canvas.getContext("2d");
            context.clearRect(0, 0, 80, 40);
            context.font = "30px sans-serif";
            context.fillText(syllable, 5, 30);
            return canvas.toDataURL();
        })"""
    )
    assert drawn[0] != drawn[1]


def test_no_example_of_a_property_fails_because_the_machine_is_busy():
    assert hypothesis_settings().deadline is None
    assert HealthCheck.too_slow in hypothesis_settings().suppress_health_check
    assert HealthCheck.too_slow in hypothesis_settings(max_examples=3).suppress_health_check


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_every_worker_begins_with_long_files_and_no_test_is_lost(workers):
    names = [f"tests/short_{number}.py" for number in range(200)]
    tests = [(name, number) for name in sorted([*names, *LONGEST]) for number in range(7)]
    found = in_queues(tests, file_of=lambda test: test[0], workers=workers)
    assert sorted(found) == sorted(tests)
    changes = sum(one[0] != other[0] for one, other in zip(found, found[1:], strict=False))
    assert changes < len(names) + len(LONGEST) + workers, "files stay together"
    begins = 0
    for number in range(workers):
        part = (len(tests) - begins) // (workers - number)
        assert found[begins][0] in LONGEST
        begins += part


def test_the_long_files_exist(pytestconfig):
    assert [name for name in LONGEST if not (pytestconfig.rootpath / name).is_file()] == []


def test_only_long_files_are_dealt_out_too():
    tests = [(name, number) for name in LONGEST[:2] for number in range(3)]
    assert sorted(in_queues(tests, file_of=lambda test: test[0], workers=3)) == sorted(tests)
