"""Log-ins of these tests check hundreds of passwords: the slow hash is left out, except where it is the subject."""

import pytest


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
