"""봉인: secrets and account numbers at rest, AES-256-GCM with the key's id in the value (reliability.md R-13).

`OMS_FIELD_KEYS` is "id:base64 of 32 bytes", several with commas: the first seals, all open, so that keys can rotate.
Without it the key is derived from OMS_SECRET_KEY.
"""

import base64
import binascii
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

VERSION = "s1"
NONCE_BYTES = 12
DERIVED = "0"


class Unreadable(Exception):
    """봉인을 열 수 없음: another key, another purpose, or damaged text."""


def seal(text: str, *, purpose: str) -> str:
    """봉인: ASCII that only `unseal` with the same purpose opens; empty stays empty."""
    if not text:
        return ""
    key_id, key = next(iter(_keys().items()))
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, text.encode(), _bound(key_id, purpose))
    return f"{VERSION}:{key_id}:{base64.urlsafe_b64encode(nonce + sealed).decode()}"


def unseal(sealed: str, *, purpose: str) -> str:
    """봉인 열기. Raises Unreadable."""
    if not sealed:
        return ""
    version, _, rest = sealed.partition(":")
    key_id, _, text = rest.partition(":")
    key = _keys().get(key_id)
    if version != VERSION or key is None:
        raise Unreadable(f"no key {key_id!r}")
    try:
        raw = base64.urlsafe_b64decode(text)
        return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound(key_id, purpose)).decode()
    except (InvalidTag, binascii.Error, ValueError) as error:
        raise Unreadable("damaged or sealed for something else") from error


def _bound(key_id: str, purpose: str) -> bytes:
    return f"{VERSION}:{key_id}:{purpose}".encode()


def _keys() -> dict[str, bytes]:
    return _read_keys(os.environ.get("OMS_FIELD_KEYS", ""), str(settings.SECRET_KEY))


@lru_cache(maxsize=4)
def _read_keys(text: str, secret: str) -> dict[str, bytes]:
    keys = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        key_id, _, encoded = part.partition(":")
        try:
            keys[key_id] = base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise ImproperlyConfigured("OMS_FIELD_KEYS must hold id:base64 pairs") from error
        if len(keys[key_id]) != 32 or not key_id.isalnum() or key_id == DERIVED:
            raise ImproperlyConfigured("a key of OMS_FIELD_KEYS needs a name of letters and 32 bytes")
    keys[DERIVED] = HKDF(SHA256(), length=32, salt=None, info=b"oms field key").derive(secret.encode())
    return keys
