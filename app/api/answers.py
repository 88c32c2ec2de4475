"""What a change is answered with: the row, or nothing of it to keys that may not read it."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from app.api.deps import asking, etag_of
from app.core.permissions import Permission

WITHHELD: dict[int | str, dict[str, Any]] = {  # as FastAPI takes them
    204: {"description": "Done. This key may not read it, so it is not shown."}
}


class RowAnswer:
    """Sets the ETag of the row, where it has a version."""

    def __init__(self, response: Response, *, may_read: bool) -> None:
        self._response = response
        self._may_read = may_read

    def __call__(self, row: Any) -> Any:  # a row of any model, for the route's response model
        headers = {"ETag": etag_of(row)} if hasattr(row, "row_version") else {}
        if not self._may_read:
            return Response(status_code=204, headers=headers)
        self._response.headers.update(headers)
        return row


def shown_with(
    permission: Permission,
) -> Callable[[Request, Response], Coroutine[Any, Any, RowAnswer]]:
    """For routes that declare what they need to change the row."""

    async def provide(request: Request, response: Response) -> RowAnswer:
        return RowAnswer(response, may_read=asking(request)[1].may(permission))

    return provide


AgentAnswerDep = Annotated[RowAnswer, Depends(shown_with(Permission.AGENTS_READ))]
ToolAnswerDep = Annotated[RowAnswer, Depends(shown_with(Permission.TOOLS_READ))]
ExecutionAnswerDep = Annotated[RowAnswer, Depends(shown_with(Permission.EXECUTIONS_READ))]
JobAnswerDep = Annotated[RowAnswer, Depends(shown_with(Permission.JOBS_READ))]
