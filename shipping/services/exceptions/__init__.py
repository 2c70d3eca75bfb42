"""배송 예외: opened and closed by news and by the clock, decided by people."""
