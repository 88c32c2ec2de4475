"""Greenroom watched from outside."""
