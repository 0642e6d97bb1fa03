"""Connectors of sources."""
