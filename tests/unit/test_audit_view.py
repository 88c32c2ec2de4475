"""What the audit page makes of an event."""

from app.models import AuditEvent
from app.pages.audit_view import describe


def test_event_of_a_job_reads_as_a_sentence_and_leads_to_it() -> None:
    event = AuditEvent(action="end", resource="jobs", resource_id=24, label="run_agent 24")
    event.changes = {}
    line = describe(event, {})
    assert (line.verb, line.noun, line.href) == ("ended", "job", "/jobs/24")


def test_batch_of_jobs_is_no_batch_of_runs() -> None:
    event = AuditEvent(action="create_batch", resource="jobs", changes={})
    assert describe(event, {}).verb == "queued a batch of jobs"


def test_structured_value_is_shown_as_json() -> None:
    event = AuditEvent(action="update", resource="tools", resource_id=2, label="find_bag")
    event.changes = {
        "endpoint": [None, {"url": "https://a.example", "on": True}],
        "tags": [[], [1]],
    }
    shown = [(change.old, change.new) for change in describe(event, {}).changes]
    assert shown == [("–", '{"url": "https://a.example", "on": true}'), ("none", "1")]
