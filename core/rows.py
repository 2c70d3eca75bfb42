"""Rows as the database gave them: read without running the constructor of the model."""

from collections.abc import Collection
from typing import Any, Self

from django.db import models
from django.db.models.base import ModelState


class QuickRow(models.Model):
    """Abstract row of a table that is read by the thousand.

    Django sends each row through `__init__`, which is half of what a bulk act costs before it does anything. What a
    constructor adds (defaults, signals) a stored row does not need; fields that were not read stay deferred.
    """

    class Meta:
        abstract = True

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **options: Any) -> Self:
        row = cls.__new__(cls)
        row.__dict__.update(zip(field_names, values, strict=True))
        row._state = ModelState()
        row._state.adding = False
        row._state.db = db
        return row
