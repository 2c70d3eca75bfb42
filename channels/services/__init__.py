"""What channels do: order files in, products connected, the storefront served."""
