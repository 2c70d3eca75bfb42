"""Sample shops: a deterministic, set-based load of products, orders and everything that belongs to them."""
