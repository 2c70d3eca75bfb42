"""Views that every app mounts under addresses of its own."""
