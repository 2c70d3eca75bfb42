"""Columns of the lists of shipping."""
