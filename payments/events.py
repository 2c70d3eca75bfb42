"""Kinds of events of payments."""

from core.events import kind

PAYMENT_SETTLED = kind("payment.settled", "원장 반영")
