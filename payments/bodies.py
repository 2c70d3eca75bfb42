"""알림 본문: raw bytes of a PG as text, and with personal data masked for who has given no reason to see it.

A field is shown as it is only where its name says that it is about a thing; text in Korean under a name that nobody
knows is taken for a person's. Source: reliability.md R-10, payments.md 2.
"""

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from core.masking import mask_account, mask_address, mask_email, mask_name, mask_phone, mask_text

CHARSETS = (("utf-8", "UTF-8"), ("cp949", "CP949"))
HIDDEN = "****"
MOST_SHOWN = 64 * 1024
_KOREAN = {"cp949", "euckr", "ksc56011987", "ksc5601", "ms949", "windows949", "uhc"}
_SAID = re.compile(r"charset\s*=\s*[\"']?([\w.-]+)", re.IGNORECASE)
# No syllable of CP949 looks like this by accident: three bytes of UTF-8, and everything around them is UTF-8 too.
_THREE_BYTES = re.compile(rb"[\xe1-\xef][\x80-\xbf]{2}")

_SECRET = re.compile(
    r"(?i)secret|token|signature|sign.?data|hash|card.?no|card.?num|auth.?num|ident|regist\w*.?n|issue.?n|resident"
    r"|birth|cash_(?:a_)?no$|password|user.?id|customer.?(?:id|key)"
)
_MAIL = re.compile(r"(?i)e?mail")
_PHONE = re.compile(r"(?i)phone|mobile|tel|휴대|hp.?n")
_ADDRESS = re.compile(r"(?i)addr|주소|zip|post.?code")
_ACCOUNT = re.compile(r"(?i)acc(?:oun)?t|acnt|vact.?num|vbank.?num|계좌")
_PERSON = re.compile(
    r"(?i)^nm_|depositor|remit|holder|customer|buyer|payer|owner|sender|receiver|recipient|orderer|input.?name|refund.?nm"
    r"|ipgm.?name|print.?content|remark|입금|예금주|rmesg|uname"
)
_NAME = re.compile(r"(?i)name")
_THING = re.compile(
    r"(?i)(?:P_FN_NM|nm_inputbank|fn_?name|result_?msg|message|(?:\w+_)?(?:method|type|status|currency)|bank|provider"
    r"|(?:v?bank|goods?|order|products?|item|method|issuer|acquirer|event|card|company|provider|channel|easy_?pay)_?name"
    r"|\w*(?:type|status)|(?:v?bank|card|account|customer|owner)_?code)"
)
_REFERENCE = re.compile(
    r"(?i)(?:(?:no|p|p_in|rcpt|receipt|org|cancelled|req|no_req|no_cshr)?_?tid|(?:no_|p_|m|cancelm)?oid|order_?(?:id|no|number)"
    r"|payment_?(?:id|key)|(?:last)?transaction_?(?:id|key)|cancellation_?id|store_?id|p?_?mid|id_merchant|tno|noti_id"
    r"|no_msgmanage|no_msgseq|(?:p_)?auth_?(?:date|dt)|(?:tx|ipgm)_(?:tm|time)|txid|tx_id|pg_?tx_?id)"
)
# Their own name says too little; the name of what they belong to is read with them.
_VAGUE = re.compile(r"(?i)n(?:o|um|umber|ame)|id|key|value|full|text")
_FIELD = re.compile(r"[\w.\[\]-]{1,80}", re.ASCII)


def decoded(body: bytes, charset: str) -> str:
    """본문 글자; what does not fit the charset shows as �."""
    return bytes(body[:MOST_SHOWN]).decode(charset, "replace")


def charset_of(body: bytes, *, content_type: str, dialect: str) -> str:
    """문자셋 of a body: what its content type says, else JSON's or the PG's own, else whichever fits the bytes."""
    found = _SAID.search(content_type)
    said = "".join(filter(str.isalnum, found[1].lower())) if found else ""
    said = "utf-8" if said == "utf8" else "cp949" if said in _KOREAN else ""
    own = "utf-8" if "json" in content_type.lower() else dialect
    known = [code for code, _ in CHARSETS]
    wanted = [code for code in (said, own, *known) if code in known]
    plain = bytes(body[:MOST_SHOWN])
    if plain.lstrip()[:1] not in {b"{", b"["}:
        plain = unquote_to_bytes(plain)
    return next((code for code in wanted if _fits(plain, code)), wanted[0])


