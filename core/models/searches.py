"""Search texts that are too long for an address."""

from django.db import models


class StoredSearch(models.Model):
    """맡긴 검색어: a long text under a short key that stands in addresses instead of it.

    The same text has the same key for everybody; the key cannot be guessed from the text.
    """

    token = models.CharField("열쇠", max_length=16, unique=True, db_collation="C")
    digest = models.CharField("해시", max_length=64, unique=True, db_collation="C")
    text = models.TextField("검색어")
    kept_at = models.DateTimeField("맡긴 일시", db_index=True)

    class Meta:
        verbose_name = "맡긴 검색어"

    def __str__(self) -> str:
        return self.token
