"""설정: the index, values of the shop, deadlines, holidays, keys; settings.view to look, settings.edit to change."""

from datetime import date
from typing import Any, ClassVar

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.access import EDIT_SETTINGS, LOGIN_ONLY, PermissionRequired, SettingsPage, staff_of
from core.calendar import clear_holiday, kst_date, set_holiday
from core.exceptions import DomainError, NotFound
from core.korean import josa
from core.models import Holiday
from core.models.calendar import HolidayKind
from core.options import MESSAGES
from core.setting_forms import SettingsForm, settings_form
from core.settings_registry import change_settings, declared_settings, note_change
from core.text import whole_number
from oms.shop.forms import FIRST_YEAR, LAST_YEAR, HolidayForm, RuleForm
from oms.shop.pages import HOLIDAY_KEY, changes_of, day_rows, links_for, rule_rows
from orders.models.channel import DeadlineKind, DeadlineRule
from orders.options import GROUP as DEADLINES
from orders.services.rules import HISTORY_KEY, remove_rule, set_rule
from payments.options import MONEY
from shipping.options import NOTICE_GROUP, PACK_GROUP, PRINT_GROUP, TRACKING_GROUP

SHOP = "shop"


class SettingsIndex(PermissionRequired):
    """설정: what can be set, as far as the person may open it."""

    permission = "settings.view"

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "settings/index.html", {"title": "설정", "groups": links_for(staff_of(request))})


