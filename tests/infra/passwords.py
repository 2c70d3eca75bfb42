"""Passwords of test users."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class QuickHasher(PBKDF2PasswordHasher):
    """The hasher of the shop with one round: nobody is to guess these passwords, and most tests make a user.

    What it writes says so itself, so that the real hasher of a process under test reads it too.
    """

    iterations = 1
