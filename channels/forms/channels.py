"""판매채널 입력."""

from collections.abc import Mapping
from typing import Any

from django import forms

from channels.models import OrderProfile
from core.forms import LineField
from core.setting_forms import ShownForm
from orders.models import SalesChannel


class ChannelForm(ShownForm):
    """판매채널: name, whether it is used, what happens to unknown products; the code is given once."""

    code = forms.RegexField(
        r"\A[a-z][a-z0-9-]{1,19}\Z",
        label="코드",
        help_text="영문 소문자로 시작하는 2자부터 20자까지의 영문 소문자, 숫자, 붙임표입니다. 나중에 바꿀 수 없습니다.",
        error_messages={
            "required": "코드를 입력하세요.",
            "invalid": "코드는 영문 소문자로 시작하는 2자부터 20자까지의 영문 소문자, 숫자, 붙임표로 입력하세요.",
        },
    )
    name = LineField(label="이름", max_length=40)
    is_active = forms.BooleanField(label="사용", required=False, initial=True)
    creates_products = forms.BooleanField(
        label="모르는 상품을 새로 등록",
        required=False,
        help_text="끄면 모르는 상품의 주문은 품목 연결에서 기다립니다.",
    )
    notifies_buyers = forms.BooleanField(
        label="구매자에게 알림",
        required=False,
        initial=True,
        help_text="구매자에게 직접 알리는 마켓이면 끕니다. 끄면 입금, 발송, 취소, 환불 알림을 보내지 않습니다.",
    )
    profile = forms.ModelChoiceField(
        label="기본 양식",
        queryset=OrderProfile.objects.none(),
        required=False,
        empty_label="없음",
        error_messages={"invalid_choice": "이 판매채널의 양식이 아닙니다. 다시 고르세요."},
    )

    def __init__(
        self, data: Any = None, *, channel: SalesChannel | None = None, shown: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(data, shown=shown or {})
        if channel is None:
            del self.fields["profile"], self.fields["was"]
            return
        del self.fields["code"]
        profile = self.fields["profile"]
        assert isinstance(profile, forms.ModelChoiceField)
        profile.queryset = OrderProfile.objects.filter(channel=channel).order_by("name", "pk")
