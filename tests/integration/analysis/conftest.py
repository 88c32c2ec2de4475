"""The stage with a model provider, for reports that a model sums up."""

from tests.stage import provider, run_settings, stage

__all__ = ["provider", "run_settings", "stage"]
