"""긴 검색어: a thousand pasted numbers do not fit into an address; a short key stands there for them.

The text is kept for KEPT_FOR after it was last searched for, and as long as a saved view needs it.
"""

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from urllib.parse import quote_plus

from django.db import connection

from core.lists.search import LONGEST
from core.models import StoredSearch

KEPT_FOR = timedelta(days=30)
LONGEST_IN_ADDRESS = 1_500
"""Bytes of an encoded text that an address has room for beside its other conditions."""
UNKEPT = "-"
"""Stands in addresses for a text that nobody can search for; it never names one."""
GONE = "이 주소의 검색어는 보관 기간(30일)이 지나 지워졌습니다. 번호를 다시 붙여 넣고 조회하세요."

_TOKEN = re.compile(r"[A-Za-z0-9_-]{12}")
_KEEP = """
    INSERT INTO core_storedsearch AS kept (token, digest, text, kept_at) VALUES (%s, %s, %s, %s)
    ON CONFLICT (digest) DO UPDATE SET kept_at = greatest(kept.kept_at, excluded.kept_at)
    RETURNING token
"""
_FORGET = """
    DELETE FROM core_storedsearch kept
     WHERE kept_at < %s
       AND NOT EXISTS (SELECT 1 FROM core_savedview view WHERE position('qs=' || kept.token IN view.query) > 0)
"""


def is_long(text: str) -> bool:
    """긴 검색어 여부: too long to be written out in an address."""
    return len(text) > LONGEST_IN_ADDRESS or len(quote_plus(text)) > LONGEST_IN_ADDRESS


def keep(text: str, *, at: datetime) -> str:
    """검색어 맡기기: the key of the text; UNKEPT for one that cannot be searched for."""
    if len(text) > LONGEST or "\x00" in text:
        return UNKEPT
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [secrets.token_urlsafe(9), digest, text, at])
        return str(cursor.fetchone()[0])


def read(token: str) -> str | None:
    """맡긴 검색어 찾기: None when nothing is kept under the key (any more). One query."""
    if not _TOKEN.fullmatch(token):
        return None
    return StoredSearch.objects.filter(token=token).values_list("text", flat=True).first()


def forget_old(*, at: datetime) -> int:
    """지난 검색어 지우기: what nobody searched for in 30 days and no saved view needs; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, [at - KEPT_FOR])
        return cursor.rowcount
