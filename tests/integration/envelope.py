"""What every error of the JSON API must look like."""

import re
from datetime import datetime

import httpx2

LEAKS = re.compile(
    r"select |insert into|update .* set|traceback|asyncpg|sqlalchemy|site-packages|\.py\b|postgres",
    re.IGNORECASE,
)


def assert_envelope(response: httpx2.Response, status: int, code: str | None = None) -> str:
    """The exact envelope of contract B9 and nothing of our insides; returns the message."""
    assert response.status_code == status, response.text[:500]
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"success", "error", "timestamp", "path", "request_id"}
    assert body["success"] is False
    assert set(body["error"]) == {"code", "message", "details"}
    assert body["path"] == response.request.url.path
    assert body["request_id"] == response.headers["x-correlation-id"]
    assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None
    assert isinstance(body["error"]["details"], list)
    assert not LEAKS.search(response.text), response.text[:500]
    if code is not None:
        assert body["error"]["code"] == code
    message: str = body["error"]["message"]
    assert message
    return message


def fields_of(response: httpx2.Response) -> set[str]:
    """The last part of each field that the error names."""
    details = response.json()["error"]["details"]
    return {str(detail.get("field", "")).split(".")[-1] for detail in details}
