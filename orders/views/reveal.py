"""개인정보 보기: the one way to clear text. A reason first, then the log row, then the text for 30 seconds.

Each page names the right that its readers need for their work (reliability.md R-06, R-10).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from accounts.clients import client_of
from accounts.models import AccessAction
from accounts.services import record_access
from core.exceptions import DomainError
from core.views.lists import refused
from orders.forms import RevealForm

REVEAL_SECONDS = 30
LONGEST_SUBJECT = 40


@dataclass(frozen=True, slots=True)
class Clear:
    """볼 것: what is shown and what the log says of it; `target` is the id of the place in the page."""

    target: str
    subjects: Sequence[str]
    detail: Mapping[str, Any]
    context: Mapping[str, Any]
    hidden: Mapping[str, str] = field(default_factory=dict)
    """Fields that the form carries along."""


class Reveal(PermissionRequired, ABC):
    """개인정보 보기의 바탕: a page says what there is to see, in `clear`, and how it looks, in `template`."""

    template: ClassVar[str]
    what: ClassVar[str] = "개인정보를"

    @abstractmethod
    def clear(self, request: HttpRequest, **where: Any) -> Clear:
        """볼 것. Raises DomainError."""

    def get(self, request: HttpRequest, **where: Any) -> HttpResponse:
        if "hide" in request.GET:
            return HttpResponse("")
        return self._answer(request, RevealForm(), where)

    def post(self, request: HttpRequest, **where: Any) -> HttpResponse:
        return self._answer(request, RevealForm(request.POST), where)

    def _answer(self, request: HttpRequest, form: RevealForm, where: Mapping[str, Any]) -> HttpResponse:
        try:
            clear = self.clear(request, **where)
        except DomainError as error:
            return refused(request, error)
        context = {"url": request.path, "target": clear.target, "seconds": REVEAL_SECONDS}
        if not form.is_valid():
            context |= {"form": form, "what": self.what, "hidden": clear.hidden}
            return render(request, "partials/reveal_form.html", context, status=422 if form.is_bound else 200)
        record_access(
            actor=staff_of(request),
            action=AccessAction.VIEW,
            at=timezone.now(),
            client=client_of(request),
            purpose=form.cleaned_data["reason"],
            subjects=[one[:LONGEST_SUBJECT] for one in clear.subjects],
            detail=dict(clear.detail),
        )
        answer = render(request, self.template, context | dict(clear.context))
        answer["Cache-Control"] = "no-store"
        return answer
