"""Kinds of events of channels."""

from core.events import kind

LISTING_MADE = kind("listing.made", "품목 연결 기억")
LISTING_CHANGED = kind("listing.changed", "품목 연결 변경")
LISTING_REMOVED = kind("listing.removed", "품목 연결 삭제")
API_KEY_MADE = kind("api_key.made", "API 키 발급")
API_KEY_REVOKED = kind("api_key.revoked", "API 키 폐기")
