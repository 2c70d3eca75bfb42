"""알림 본문: raw bytes of a PG as text, and with personal data masked for who has given no reason to see it."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from core.masking import mask_account, mask_email, mask_name, mask_phone, mask_text

CHARSETS = (("utf-8", "UTF-8"), ("cp949", "CP949"))
HIDDEN = "****"
MOST_SHOWN = 64 * 1024
_ACCOUNT = re.compile(r"(?i)acc(?:oun)?t|acnt|vact.?num|vbank.?num|계좌")
_PHONE = re.compile(r"(?i)phone|mobile|tel|휴대")
_MAIL = re.compile(r"(?i)e?mail")
_SECRET = re.compile(r"(?i)secret|token|signature|sign.?data|hash|card.?no|card.?num")
_PERSON = re.compile(r"(?i)depositor|remitter|holder|customer|buyer|owner|sender|input.?name|입금|예금주|rmesg|uname")
_THING = re.compile(r"(?i)^(v?bank|goods|order|method|product|issuer|event|card|company|fn)_?name$|^P_FN_NM$")
_NAME = re.compile(r"(?i)name")


def decoded(body: bytes, charset: str) -> str:
    """본문 글자; what does not fit the charset shows as �."""
    return bytes(body[:MOST_SHOWN]).decode(charset, "replace")


def kept_text(body: bytes, charset: str, *, is_masked: bool) -> str:
    """보관한 본문 without personal data: masked now, or already in the table."""
    return decoded(body, "utf-8") if is_masked else masked_body(decoded(body, charset))


def masked_value(name: str, value: Any) -> str:
    """가린 값 of one field by its name."""
    # As JSON writes it.
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    if not text:
        return ""
    if _SECRET.search(name):
        return HIDDEN
    if _MAIL.search(name):
        return mask_email(text)
    if _PHONE.search(name):
        return mask_phone(text)
    if _PERSON.search(name) or (_NAME.search(name) and not _THING.search(name)):
        return mask_name(text)
    if _ACCOUNT.search(name):
        return mask_account(text)
    return mask_text(text)


def flat(fields: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """읽은 항목: (path, masked value) of a nested document."""
    if isinstance(fields, Mapping):
        for name, value in fields.items():
            yield from flat(value, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(fields, list):
        for place, value in enumerate(fields):
            yield from flat(value, f"{prefix}[{place}]")
    else:
        yield prefix, masked_value(prefix.rpartition(".")[2], fields)


def masked_body(text: str) -> str:
    """가린 본문: JSON and form bodies field by field, anything else hidden but for its first letter."""
    try:
        document = json.loads(text)
    except ValueError:
        return _masked_form(text)
    if not isinstance(document, Mapping | list):
        return HIDDEN
    return "\n".join(f"{path}: {value}" for path, value in flat(document))


def _masked_form(text: str) -> str:
    pairs = parse_qsl(text, keep_blank_values=True, encoding="cp949", errors="replace", max_num_fields=None)
    if "=" not in text or not pairs:
        return f"{text[:1]}{HIDDEN} ({len(text):,}자)" if text else ""
    return "\n".join(f"{name}: {masked_value(name, value)}" for name, value in pairs)
