"""포장 검수: what is scanned at the packing bench, judged under the shipment's locks (ux.md 3.1)."""
