"""Settings: declared once, checked on the way in, every change kept."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth import get_user_model
from django.db import InternalError, transaction

from core.models import Setting, SettingChange
from core.settings_registry import (
    Declared,
    SettingRefused,
    declare,
    declared_settings,
    get_setting,
    get_settings,
    set_setting,
)

NOW = datetime(2026, 11, 21, 5, 20, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return get_user_model().objects.create_user("boss", display_name="대표", role="OWNER")


def test_a_setting_has_its_default_until_it_is_changed(owner, django_assert_num_queries):
    assert get_setting("undo_hold_minutes") == 5
    assert set_setting(key="undo_hold_minutes", value=10, actor=owner, at=NOW, reason="연휴")
    with django_assert_num_queries(1):
        assert get_settings("undo_hold_minutes", "shop_name") == {"undo_hold_minutes": 10, "shop_name": "우리 쇼핑몰"}


def test_a_change_is_kept_with_who_when_old_and_new(owner):
    set_setting(key="shop_name", value="바다 상점", actor=owner, at=NOW)
    set_setting(key="shop_name", value="산 상점", actor=None, at=NOW)
    kept = SettingChange.objects.order_by("pk").values_list("key", "old", "new", "actor", "at")
    assert list(kept) == [
        ("shop_name", "우리 쇼핑몰", "바다 상점", owner.pk, NOW),
        ("shop_name", "바다 상점", "산 상점", None, NOW),
    ]


def test_storing_the_present_value_is_no_change(owner):
    assert not set_setting(key="shop_name", value="우리 쇼핑몰", actor=owner, at=NOW)
    assert not SettingChange.objects.exists()


@pytest.mark.parametrize("value", [31, -1, "5", True, None, 2.5])
def test_a_value_out_of_bounds_or_of_another_type_is_refused_and_changes_nothing(owner, value):
    with pytest.raises(SettingRefused) as refused:
        set_setting(key="undo_hold_minutes", value=value, actor=owner, at=NOW)
    assert refused.value.message.startswith("되돌릴 수 있는 처리의 알림 대기 시간")
    assert get_setting("undo_hold_minutes") == 5
    assert not Setting.objects.exists()
    assert not SettingChange.objects.exists()


def test_an_undeclared_key_is_a_mistake():
    with pytest.raises(LookupError):
        get_setting("nothing")


def test_two_meanings_of_one_key_are_refused():
    declared = declared_settings("shop")
    assert {one.key for one in declared} >= {"shop_name", "undo_hold_minutes"}
    with pytest.raises(ValueError, match="declared twice"):
        declare(Declared(key="shop_name", label="다른 이름", group="shop", default="x"))
    assert declared_settings("shop") == declared


def test_a_form_field_carries_label_help_and_limits():
    field = next(one for one in declared_settings("shop") if one.key == "undo_hold_minutes").form_field()
    assert (field.label, field.initial, field.min_value, field.max_value) == (
        "되돌릴 수 있는 처리의 알림 대기 시간",
        5,
        0,
        30,
    )


@pytest.mark.parametrize("act", ["update", "delete"])
def test_the_database_lets_nobody_rewrite_a_change(owner, act):
    set_setting(key="shop_name", value="바다 상점", actor=owner, at=NOW)
    rows = SettingChange.objects.all()
    with pytest.raises(InternalError), transaction.atomic():
        rows.update(new="x") if act == "update" else rows.delete()
    assert SettingChange.objects.get().new == "바다 상점"
