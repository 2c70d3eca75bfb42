"""설정: values that staff may change, declared once with default, words and limits; every change is kept.

An app declares its own in its `options.py`; pages build their forms out of declared_settings().
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from core.calendar import short
from core.exceptions import Conflict, DomainError
from core.korean import josa
from core.models import Setting, SettingChange
from core.people import named

Value = bool | int | str | list[str]
Validator = Callable[[Any], None]
Choices = tuple[tuple[str, str], ...]
"""What a setting may be, with its words; a function where the choices are rows of a table."""


class SettingRefused(DomainError):
    """설정 오류: the value does not fit what the setting is declared to hold."""

    code = "setting_refused"


@dataclass(frozen=True)
class Declared:
    """설정 항목: what one setting means; the type of its default is the type of its values."""

    key: str
    label: str
    group: str
    default: Value
    help: str = ""
    minimum: int | None = None
    maximum: int | None = None
    choices: Choices | Callable[[], Choices] = ()
    validator: Validator | None = None

    def form_field(self) -> forms.Field:
        """입력란: a form field with label, help, limits and the default as its initial value; its errors name it."""
        field = self._field()
        field.error_messages |= {
            "required": f"{josa(self.label, '을/를')} 입력하세요.",
            "invalid_choice": f"{self.label}: 목록에 없는 값입니다. 다시 고르세요.",
        }
        if isinstance(field, forms.IntegerField):
            limits = f"{self.minimum}부터 {self.maximum}까지의 숫자로 입력하세요."
            field.error_messages["invalid"] = limits
            for validator in field.validators:
                validator.message = limits  # type: ignore[attr-defined]
            field.widget.attrs |= {"inputmode": "numeric"}
        return field

    def offered(self) -> dict[str, str]:
        """고를 수 있는 값 with their words; empty where anything may be typed."""
        return dict(self.choices() if callable(self.choices) else self.choices)

    def _field(self) -> forms.Field:
        words: dict[str, Any] = {"label": self.label, "help_text": self.help, "initial": self.default}
        if isinstance(self.default, bool):
            return forms.BooleanField(required=False, **words)
        validators = [self.validator] if self.validator else []
        if isinstance(self.default, int):
            return forms.IntegerField(min_value=self.minimum, max_value=self.maximum, validators=validators, **words)
        if isinstance(self.default, list):
            boxes = forms.CheckboxSelectMultiple
            return forms.MultipleChoiceField(choices=self.choices, widget=boxes, validators=validators, **words)
        if self.choices:
            return forms.ChoiceField(choices=self.choices, **words)
        return forms.CharField(
            required=bool(self.default), max_length=self.maximum or 200, validators=validators, **words
        )


_declared: dict[str, Declared] = {}


def declare(declared: Declared) -> Declared:
    """설정 등록: add a setting to the registry. Raises ValueError when the key is taken by another one."""
    if _declared.setdefault(declared.key, declared) != declared:
        raise ValueError(f"setting {declared.key} is declared twice")
    return declared


def declared_settings(group: str | None = None) -> list[Declared]:
    """설정 목록: what is declared, in the order of declaration, of one group or of all."""
    return [one for one in _declared.values() if group is None or one.group == group]


def get_setting(key: str) -> Any:
    """설정값: what staff stored, else the declared default; one query by primary key.

    Raises LookupError for a key that nobody declared.
    """
    return get_settings(key)[key]


def get_settings(*keys: str) -> dict[str, Any]:
    """설정값 여럿: the values of several keys by one query."""
    defaults = {key: _known(key).default for key in keys}
    return defaults | dict(Setting.objects.filter(key__in=keys).values_list("key", "value"))


def set_setting(*, key: str, value: Value, actor: AbstractBaseUser | None, at: datetime, reason: str = "") -> bool:
    """설정 변경: check and store a value, and write who changed it from what; False when it was that already.

    `actor` is empty for the system. Raises SettingRefused with the reason in Korean, LookupError for an unknown key.
    """
    declared = _known(key)
    value = _checked(declared, value)
    with transaction.atomic():
        row, _ = Setting.objects.select_for_update().get_or_create(
            key=key, defaults={"value": declared.default, "updated_at": at}
        )
        old = row.value
        if old == value:
            return False
        Setting.objects.filter(key=key).update(value=value, updated_at=at)
        SettingChange.objects.create(
            key=key, old=old, new=value, reason=reason, actor_id=actor.pk if actor else None, at=at
        )
    return True


def change_settings(
    *, changes: Mapping[str, Value], shown: Mapping[str, Any], actor: AbstractBaseUser | None, at: datetime
) -> None:
    """설정 여럿 변경: store what a person changed, all of it or nothing.

    `shown` are the values that the screen showed. Raises Conflict for one that somebody else has changed since, with
    who and when, and SettingRefused.
    """
    with transaction.atomic():
        one_at_a_time("settings")
        now = get_settings(*changes)
        for key in changed_meanwhile(changes, shown=shown, now=now):
            raise overwritten(_known(key).label, words(now[key], _known(key)), key=key, value=now[key])
        for key, value in changes.items():
            set_setting(key=key, value=value, actor=actor, at=at)


def changed_meanwhile(changes: Mapping[str, Any], *, shown: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """그 사이 바뀐 항목: what a person wants to change and somebody else has changed to something else already."""
    return [key for key, value in changes.items() if now[key] != shown.get(key) and now[key] != value]


def overwritten(label: str, said: str, *, key: str, value: Any) -> Conflict:
    """먼저 바꿨습니다: the refusal that names who changed the value to what it is, and when; `said` is its words."""
    last = SettingChange.objects.filter(key=key).select_related("actor").order_by("-at", "-pk").first()
    when, who = "", "다른 직원이"
    if last is not None and last.new == value:
        when, who = f"{short(last.at)}에 ", f"{named(last.actor)}이"
    return Conflict(
        f"{label}: {when}{who} 먼저 {josa(said, '으로/로')} 바꿨습니다. 화면을 새로 고쳐 지금 값을 확인하세요."
    )


def words(value: Any, declared: Declared | None = None) -> str:
    """값의 낱말: what staff chose, as they read it."""
    if value is None:
        return "없음"
    if isinstance(value, list):
        return ", ".join(words(one, declared) for one in value)
    if declared is not None and declared.choices:
        return declared.offered().get(str(value), str(value))
    if isinstance(value, bool):
        return "사용" if value else "사용 안 함"
    return str(value) if value != "" else "비어 있음"


def one_at_a_time(subject: str) -> None:
    """줄 세우기: two people who save the same subject wait for each other until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [subject])


