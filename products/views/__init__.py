"""Pages of products and stock."""
