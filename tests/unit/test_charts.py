"""Lines of charts as SVG paths."""

from app.pages.charts import path_of, points


def test_value_between_two_gaps_is_drawn_as_a_dot() -> None:
    line = path_of(points([None, 5, None, 5, 10], 100, 100, 10))
    assert line == "M25.0,50.0 L25.0,50.0 M75.0,50.0 L100.0,0.0"


def test_nothing_known_draws_nothing() -> None:
    assert path_of(points([None, None], 100, 100, 10)) == ""
