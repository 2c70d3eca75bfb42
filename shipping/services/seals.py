"""수령 코드와 기사 링크: both follow from a random value of the shipment and the key of the server.

Nothing that opens a door lies in the database; a new random value makes the old code and the old link worthless.
"""

import base64
import secrets

from django.utils.crypto import constant_time_compare, salted_hmac

from core.text import whole_number
from shipping.models import Handover

CODE_DIGITS = 6
_CODE, _LINK = "shipping.handover.code", "shipping.handover.link"


def new_seal() -> str:
    """봉인값: 128 random bits in hexadecimal."""
    return secrets.token_hex(16)


def pickup_code(handover: Handover) -> str:
    """수령 코드: six digits."""
    digest = _digest(_CODE, handover)
    return f"{int.from_bytes(digest) % 10**CODE_DIGITS:0{CODE_DIGITS}d}"


def is_code(handover: Handover, text: str) -> bool:
    """코드 확인: in a time that does not tell how much of it is right."""
    return constant_time_compare(pickup_code(handover), text)


def link_token(handover: Handover) -> str:
    """기사 링크의 값: the shipment and 256 bits that nobody guesses."""
    secret = base64.urlsafe_b64encode(_digest(_LINK, handover)).decode().rstrip("=")
    return f"{handover.shipment_id}_{secret}"


def shipment_of_token(token: str) -> int:
    """링크의 배송건: its id as the token says, 0 for no such form; the token is still to be compared."""
    return whole_number(token.partition("_")[0]) or 0


def is_token(handover: Handover, token: str) -> bool:
    """링크 확인."""
    return constant_time_compare(link_token(handover), token)


def _digest(salt: str, handover: Handover) -> bytes:
    return salted_hmac(salt, f"{handover.shipment_id}/{handover.seal}", algorithm="sha256").digest()
