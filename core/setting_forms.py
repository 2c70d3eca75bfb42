"""Forms of settings: they remember what the screen showed, so that nobody takes a colleague's change back."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.signing import BadSignature, dumps, loads
from django.db.models import Model

from core.form_words import STALE
from core.settings_registry import Declared, declared_settings, get_settings

SALT = "core.setting_forms"


class ShownForm(forms.Form):
    """보인 값을 아는 입력: fields, and the values that the screen showed when it was opened, as plain JSON."""

    was = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: Any = None, *, shown: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(data, initial={**shown, "was": dumps(dict(shown), salt=SALT)}, **kwargs)

    def clean_was(self) -> dict[str, Any]:
        try:
            shown: dict[str, Any] = loads(self.cleaned_data["was"], salt=SALT)
        except BadSignature as error:
            raise forms.ValidationError(STALE) from error
        return shown

    def changes(self) -> dict[str, Any]:
        """바꾼 값: what differs from the values that the screen showed; a row is named by its id."""
        shown = self.cleaned_data["was"]
        values = {name: _plain(self.cleaned_data[name]) for name in self.fields if name != "was"}
        return {name: value for name, value in values.items() if value != shown.get(name)}


class SettingsForm(ShownForm):
    """설정 입력: one field for each declared setting."""

    def __init__(
        self, declared: Sequence[Declared], values: Mapping[str, Any], data: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(data, shown=values, **kwargs)
        for one in declared:
            field = one.form_field()
            field.initial = values[one.key]
            self.fields[one.key] = field


def settings_form(*groups: str, data: Any = None) -> SettingsForm:
    """설정 입력 of what is declared in these groups, with the values as they are now; one query."""
    declared = [one for group in groups for one in declared_settings(group)]
    return SettingsForm(declared, get_settings(*(one.key for one in declared)), data)


def _plain(value: Any) -> Any:
    return value.pk if isinstance(value, Model) else value
