"""``python -m app demo``: invented data to look at, and its end."""

from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.database import Database
from app.core.wording import plural
from app.demo.build import Progress, build
from app.exceptions import Conflict
from app.services.demo import DemoService

IN_PRODUCTION = "This is a production installation. If you are sure, add --yes."


def refuse_in_production(settings: Settings, *, is_sure: bool) -> None:
    """Raise ``Conflict``: nobody wants invented runs among real ones by mistake."""
    if settings.is_production and not is_sure:
        raise Conflict(IN_PRODUCTION)


async def make_demo(settings: Settings, runs: int, seed: int, tell: Progress) -> str:
    """What was made, in words. Raise ``Conflict`` when there is a demo already."""
    async with Database.opened(settings) as database:
        await build(database, settings, runs, seed, tell)
    return f"The demo is there: look at its {plural(runs, 'run')}, all tagged demo."


async def remove_demo(settings: Settings, tell: Progress) -> str:
    """What was removed, in words. Raise ``Conflict`` while something else uses it."""
    async with Database.opened(settings) as database, database.unit_of_work() as session:
        removed = await DemoService(session, Actor.system(Via.CLI)).remove(tell)
    if not removed["people"]:
        return "There is no demo data."
    return f"The demo is gone: {plural(removed['runs'], 'run')}, and the people with all else."
