"""Gateways of messages: one module for each, with a back end for `core.messaging`."""
