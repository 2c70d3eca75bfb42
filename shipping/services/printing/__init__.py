"""출력: labels, picking lists, packing lists, and what a scanned label is worth."""
