"""The two shapes of 우체국: `regData` going out, XML coming back (shipping.md 1.4).

regData is the hex of SEED-128 in ECB over `name=value&name=value`, filled up with zeros; the key is the first 16 bytes
of the account's security key. Nothing in it escapes, so `&` and `=` cannot be part of a value.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError

from cryptography.hazmat.decrepit.ciphers.algorithms import SEED
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from core.http import BadResponse, Client, Response
from shipping.adapters.base import TrackResult
from shipping.adapters.wire import call, clean, malformed, readable_text

KEY_BYTES: Final = 16
BLOCK: Final = 16
HEADERS: Final = {"User-Agent": "Apache-HttpClient/4.5.1 (Java/1.8.0_91)"}
"""The post office's firewall lets through what its own guide's sample sends."""
TEST_NUMBER: Final = "TESTREGINOAPI"
"""What test mode answers instead of a number; never a number."""

_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>", re.IGNORECASE)
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

Leaves = list[tuple[str, str]]
"""Innermost tags and their texts, in document order: what stands around them is not known for certain."""


class Unsendable(ValueError):
    """보낼 수 없는 값: a value holds `&` or `=`; the field's name is the argument."""


def reg_data(values: Mapping[str, str], *, security_key: str) -> str:
    """regData: the encrypted values as lower-case hex, in the order they stand. Raises Unsendable."""
    for name, value in values.items():
        if "&" in value or "=" in value or "\x00" in value:
            raise Unsendable(name)
    plain = "&".join(f"{name}={value}" for name, value in values.items()).encode()
    return seed_ecb(plain, key=security_key.encode()[:KEY_BYTES]).hex()


def seed_ecb(plain: bytes, *, key: bytes) -> bytes:
    """SEED-128 (RFC 4269) in ECB, the last block filled up with zero bytes; `key` has 16 bytes."""
    encryptor = Cipher(SEED(key), modes.ECB()).encryptor()
    return encryptor.update(plain + bytes(-len(plain) % BLOCK)) + encryptor.finalize()


def ask(
    client: Client, method: str, path: str, *, secrets: Collection[str], **request: Any
) -> tuple[Leaves, Response] | TrackResult:
    """호출: the innermost tags of a readable answer with the answer itself, or the failure; `request` as of `call`."""
    answer = call(client, method, path, secrets=secrets, **request)
    if isinstance(answer, TrackResult):
        return answer
    try:
        return leaves_of(answer), answer
    except BadResponse as problem:
        return malformed(str(problem), answer, secrets=secrets)


def leaves_of(response: Response) -> Leaves:
    """The innermost tags of an XML answer, texts cleaned and without the spaces around them. Raises BadResponse.

    The bytes decide about the charset, whatever the declaration says; a document type or entities are refused.
    """
    text = _NO_XML.sub("", _DECLARATION.sub("", readable_text(response)))
    try:
        root: Element = fromstring(text, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, RecursionError, MemoryError):
        raise BadResponse("the answer is not XML") from None
    return [(_name(element.tag), clean(element.text)) for element in root.iter() if len(element) == 0]


def first(leaves: Leaves, name: str) -> str:
    """The first filled text of a tag, empty when there is none; upper and lower case are one (regiPoNm, regipoNm)."""
    return next((text for tag, text in leaves if text and tag.lower() == name.lower()), "")


def error_of(leaves: Leaves) -> tuple[str, str]:
    """Code and message of an error answer; two empty texts for any other."""
    code = first(leaves, "error_code")
    return (code, first(leaves, "message")) if code else ("", "")


def grouped(leaves: Iterable[tuple[str, str]], *, tags: Collection[str]) -> list[dict[str, str]]:
    """Leaves of repeated entries: a new entry begins where one of its tags comes again."""
    entries: list[dict[str, str]] = []
    for tag, text in leaves:
        if tag not in tags:
            continue
        if not entries or tag in entries[-1]:
            entries.append({})
        entries[-1][tag] = text
    return entries


def _name(tag: object) -> str:
    """A tag without its namespace; comments and the like have none."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
