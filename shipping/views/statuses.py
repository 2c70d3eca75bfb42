"""설정 · 미분류 상태 and 상태 규칙: settings.view looks, settings.edit maps, adds, changes and switches."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from accounts.access import EDIT_SETTINGS, SettingsPage, staff_of
from core.exceptions import DomainError, NotFound
from core.text import whole_number
from shipping.details.history import changes_of
from shipping.details.statuses import rule_rows, rule_words, unknown_rows
from shipping.forms.couriers import MeaningForm, RuleChangeForm, RuleForm
from shipping.models import StatusRule, UnknownStatus
from shipping.services.tracking.statuses import HISTORY, Meaning, add_rule, change_rule, map_unknown
from shipping.states import Reason, TrackingStage

INTRO = "택배사가 보낸 '{said}'의 뜻을 고르세요. 같은 상태였던 상자를 다시 판정하고, 앞으로도 이렇게 읽습니다."
SOON = "저장했습니다. 이 상태였던 상자를 1분 안에 다시 판정합니다."
CHANGES = "'{value}'의 뜻을 고르세요. 미분류였던 상자는 1분 안에, 다른 상자는 다음 조회부터 이렇게 읽습니다."
CHANGED = "규칙을 고쳤습니다. 미분류였던 상자는 1분 안에, 다른 상자는 다음 조회부터 이렇게 읽습니다."
STILL_OFF = "규칙을 고쳤습니다. 꺼 둔 규칙이라 켜야 쓰입니다."


class UnknownList(SettingsPage):
    """미분류 상태: what couriers said and no rule knows."""

    def get(self, request: HttpRequest) -> HttpResponse:
        may_edit = staff_of(request).has_perm(EDIT_SETTINGS)
        context = {"title": "미분류 상태", "subtitle": "설정", "rows": unknown_rows(), "may_edit": may_edit}
        return render(request, "shipping/unknown.html", context)


class UnknownMap(SettingsPage):
    """미분류 상태 하나: choose what it means."""

    permission = EDIT_SETTINGS

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return _map(request, _unknown(pk), MeaningForm())

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        unknown, form = _unknown(pk), MeaningForm(request.POST)
        if not form.is_valid():
            return _map(request, unknown, form, status=422)
        try:
            map_unknown(unknown_id=pk, meaning=form.meaning(), actor=staff_of(request), at=timezone.now())
        except DomainError as error:
            form.add_error(None, error.message)
            return _map(request, unknown, form, status=error.status)
        messages.success(request, SOON)
        return redirect("shipping:unknown_statuses")


class RuleList(SettingsPage):
    """상태 규칙: all of them in the order in which they are tried, and a new one."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return _rules(request, RuleForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = RuleForm(request.POST)
        if not form.is_valid():
            return _rules(request, form, status=422)
        try:
            add_rule(**form.facts(), actor=staff_of(request), at=timezone.now())
        except DomainError as error:
            form.add_error(None, error.message)
            return _rules(request, form, status=error.status)
        messages.success(request, SOON)
        return redirect("shipping:status_rules")


class RuleSwitch(SettingsPage):
    """상태 규칙 켜기와 끄기: nothing is deleted, so that the history keeps its meaning."""

    permission = EDIT_SETTINGS
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        rule = _rule(pk)
        seen = whole_number(request.POST.get("version", ""), digits=9)
        is_active = request.POST.get("active") == "1"
        try:
            change_rule(
                rule_id=pk, seen_version=-1 if seen is None else seen, is_active=is_active,
                actor=staff_of(request), at=timezone.now(),
                meaning=Meaning(stage=TrackingStage(rule.stage), reason=Reason(rule.reason)),
            )  # fmt: skip
        except DomainError as error:
            form = RuleForm()
            return _rules(request, form, status=error.status, problem=error.message)
        messages.success(request, "규칙을 켰습니다." if is_active else "규칙을 껐습니다. 다음 조회부터 쓰지 않습니다.")
        return redirect("shipping:status_rules")


class RuleChange(SettingsPage):
    """상태 규칙 고치기: another meaning of the same value; of presets only whether they count can be changed."""

    permission = EDIT_SETTINGS

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        rule = _rule(pk)
        now = {"stage": rule.stage, "reason": rule.reason, "version": rule.version}
        return _change(request, rule, RuleChangeForm(initial=now))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        rule, form = _rule(pk), RuleChangeForm(request.POST)
        if not form.is_valid():
            return _change(request, rule, form, status=422)
        seen = form.cleaned_data["version"]
        try:
            change_rule(
                rule_id=pk, seen_version=-1 if seen is None else seen, meaning=form.meaning(),
                is_active=rule.is_active, actor=staff_of(request), at=timezone.now(),
            )  # fmt: skip
        except DomainError as error:
            form.add_error(None, error.message)
            return _change(request, rule, form, status=error.status)
        messages.success(request, CHANGED if rule.is_active else STILL_OFF)
        return redirect("shipping:status_rules")


def _rule(pk: int) -> StatusRule:
    rule = StatusRule.objects.filter(pk=pk).first()
    if rule is None:
        raise NotFound("상태 규칙을 찾을 수 없습니다.")
    return rule


def _change(request: HttpRequest, rule: StatusRule, form: RuleChangeForm, *, status: int = 200) -> HttpResponse:
    context = {
        "title": "상태 규칙 고치기",
        "subtitle": rule_words(rule),
        "intro": CHANGES.format(value=rule.value),
        "form": form,
        "action_url": request.path,
        "submit_label": "저장",
        "cancel_url": reverse("shipping:status_rules"),
    }
    return render(request, "generic/form.html", context, status=status)


def _unknown(pk: int) -> UnknownStatus:
    unknown = UnknownStatus.objects.filter(pk=pk).first()
    if unknown is None:
        raise NotFound("미분류 상태를 찾을 수 없습니다.")
    return unknown


def _map(request: HttpRequest, unknown: UnknownStatus, form: MeaningForm, *, status: int = 200) -> HttpResponse:
    said = unknown.text or unknown.code
    context = {
        "title": "미분류 상태 지정",
        "intro": INTRO.format(said=said),
        "form": form,
        "action_url": request.path,
        "submit_label": "지정",
        "cancel_url": reverse("shipping:unknown_statuses"),
    }
    return render(request, "generic/form.html", context, status=status)


def _rules(request: HttpRequest, form: RuleForm, *, status: int = 200, problem: str = "") -> HttpResponse:
    rows = rule_rows()
    context = {
        "title": "상태 규칙",
        "subtitle": "설정",
        "rows": rows,
        "form": form,
        "problem": problem,
        "changes": changes_of(HISTORY, labels={f"{HISTORY}{row.pk}": row.value for row in rows}),
        "may_edit": staff_of(request).has_perm(EDIT_SETTINGS),
    }
    return render(request, "shipping/status_rules.html", context, status=status)
