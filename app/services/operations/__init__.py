"""The installation's health as a list of findings: read only, bounded, never in anybody's way."""
