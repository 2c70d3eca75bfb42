"""The form of a file that is sent in steps: a password, or the one sheet of several, is asked for afterwards."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from django import forms

from core.excel import ASKS_PASSWORD
from core.exceptions import DomainError
from core.forms import FilePasswordField
from core.jobs import held
from core.jobs.held import HeldFile


class HeldFileForm(forms.Form):
    """파일 입력: a file, or one that is held since the step before.

    A form with a field `file` of its own; `sheets` makes the sheet a choice. `sheet_help` says which one is wanted.
    """

    no_file: ClassVar[str] = "올릴 파일을 고르세요."
    sheet_help: ClassVar[str] = ""

    held = forms.CharField(required=False, max_length=1000, widget=forms.HiddenInput)
    # Stored nowhere; shown again while the file waits for its sheet or for the right password.
    password = FilePasswordField(
        is_shown_again=True, help_text="암호가 걸린 파일일 때만 입력합니다. 저장하지 않습니다."
    )
    sheet = forms.CharField(required=False, max_length=100, widget=forms.HiddenInput)

    def __init__(self, *args: Any, sheets: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What the form of the next step is made with; a form that takes more adds it.
        self.made_of: dict[str, Any] = {}
        if sheets:
            choices = [(name, name) for name in sheets]
            self.fields["sheet"] = forms.ChoiceField(
                label="시트", choices=choices, required=False, help_text=self.sheet_help
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.has_content(cleaned) and not self.errors:
            self.add_error("file", self.no_file)
        return cleaned

    def has_content(self, cleaned: dict[str, Any]) -> bool:
        """Whether there is anything to read."""
        return bool(cleaned.get("file") or cleaned.get("held"))

    def again(self, file: HeldFile | None, *, sheets: Sequence[str] = ()) -> Self:
        """다음 단계: the same form, knowing the file that is held; its errors stay."""
        data = {name: self.data.get(name, "") for name in self.fields if name != "file"}
        data |= {"held": file.token} if file else {"held": "", "sheet": ""}
        again = type(self)(data, sheets=sheets, **self.made_of)
        again.full_clean()
        again.errors.clear()
        for name, errors in self.errors.items():
            again.errors[name] = errors
        return again

    def refused(self, error: DomainError, file: HeldFile | None, *, sheets: Sequence[str] = ()) -> Self:
        """거절 뒤 다시: the sentence beside what can mend it, the password or another of the sheets, else the file.

        A file that nothing here can mend is dropped.
        """
        if error.code in ASKS_PASSWORD:
            self.add_error("password", error.message)
            return self.again(file)
        if file is not None and len(sheets) > 1:
            again = self.again(file, sheets=sheets)
            again.add_error("sheet", error.message)
            return again
        if file is not None:
            held.drop(file)
        self.add_error("file", error.message)
        return self.again(None)
