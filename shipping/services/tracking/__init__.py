"""배송조회: whom we ask, when, and what becomes of the answers."""
