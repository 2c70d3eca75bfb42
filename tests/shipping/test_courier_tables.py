"""Couriers as rows: what a new shop has, how often they are read, and what every process sees of a change."""

import os
import subprocess
import sys
import time
from pathlib import Path

from django.db import connection
from django.test.utils import CaptureQueriesContext

from core import fresh
from core.fresh import Fresh
from shipping import couriers
from shipping.couriers import COURIERS, TABLE, Courier, CourierTable, courier_name, find_courier
from shipping.excel import results
from shipping.models import Courier as CourierRow
from shipping.models import CourierCode
from shipping.services.couriers import codes_of, save_courier
from shipping.services.tracking.rules import BOOK
from tests.fixtures.orders import NOW
from tests.infra.preset_couriers import PRESETS
from tests.infra.preset_rules import PRESETS as RULES

ROOT = Path(__file__).resolve().parents[2]


def facts_of(slug, **changes):
    row = CourierRow.objects.get(pk=slug)
    names = ("name", "aliases", "digits", "rare_digits", "shortest", "check_rule", "level", "has_letters", "link",
             "is_active")  # fmt: skip
    return {name: getattr(row, name) for name in names} | changes


def rename(slug, name, actor):
    row = CourierRow.objects.get(pk=slug)
    return save_courier(
        slug=slug, seen_version=row.version, facts=facts_of(slug, name=name), codes=codes_of(row), actor=actor, at=NOW
    )


def test_the_rows_of_a_new_shop_say_what_the_presets_say(db):
    TABLE.forget()
    assert list(COURIERS) == list(PRESETS)
    assert dict(COURIERS) == dict(PRESETS)
    assert TABLE.get() is not PRESETS
    BOOK.forget()
    assert set(BOOK.get().rules) == set(RULES)
    assert len(BOOK.get().rules) == len(RULES)


def test_one_query_brings_all_couriers_and_reading_on_asks_nothing(db):
    TABLE.forget()
    with CaptureQueriesContext(connection) as asked:
        assert COURIERS["CJGLS"].code("tracker_delivery") == "kr.cjlogistics"
    assert len(asked) == 1
    with CaptureQueriesContext(connection) as asked:
        for slug in COURIERS:
            assert courier_name(slug) == find_courier(slug).name == results._courier(slug, "").name
        assert COURIERS.get("NOBODY") is None
        assert len(COURIERS) == len(PRESETS)
    assert len(asked) == 0


def test_a_change_counts_here_at_once_and_elsewhere_when_the_time_is_over(db, make_staff, monkeypatch):
    elsewhere = Fresh(couriers._load)  # what another process holds
    assert elsewhere.get()["CJGLS"].name == "CJ대한통운"
    assert rename("CJGLS", "씨제이대한통운", make_staff())
    assert COURIERS["CJGLS"].name == "씨제이대한통운"
    assert find_courier("씨제이대한통운") == COURIERS["CJGLS"]
    assert elsewhere.get()["CJGLS"].name == "CJ대한통운"
    monkeypatch.setattr(fresh, "SECONDS", 0.05)
    time.sleep(0.06)
    assert elsewhere.get()["CJGLS"].name == "씨제이대한통운"


def test_a_file_finds_a_courier_by_the_alias_that_was_just_added(db, make_staff):
    assert results._courier("빠른한진", "") != COURIERS["HANJIN"]
    row = CourierRow.objects.get(pk="HANJIN")
    facts = facts_of("HANJIN", aliases=[*row.aliases, "빠른한진"])
    save_courier(slug="HANJIN", seen_version=0, facts=facts, codes=codes_of(row), actor=make_staff(), at=NOW)
    assert results._courier("빠른한진", "") == COURIERS["HANJIN"]


def test_the_words_are_put_together_once_while_the_rows_stay_the_same(db):
    TABLE.forget()
    first = TABLE.get()
    TABLE.forget()
    assert TABLE.get() is first


def test_a_mall_may_have_a_code_of_its_own(db):
    CourierCode.objects.create(courier_id="HANJIN", system="cafe24", mall="바다상점", code="0018")
    TABLE.forget()
    assert COURIERS["HANJIN"].code("cafe24", "바다상점") == "0018"
    assert COURIERS["HANJIN"].code("cafe24", "산상점") == COURIERS["HANJIN"].code("cafe24") == ""
    assert COURIERS["CJGLS"].code("cafe24", "바다상점") == "0006"


def test_a_table_without_rows_names_nobody():
    assert find_courier("한진", among=CourierTable([])).message.startswith("택배사 '한진'을 찾을 수 없습니다.")
    assert find_courier("가나", among=CourierTable([Courier(slug="GANA", name="가나")])).slug == "GANA"


def test_nothing_is_asked_while_the_program_is_put_together(tmp_path):
    """Options, filters, forms, pages and addresses are imported where there is no database at all."""
    code = (
        "import django; django.setup()\n"
        "import oms.urls, shipping.options, shipping.filters, shipping.forms.couriers, shipping.pages.shipments\n"
        "from django.core.management import call_command\n"
        "call_command('check')\n"
        "from shipping.couriers import COURIERS\n"
        "from django.db import OperationalError\n"
        "try:\n    COURIERS['CJGLS']\nexcept OperationalError:\n    print('asked only now')\n"
    )
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "oms.settings",
        "DATABASE_URL": f"postgresql:///nobody?host={tmp_path}",
        "OMS_DATA_DIR": str(tmp_path),
    }
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.endswith("asked only now\n"), done.stderr[-2000:]