class GroupPage(SettingsPage):
    """설정 묶음: the declared settings of some groups as a form, with who changed what."""

    groups: ClassVar[tuple[str, ...]]
    title: ClassVar[str]
    template: ClassVar[str] = "settings/group.html"
    history: ClassVar[tuple[str, ...]] = ()

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.answer(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        return self.save(request)

    def save(self, request: HttpRequest) -> HttpResponse:
        """Store what the person changed; a value that somebody else changed meanwhile is not overwritten."""
        form = self.form(request.POST)
        if not form.is_valid():
            return self.answer(request, form=form, status=422)
        changes, shown = form.changes(), form.cleaned_data["was"]
        try:
            change_settings(changes=changes, shown=shown, actor=staff_of(request), at=timezone.now())
        except DomainError as error:
            form.add_error(None, error.message)
            return self.answer(request, form=form, status=error.status)
        messages.success(request, "저장했습니다." if changes else "바뀐 내용이 없습니다.")
        return redirect(request.path)

    def form(self, data: Any = None) -> SettingsForm:
        return settings_form(*self.groups, data=data)

    def answer(self, request: HttpRequest, *, status: int = 200, **context: Any) -> HttpResponse:
        keys = [one.key for group in self.groups for one in declared_settings(group)]
        shown = {
            "title": self.title,
            "form": context.pop("form", None) or self.form(),
            "changes": changes_of([*keys, *self.history]),
            "may_edit": staff_of(request).has_perm(EDIT_SETTINGS),
        }
        return render(request, self.template, shown | self.more() | context, status=status)

    def more(self) -> dict[str, Any]:
        """Further context of the page."""
        return {}


class ShopPage(GroupPage):
    """쇼핑몰 설정."""

    groups, title = (SHOP,), "쇼핑몰 설정"


class MessagePage(GroupPage):
    """알림 설정: words of 고객 안내, what goes out as 알림톡, and the approved template of each kind of message."""

    groups, title = (NOTICE_GROUP, MESSAGES), "알림 설정"


class PrinterPage(GroupPage):
    """출력 설정: paper of labels, what is masked on them, couriers that need a sort code."""

    groups, title = (PRINT_GROUP,), "출력 설정"


class PackingPage(GroupPage):
    """포장 검수대 설정: when a box is closed, what may be typed, when the bench locks itself."""

    groups, title = (PACK_GROUP,), "포장 검수대 설정"


class MoneyPage(GroupPage):
    """입금과 환불 설정: who decides what, fees, alarms, how long things are kept."""

    groups, title = MONEY, "입금·환불 설정"


class ExceptionsPage(GroupPage):
    """배송 예외: when a box that stands still becomes a case, and where buyers find their page."""

    groups = (TRACKING_GROUP,)
    title = "배송 예외"


class DeadlinePage(GroupPage):
    """주문 기한: the usual days, and the rules by which channels differ."""

    groups, title = (DEADLINES,), "주문 기한"
    template = "settings/deadlines.html"
    history = (HISTORY_KEY,)

    def get(self, request: HttpRequest) -> HttpResponse:
        chosen = DeadlineRule.objects.filter(pk=_number(request.GET.get("rule", ""))).first()
        today = kst_date(timezone.now())
        initial: dict[str, Any] = {"valid_from": today, "kind": DeadlineKind.SHIP}
        if chosen is not None:
            initial = {name: getattr(chosen, name) for name in ("kind", "channel", "days", "valid_from")}
        return self.answer(request, rule_form=RuleForm(initial=initial), is_chosen=chosen is not None)

    def post(self, request: HttpRequest) -> HttpResponse:
        part, at = request.POST.get("part"), timezone.now()
        if part == "remove":
            remove_rule(rule_id=_number(request.POST.get("rule", "")), actor=staff_of(request), at=at)
            messages.success(request, "기한 규칙을 지웠습니다.")
            return redirect(request.path)
        if part != "rule":
            return self.save(request)
        form = RuleForm(request.POST)
        if not form.is_valid():
            return self.answer(request, rule_form=form, status=422)
        facts = form.cleaned_data
        channel = facts["channel"]
        set_rule(
            kind=DeadlineKind(facts["kind"]),
            channel_id=channel.pk if channel else None,
            days=facts["days"],
            valid_from=facts["valid_from"],
            actor=staff_of(request),
            at=at,
        )
        messages.success(request, "기한 규칙을 저장했습니다. 새로 들어오는 주문부터 적용합니다.")
        return redirect(request.path)

    def more(self) -> dict[str, Any]:
        today = kst_date(timezone.now())
        return {"rules": rule_rows(today), "rule_form": RuleForm(initial={"valid_from": today})}


class HolidayPage(SettingsPage):
    """휴일: public holidays of a year and the days on which the shop differs."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._answer(request, self._year(request), HolidayForm(initial={"kind": HolidayKind.REST}))

    def post(self, request: HttpRequest) -> HttpResponse:
        if request.POST.get("part") == "remove":
            return self._remove(request)
        form = HolidayForm(request.POST)
        if not form.is_valid():
            return self._answer(request, self._year(request), form, status=422)
        day, name, kind = form.cleaned_data["day"], form.cleaned_data["name"], HolidayKind(form.cleaned_data["kind"])
        with transaction.atomic():
            old = _shown(Holiday.objects.filter(date=day, courier_code="").first())
            new = _shown(set_holiday(day=day, name=name, kind=kind))
            if old != new:
                note_change(key=HOLIDAY_KEY, old=old, new=new, actor=staff_of(request), at=timezone.now())
        messages.success(request, f"{josa(kind.label, '으로/로')} 저장했습니다. 새로 정하는 기한부터 적용합니다.")
        return redirect(f"{request.path}?year={day.year}")

    def _remove(self, request: HttpRequest) -> HttpResponse:
        try:
            day = date.fromisoformat(request.POST.get("day", ""))
        except ValueError as error:
            raise NotFound("휴일을 찾을 수 없습니다. 화면을 새로 고치세요.") from error
        with transaction.atomic():
            old = _shown(Holiday.objects.filter(date=day, courier_code="").first())
            if not clear_holiday(day=day):
                raise NotFound("휴일을 찾을 수 없습니다. 화면을 새로 고치세요.")
            note_change(key=HOLIDAY_KEY, old=old, new=None, actor=staff_of(request), at=timezone.now())
        messages.success(request, f"{day} 설정을 지웠습니다.")
        return redirect(f"{request.path}?year={day.year}")

    def _year(self, request: HttpRequest) -> int:
        year = _number(request.GET.get("year", ""))
        return year if FIRST_YEAR <= year <= LAST_YEAR else kst_date(timezone.now()).year

    def _answer(self, request: HttpRequest, year: int, form: HolidayForm, *, status: int = 200) -> HttpResponse:
        context = {
            "title": "휴일",
            "year": year,
            "before": year - 1 if year > FIRST_YEAR else None,
            "after": year + 1 if year < LAST_YEAR else None,
            "days": day_rows(year),
            "form": form,
            "changes": changes_of([HOLIDAY_KEY]),
            "may_edit": staff_of(request).has_perm(EDIT_SETTINGS),
        }
        return render(request, "settings/holidays.html", context, status=status)


class ShortcutPage(PermissionRequired):
    """단축키: what keys do, and whether single letters do anything."""

    permission = LOGIN_ONLY

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "settings/shortcuts.html", {"title": "단축키"})


def _shown(holiday: Holiday | None) -> dict[str, str] | None:
    if holiday is None:
        return None
    return {"day": str(holiday.date), "name": holiday.name, "kind": HolidayKind(holiday.kind).label}


def _number(text: str) -> int:
    return whole_number(text, digits=9) or 0
