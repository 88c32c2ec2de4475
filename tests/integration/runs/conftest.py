"""The stage on which agents are run."""

from tests.stage import provider, run_settings, stage

__all__ = ["provider", "run_settings", "stage"]
