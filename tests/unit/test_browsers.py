"""The names by which people know their own browsers in the list of their sessions."""

import pytest

from app.core.browsers import browser_name

LIKE_GECKO = "AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = f"Mozilla/5.0 (X11; Linux x86_64) {LIKE_GECKO} Chrome/140.0.0.0 Safari/537.36"
EDGE = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {LIKE_GECKO} Chrome/140.0 Safari/537.36 Edg/140.0"
)
ANDROID = f"Mozilla/5.0 (Linux; Android 10; K) {LIKE_GECKO} Chrome/140.0.0.0 Mobile Safari/537.36"
FIREFOX = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:143.0) Gecko/20100101 Firefox/143.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
)


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (CHROME, "Chrome on Linux"),
        (EDGE, "Edge on Windows"),
        (ANDROID, "Chrome on Android"),
        (FIREFOX, "Firefox on macOS"),
        (IPHONE, "Safari on iPhone"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("x" * 300, "x" * 60),
        (None, "unknown"),
        ("", "unknown"),
    ],
)
def test_browser_is_named_as_people_call_it(user_agent: str | None, name: str) -> None:
    assert browser_name(user_agent) == name
