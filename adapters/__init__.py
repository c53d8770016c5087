"""Implementations of the ports of the inner layers: SQL databases, and a fake that behaves like them."""
