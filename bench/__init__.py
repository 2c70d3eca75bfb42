"""Measurements of the whole shop over HTTP, as a person at the screen meets it: `make bench`."""
