"""Turns records made elsewhere into reports that the JSON API takes.

Importers are clients of a running server: they know its URLs and JSON, and none of its code.
"""
