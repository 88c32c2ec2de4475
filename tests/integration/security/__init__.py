"""Attacks, each named after the line of the security reference that it covers."""
