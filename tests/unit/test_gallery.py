"""The pictures of ``make screenshots`` leave no page out."""

from app.main import create_app
from tests.browser.gallery import addresses, data_admin, sheet
from tests.browser.gallery_stock import ROWS
from tests.conftest import settings_for
from tests.pages import page_paths


def test_every_page_is_photographed() -> None:
    taken = {path for path, _ in addresses(dict.fromkeys(ROWS, 7))}
    assert taken == set(page_paths(create_app(settings_for("postgresql+asyncpg://"))))


def test_data_admin_is_photographed_too() -> None:
    taken = dict(data_admin({"agent_id": 7}))
    assert taken["/admin/agents/details/{agent_id}"] == "/admin/agents/details/7"
    assert "/admin/audit_seals/list" in taken
    assert "/admin/tools/edit/{tool_id}" not in taken


def test_page_of_what_is_not_there_is_left_out() -> None:
    taken = dict(addresses({}))
    assert taken["/agents"] == "/agents"
    assert "/agents/{agent_id}" not in taken
    assert sheet([]).startswith("<!doctype html>")
