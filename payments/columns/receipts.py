"""현금영수증 as lists and the order show it."""

from payments.states import ReceiptState

CSS = {ReceiptState.ISSUED: "s-delivered", ReceiptState.CANCELED: "s-confirmed"}
_SAFE = ("https://", "http://127.0.0.1:")
"""Where a receipt of a PG, or of a sandbox, is shown; anything else is no link."""


def shown_url(url: str) -> str:
    """영수증 주소 that may be a link; else empty."""
    return url if url.startswith(_SAFE) else ""
