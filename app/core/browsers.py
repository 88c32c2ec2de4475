"""What a browser says of itself, made short enough to know one's own by."""

from app.core.texts import _

# The first that is found counts: each names those after it too, to be served as they are.
BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "Chrome/": "Chrome",
    "CriOS/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Macintosh": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}
MAX_CHARACTERS = 60


def browser_name(user_agent: str | None) -> str:
    """Such as "Firefox on Windows"; what is no known browser is quoted, such as "curl/8.5.0"."""
    if not user_agent:
        return _("unknown")
    browser = named_in(user_agent, BROWSERS)
    system = named_in(user_agent, SYSTEMS)
    if not browser or not system:
        return user_agent[:MAX_CHARACTERS]
    return _("%(browser)s on %(system)s", browser=browser, system=system)


def named_in(user_agent: str, names: dict[str, str]) -> str:
    return next((name for mark, name in names.items() if mark in user_agent), "")
