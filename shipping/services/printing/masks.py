"""송장 가림: how a receiver stands on paper that anybody in a stairwell can read.

The advice of 2021 is the weakest choice there is; staff may only make it stricter (reliability.md L11, R-12).
"""

from dataclasses import dataclass

from core.masking import STARS, mask_name, mask_phone
from core.phones import format_phone, is_safe_number, phone_groups
from core.settings_registry import get_settings
from core.text import without_pictures

MIDDLE, FIRST_ONLY = "MIDDLE", "FIRST"
LAST_FOUR, PREFIX_ONLY = "LAST4", "PREFIX"


@dataclass(frozen=True, slots=True)
class MaskStyle:
    """가림 방식 of names and phones; `is_safe_whole` prints 안심번호, which are substitutes themselves, as they are."""

    name: str = MIDDLE
    phone: str = LAST_FOUR
    is_safe_whole: bool = False

    def of_name(self, name: str) -> str:
        """홍길동 -> 홍*동, or 홍**."""
        masked = mask_name(without_pictures(name))
        if self.name == MIDDLE or len(masked) < 3 or masked[0].isascii():
            return masked
        return f"{masked[:-1]}*"

    def of_phone(self, phone: str) -> str:
        """01012345678 -> 010-1234-****, or 010-****-****; 0507-1234-5678 whole where the setting says so."""
        if not phone:
            return ""
        if self.is_safe_whole and is_safe_number(phone):
            return format_phone(phone)
        groups = phone_groups(phone)
        if self.phone == PREFIX_ONLY and len(groups) == 3:
            return "-".join((groups[0], STARS, STARS))
        return mask_phone(phone)


def mask_style() -> MaskStyle:
    """가림 방식 of the shop; one query."""
    values = get_settings("label_name_mask", "label_phone_mask", "label_safe_number_whole")
    return MaskStyle(values["label_name_mask"], values["label_phone_mask"], bool(values["label_safe_number_whole"]))
