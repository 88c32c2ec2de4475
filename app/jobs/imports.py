"""The rows of a file, written as its preview said."""

from app.jobs.context import JobContext, Step
from app.jobs.rows import go_through
from app.services.import_runs import ImportRunner
from app.services.imports import ImportService


async def import_rows(context: JobContext) -> object:
    """How many rows were written and refused, as JSON."""
    import_id = int(context.attempt.params["import_id"])

    def imports(step: Step) -> ImportService:
        return ImportService(step.session, step.actor, context.resources.settings)

    async with context.step(0, "Reading the plan") as step:
        runner = ImportRunner(await imports(step).get(import_id))

    async def go_on(step: Step) -> int:
        return await runner.go_on(imports(step))

    await go_through(context, runner.progress, go_on)
    return runner.outcome
