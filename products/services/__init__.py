"""What staff and the apps above do with products and stock."""
