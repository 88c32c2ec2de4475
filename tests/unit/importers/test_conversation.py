"""What the trace page reads from an imported run."""

from app.importers.openai_messages import Target, execution_of
from app.importers.transcripts import Message, transcript_of
from app.models import Execution, Span, SpanBody
from app.schemas.executions import ExecutionCreate
from app.services.conversation import Turn, conversation_of
from app.services.spans import BODY_FIELDS, full_span, span_row

QUESTION = {"role": "user", "content": "Where is my bag?"}
CALL = {"id": "c1", "type": "function", "function": {"name": "find_bag", "arguments": '{"id": 1}'}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
FOUND = {"role": "tool", "tool_call_id": "c1", "name": "find_bag", "content": '{"city": "Roma"}'}
ANSWER = {"role": "assistant", "content": "In Rome."}
THANKS = {"role": "user", "content": "Thanks. ###STOP###"}


def conversation(*messages: Message) -> list[Turn]:
    """As it is read back from the rows that the run's spans become."""
    body = execution_of(transcript_of(0, list(messages)), Target(agent_id=1))
    sent = ExecutionCreate.model_validate(body).spans
    run = Execution(id=1, stored_trace_id=b"0" * 16)
    spans = [
        full_span(
            Span(**span_row(run, span, position)),
            SpanBody(**{name: getattr(span, name) for name in BODY_FIELDS}),
        )
        for position, span in enumerate(sent)
    ]
    return conversation_of(sorted(spans, key=lambda span: (span.start_ns, span.end_ns)))


def test_conversation_reads_as_the_transcript_did() -> None:
    turns = conversation(QUESTION, CALLING, FOUND, ANSWER, THANKS)
    assert [(turn.role, turn.text) for turn in turns] == [
        ("user", "Where is my bag?"),
        ("assistant", ""),
        ("assistant", "In Rome."),
        ("user", "Thanks. ###STOP###"),
    ]
    (call,) = turns[1].calls
    assert (call.name, call.arguments, call.result) == ("find_bag", {"id": 1}, {"city": "Roma"})


def test_last_result_is_shown_with_its_call_and_not_again() -> None:
    turns = conversation(QUESTION, CALLING, FOUND)
    assert [turn.role for turn in turns] == ["user", "assistant"]
    assert turns[1].calls[0].result == {"city": "Roma"}