def _fits(plain: bytes, charset: str) -> bool:
    if charset == "cp949" and _THREE_BYTES.search(plain) and _fits(plain, "utf-8"):
        return False
    try:
        # The last character may be cut off.
        codecs.getincrementaldecoder(charset)().decode(plain)
    except UnicodeDecodeError:
        return False
    return True


def kept_text(body: bytes, charset: str, *, is_masked: bool) -> str:
    """보관한 본문 without personal data: masked now, or already in the table."""
    return decoded(body, "utf-8") if is_masked else masked_body(body, charset)


def masked_value(path: str, value: Any) -> str:
    """가린 값 of one field by its name, or by its path within a document."""
    # As JSON writes it.
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    if not text:
        return ""
    name = _telling(path)
    if _THING.fullmatch(name):
        return mask_text(text)
    if _REFERENCE.fullmatch(name) and text.isascii():
        return text
    if _SECRET.search(name):
        return HIDDEN
    if _MAIL.search(name):
        return mask_email(text)
    if _PHONE.search(name):
        return mask_phone(text)
    if _ADDRESS.search(name):
        return mask_address(text)
    if _ACCOUNT.search(name) and text.isascii():
        return mask_account(text)
    if _PERSON.search(name) or _NAME.search(name) or not text.isascii():
        return mask_name(text)
    return HIDDEN if "=" in text and "&" in text else mask_text(text)


def _telling(path: str) -> str:
    names = [name for name in re.sub(r"\[\d+\]", "", path).split(".") if name]
    if not names:
        return ""
    return "_".join(names[-2:]) if _VAGUE.fullmatch(names[-1]) else names[-1]


def flat(fields: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """읽은 항목: (path, masked value) of a nested document; a document within a text is read too."""
    if isinstance(fields, str) and fields[:1] in {"{", "["}:
        try:
            fields = json.loads(fields)
        except ValueError:
            fields = HIDDEN
    if isinstance(fields, Mapping):
        for name, value in fields.items():
            shown = str(name) if _FIELD.fullmatch(str(name)) else HIDDEN
            yield from flat(value, f"{prefix}.{shown}" if prefix else shown)
    elif isinstance(fields, list):
        for place, value in enumerate(fields):
            yield from flat(value, f"{prefix}[{place}]")
    else:
        yield prefix, masked_value(prefix, fields)


def masked_body(body: bytes, charset: str) -> str:
    """가린 본문: JSON and form bodies field by field, anything else hidden but for its length."""
    text = decoded(body, charset)
    try:
        document = json.loads(text)
        if not isinstance(document, Mapping | list):
            return HIDDEN
        return "\n".join(f"{path}: {value}" for path, value in flat(document))
    except RecursionError:
        return _hidden(text)
    except ValueError:
        return _masked_form(bytes(body[:MOST_SHOWN]), charset) or _hidden(text)


def form_lines(body: bytes, charset: str) -> list[tuple[str, str]]:
    """양식의 항목 of a body in the clear; empty where it is no form. A value of the other charset is read by that."""
    pairs = []
    for piece in filter(None, body[:MOST_SHOWN].split(b"&")):
        name, mark, value = (_plain(part) for part in piece.partition(b"="))
        if not mark or not _FIELD.fullmatch(name.decode("latin-1")):
            return []
        fitting = next((code for code in (charset, *dict(CHARSETS)) if _fits(value, code)), charset)
        pairs.append((name.decode("latin-1"), value.decode(fitting, "replace")))
    return pairs


def _plain(part: bytes) -> bytes:
    return unquote_to_bytes(part.replace(b"+", b" "))


def _masked_form(body: bytes, charset: str) -> str:
    try:
        return "\n".join(
            f"{path}: {value}" for name, one in form_lines(body, charset) for path, value in flat(one, name)
        )
    except RecursionError:
        return HIDDEN


def _hidden(text: str) -> str:
    return f"{HIDDEN} ({len(text):,}자)" if text else ""