def note_change(
    *, key: str, old: Any, new: Any, actor: AbstractBaseUser | None, at: datetime, reason: str = ""
) -> None:
    """설정 변경 이력: keep a change of something that is not a declared value, a rule or a holiday; plain JSON."""
    SettingChange.objects.create(key=key, old=old, new=new, reason=reason, actor_id=actor.pk if actor else None, at=at)


def last_changed(prefix: str = "", *, key: str = "") -> str:
    """마지막 변경: when and by whom a value whose history has this key, or keys of this prefix, was changed.

    As a sentence begins.
    """
    mine = {"key": key} if key else {"key__startswith": prefix}
    rows = SettingChange.objects.filter(**mine).select_related("actor").order_by("-at", "-pk")
    last = rows.first()
    if last is None:
        return "다른 직원이"
    return f"{short(last.at)}에 {named(last.actor)}이"


def _known(key: str) -> Declared:
    try:
        return _declared[key]
    except KeyError:
        raise LookupError(f"setting {key!r} is not declared") from None


def _checked(declared: Declared, value: Value) -> Value:
    if type(value) is not type(declared.default):
        raise SettingRefused(f"{josa(declared.label, '은/는')} 이 형식으로 저장할 수 없습니다.")
    try:
        cleaned: Value = declared.form_field().clean(value)
    except ValidationError as error:
        raise SettingRefused(f"{declared.label}: {' '.join(error.messages)}") from error
    return cleaned


SHOP_NAME = declare(
    Declared(
        key="shop_name",
        label="쇼핑몰 이름",
        group="shop",
        default="우리 쇼핑몰",
        help="알림과 거래명세서에 찍히는 이름입니다.",
        maximum=40,
    )
)
UNDO_HOLD_MINUTES = declare(
    Declared(
        key="undo_hold_minutes",
        label="되돌릴 수 있는 처리의 알림 대기 시간",
        group="shop",
        default=5,
        help="이 시간(분) 안에 되돌리면 알림이 나가지 않습니다. 0이면 바로 보냅니다.",
        minimum=0,
        maximum=30,
    )
)
