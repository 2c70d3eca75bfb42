"""The ways to 배송완료 of shipments that no courier tracks (shipping.md 7)."""
