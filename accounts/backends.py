"""Who may come in, and what they may do."""

from functools import cache
from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import make_password
from django.db import DEFAULT_DB_ALIAS
from django.db.models import BigAutoField
from django.http import HttpRequest

from accounts.clients import NO_CLIENT, client_of
from accounts.models import User
from accounts.services import may_log_in
from core.prepared import Given, Prepared

COLUMNS = tuple(field.attname for field in User._meta.concrete_fields)


@cache
def _by_id() -> Prepared:
    # Asked for by every request.
    return Prepared(User.objects.filter(pk=Given("pk", BigAutoField())).values_list(*COLUMNS))


class StaffBackend(BaseBackend):
    """로그인: name and password of an active member of staff; rights come from the role table."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """The person, or None. An unknown name costs the same time as a wrong password (reliability.md T01)."""
        if username is None or password is None:
            return None
        user = User.objects.filter(username=username).first()
        if user is None:
            make_password(password)
            return None
        known = user.check_password(password)
        client = client_of(request) if request is not None else NO_CLIENT
        return user if known and may_log_in(user, client) else None

    def get_user(self, user_id: int) -> User | None:
        """The person of a session, as stored now; None once they are disabled."""
        for row in _by_id().rows(pk=user_id):
            user = User.from_db(DEFAULT_DB_ALIAS, COLUMNS, row)
            return user if may_log_in(user) else None
        return None

    def has_perm(self, user_obj: Any, perm: str, obj: object = None) -> bool:
        return isinstance(user_obj, User) and user_obj.has_perm(perm)
