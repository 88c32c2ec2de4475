"""One request for each writing route of saved views."""

from tests.integration.audit_requests import API, Case, at, to

VIEW = {"resource": "agents", "name": "kept"}
VIEW_API_CASES: dict[str, Case] = {
    "POST /saved-views": to(f"{API}/saved-views", json=VIEW),
    "PATCH /saved-views/{view_id}": at(f"{API}/saved-views/{{}}", "view", json={"name": "x"}),
    "DELETE /saved-views/{view_id}": at(f"{API}/saved-views/{{}}", "view"),
    "POST /saved-views/{view_id}/restore": at(f"{API}/saved-views/{{}}/restore", "trashed_view"),
}
VIEW_PAGE_CASES: dict[str, Case] = {
    "POST /views": to("/views", data=VIEW),
    "POST /views/{view_id}/edit": at(
        "/views/{}/edit", "view", data={"name": "x", "row_version": "1"}
    ),
    "POST /views/{view_id}/update": at(
        "/views/{}/update", "view", data={"query": "q=x", "row_version": "1"}
    ),
    "POST /views/{view_id}/delete": at("/views/{}/delete", "view"),
    "POST /views/{view_id}/restore": at("/views/{}/restore", "trashed_view"),
    "POST /views/{view_id}/default": at("/views/{}/default", "view"),
    "POST /views/lists/{resource}/default": at("/views/lists/{}/default", "list_with_default"),
    "POST /views/lists/{resource}/columns": to(
        "/views/lists/executions/columns", data={"cols": "tags"}
    ),
}
