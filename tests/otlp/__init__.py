"""Spans as runtimes send them."""
