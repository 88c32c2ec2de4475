"""A worker that dies again and again, at four points of a job, and is started again each time.

``python -m tests.crashing_worker DATABASE_URL SEED`` prints a line for each death until it is told
to stop. Each life is a fork, so that hundreds of them cost no imports.
"""

import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from enum import StrEnum

from pydantic import SecretStr
from sqlalchemy import text

from app.core.config import Settings
from app.core.database import Database
from app.core.templating import Templates
from app.jobs.context import JobContext, Resources
from app.jobs.registry import Handled
from app.jobs.worker import Worker
from app.models import JobKind

SECRET = "a-secret-for-tests-only-0123456789abcdef"
LEASE_S = 1.0
HARMLESS_S = 0.3
KIND = JobKind.SEND_MAIL
EFFECT = text("INSERT INTO effects (job_id) VALUES (:job_id)")
ONE_IN = 5


class Point(StrEnum):
    """Where a worker dies, or is out of touch for longer than its lease."""

    CLAIMED = "claimed"
    EFFECT_DONE = "effect done"
    BEFORE_ACK = "before ack"
    HEARTBEAT_LOST = "heartbeat lost"


class Role(StrEnum):
    """What a job does that leaves nothing to chance."""

    POISON = "kills its worker, each time"
    HARMLESS = "takes a moment, and has an effect"


class Fate:
    """Decides for each point of each job whether this life ends there."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def meet(self, point: Point) -> None:
        if self._chance.randrange(ONE_IN * len(Point)):
            return
        sys.stdout.write(f"{point}\n")
        sys.stdout.flush()
        if point is Point.HEARTBEAT_LOST:
            time.sleep(LEASE_S * 1.7)  # the whole process, its heartbeats too
        else:
            os.kill(os.getpid(), signal.SIGKILL)


async def leave_effect(context: JobContext) -> None:
    await asyncio.sleep(HARMLESS_S)
    async with context.last_step() as step:
        await step.session.execute(EFFECT, {"job_id": context.attempt.job_id})


def handler(fate: Fate) -> Callable[[JobContext], object]:
    async def work(context: JobContext) -> object:
        match context.attempt.params.get("role"):
            case Role.POISON:
                os.kill(os.getpid(), signal.SIGKILL)
            case Role.HARMLESS:
                await leave_effect(context)
                return None
        fate.meet(Point.CLAIMED)
        fate.meet(Point.HEARTBEAT_LOST)
        async with context.last_step({"done": True}) as step:
            await step.session.execute(EFFECT, {"job_id": context.attempt.job_id})
            fate.meet(Point.EFFECT_DONE)
        fate.meet(Point.BEFORE_ACK)
        return None

    return work


async def live(url: str, fate: Fate) -> None:
    settings = Settings(
        _env_file=None,
        secret_key=SecretStr(SECRET),
        database_url=SecretStr(url),
        job_lease_s=LEASE_S,
        worker_patience_s=0,
    )
    database = Database.from_settings(settings)
    handled = [Handled(KIND, handler(fate))]  # type: ignore[arg-type]  # as declared by callables
    worker = Worker(Resources(database, settings, Templates()), handled, [])
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: loop.create_task(worker.stop()))
    await worker.run()
    await database.dispose()


def main(url: str, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  (moments of crashes, no secret)
    child = 0

    def stop(*_: object) -> None:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):  # dead already
            os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)
        os._exit(0)

    # No end comes before it is known whose: to kill "child 0" would be to kill the tests.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    signal.signal(signal.SIGTERM, stop)
    while True:
        life = Fate(random.Random(chance.random()))  # noqa: S311
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        if child == 0:
            asyncio.run(live(url, life))
            os._exit(0)
        os.waitpid(child, 0)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
