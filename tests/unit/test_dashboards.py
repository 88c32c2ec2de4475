"""Dashboards, alerts and the manual name the metrics that there are."""

import json
import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its types are a package of their own
from prometheus_client import CollectorRegistry

from app.api.metrics import families
from app.core.config import PROJECT_ROOT
from app.core.process_gauges import ProcessGauges
from app.core.prometheus import PrometheusMeters
from app.services.measures import Measures, Places

DEPLOY = PROJECT_ROOT / "deploy"
METRIC = re.compile(r"\b(?:greenroom|process|python)_[a-z_]+\b")
SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}


@pytest.fixture(scope="module")
def metrics() -> dict[str, str]:
    """The kind of each metric by its name."""
    registry: CollectorRegistry = PrometheusMeters("0").registry
    ProcessGauges(registry)
    found = {metric.name: metric.type for metric in registry.collect()}
    measures = Measures([Places("x", "due", 1, 1)], {"x": 1}, 0, {})
    found |= {metric.name: metric.type for metric in families(measures)}
    return found | {"greenroom_queue_readable": "gauge"}


@pytest.fixture(scope="module")
def series(metrics: dict[str, str]) -> set[str]:
    """What a query can name."""
    return {f"{name}{end}" for name, kind in metrics.items() for end in SUFFIXES.get(kind, [""])}


def expressions(panels: list[dict[str, Any]]) -> list[str]:
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def test_dashboard_asks_for_metrics_that_there_are(series: set[str]) -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "greenroom.json").read_text())
    asked = expressions(dashboard["panels"])
    assert len(asked) > 25
    assert not {name for text in asked for name in METRIC.findall(text)} - series
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))


def test_alerts_are_about_metrics_that_there_are(series: set[str]) -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    [group] = rules["groups"]
    for rule in group["rules"]:
        named = METRIC.findall(rule["expr"])
        assert named, rule["alert"]
        assert not set(named) - series, rule["alert"]
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_manual_names_every_metric_and_no_other(metrics: dict[str, str]) -> None:
    manual = (PROJECT_ROOT / "docs" / "observability.md").read_text()
    told = {f"{name}_total" if kind == "counter" else name for name, kind in metrics.items()}
    ours = {name for name in told if name.startswith("greenroom_")}
    assert set(re.findall(r"`(greenroom_[a-z_]+)`", manual)) == ours
