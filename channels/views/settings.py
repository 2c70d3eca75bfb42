"""설정 · 판매채널: channels, their default layouts and their API keys."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from channels.forms import ChannelForm
from channels.models import ApiKey
from channels.pages.settings import channel_rows, key_rows, mapped_profiles
from channels.services.keys import make_key, revoke_key
from channels.services.profiles import delete_profile
from channels.services.shops import ChannelFacts, create_channel, edit_channel, shown_of
from core.exceptions import DomainError
from orders.models import SalesChannel


class ChannelList(PermissionRequired):
    """판매채널 목록."""

    permission = "settings.view"

    def get(self, request: HttpRequest) -> HttpResponse:
        context = {
            "title": "판매채널",
            "rows": channel_rows(),
            "may_edit": staff_of(request).has_perm("channels.edit"),
        }
        return render(request, "channels/settings.html", context)


class ChannelCreate(PermissionRequired):
    """판매채널 등록."""

    permission = "channels.edit"

    def get(self, request: HttpRequest) -> HttpResponse:
        return _create_page(request, ChannelForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ChannelForm(request.POST)
        if not form.is_valid():
            return _create_page(request, form, status=422)
        try:
            channel = create_channel(code=form.cleaned_data["code"], facts=_facts(form))
        except DomainError as error:
            form.add_error("code", error.message)
            return _create_page(request, form, status=error.status)
        messages.success(request, f"{channel.name} 판매채널을 등록했습니다.")
        return redirect("channels:channel", pk=channel.pk)


class ChannelEdit(PermissionRequired):
    """판매채널 수정과 API 키."""

    permission = "channels.edit"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        channel = SalesChannel.objects.filter(pk=pk).first()
        if channel is None:
            return _lost(request)
        return _edit_page(request, channel, _form_of(channel))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        channel = SalesChannel.objects.filter(pk=pk).first()
        if channel is None:
            return _lost(request)
        form = ChannelForm(request.POST, channel=channel)
        if not form.is_valid():
            return _edit_page(request, channel, form, status=422)
        changes, shown = form.changes(), form.cleaned_data["was"]
        try:
            edit_channel(channel_id=pk, changes=changes, shown=shown, actor=staff_of(request), at=timezone.now())
        except DomainError as error:
            form.add_error(None, error.message)
            return _edit_page(request, channel, form, status=error.status)
        messages.success(request, "판매채널을 저장했습니다.")
        return redirect("channels:channels")


class KeyCreate(PermissionRequired):
    """API 키 발급: the answer shows the key, and nothing else ever will."""

    permission = "channels.edit"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        channel = SalesChannel.objects.filter(pk=pk).first()
        if channel is None:
            return _lost(request)
        try:
            _, token = make_key(channel=channel, actor=staff_of(request), at=timezone.now())
        except DomainError as error:
            messages.error(request, error.message)
            return _edit_page(request, channel, _form_of(channel), status=error.status)
        answer = render(request, "channels/key.html", {"title": "API 키 발급", "channel": channel, "token": token})
        answer["Cache-Control"] = "no-store"
        return answer


class KeyRevoke(PermissionRequired):
    """API 키 폐기."""

    permission = "channels.edit"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: int, key_id: int) -> HttpResponse:
        if not ApiKey.objects.filter(pk=key_id, channel_id=pk).exists():
            return _lost(request)
        revoke_key(key_id=key_id, actor=staff_of(request), at=timezone.now())
        messages.success(request, "API 키를 폐기했습니다. 이 키로는 더 이상 접속할 수 없습니다.")
        return redirect("channels:channel", pk=pk)


class ProfileDelete(PermissionRequired):
    """양식 삭제: forgets a mapping that staff made."""

    permission = "channels.edit"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: int, profile_id: int) -> HttpResponse:
        try:
            profile = delete_profile(profile_id=profile_id, channel_id=pk)
        except DomainError as error:
            return render(request, "404.html", {"error_text": error.message}, status=error.status)
        messages.success(request, f"'{profile.name}' 양식을 삭제했습니다. 이 양식의 파일은 열을 다시 맞춰야 합니다.")
        return redirect("channels:channel", pk=pk)


def _facts(form: ChannelForm) -> ChannelFacts:
    data = form.cleaned_data
    return ChannelFacts(data["name"], data["is_active"], data["creates_products"], data["notifies_buyers"])


def _form_of(channel: SalesChannel) -> ChannelForm:
    return ChannelForm(channel=channel, shown=shown_of(channel))


def _create_page(request: HttpRequest, form: ChannelForm, *, status: int = 200) -> HttpResponse:
    context = {"title": "판매채널 등록", "form": form, "submit_label": "판매채널 등록", "cancel_url": ".."}
    return render(request, "channels/channel_new.html", context, status=status)


def _edit_page(request: HttpRequest, channel: SalesChannel, form: ChannelForm, *, status: int = 200) -> HttpResponse:
    context = {
        "title": f"{channel.name} 설정",
        "subtitle": channel.code,
        "channel": channel,
        "form": form,
        "keys": key_rows(channel),
        "profiles": mapped_profiles(channel),
    }
    return render(request, "channels/channel.html", context, status=status)


def _lost(request: HttpRequest) -> HttpResponse:
    return render(request, "404.html", {"error_text": "판매채널이나 API 키를 찾을 수 없습니다."}, status=404)
