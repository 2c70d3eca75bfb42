"""Sessions that tests open without the log-in page look like those it opens: marked, and not due to be saved."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from accounts.middleware import mark_session


@pytest.fixture(autouse=True, scope="session")
def marked_sessions() -> Iterator[None]:
    """`Client.force_login` marks the session too, so that the first request asks the database no more than the next."""
    plain = Client.force_login

    def force_login(self: Client, *args: Any, **kwargs: Any) -> None:
        plain(self, *args, **kwargs)
        session = self.session
        mark_session(session, at=datetime.now(UTC))
        session.save()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "force_login", force_login)
        yield
