"""Screens of shipping."""
