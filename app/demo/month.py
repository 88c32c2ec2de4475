"""The last thirty days of the demo: when runs happened, of which agent, and how they ended."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from app.demo.company import AGENTS, DRAFT, DemoAgent
from app.demo.stories import STORIES
from app.demo.traces import Json, Occasion, report_of

DAYS = 30
AT_WORK = (*AGENTS, DRAFT)
OPEN_RUNS = 4
BY_HOUR = (2, 1, 1, 1, 1, 2, 4, 8, 14, 18, 19, 17, 14, 16, 18, 18, 16, 13, 10, 8, 7, 6, 4, 3)
WEEKEND = 0.45
# An afternoon on which the provider of one agent was down.
BAD_DAY, BAD_HOURS, BAD_AGENT = 8, range(13, 17), "airline-support"
BAD_TROUBLE, CANCELLED, FOLLOWS = 0.55, 0.012, 0.22


def moments(count: int, now: datetime, random: Random) -> list[datetime]:
    """So many, in order: more by day than by night, fewer at weekends, a little more each week."""
    hours = [now - timedelta(hours=back) for back in range(1, DAYS * 24)]
    weights = [weight_of(hour, now) for hour in hours]
    chosen = random.choices(hours, weights, k=count)
    return sorted(hour + timedelta(seconds=random.uniform(0, 3500)) for hour in chosen)


def weight_of(hour: datetime, now: datetime) -> float:
    grown = 1 - 0.3 * (now - hour).days / DAYS
    return BY_HOUR[hour.hour] * (WEEKEND if hour.weekday() > 4 else 1) * grown


def days_ago(moment: datetime, now: datetime) -> int:
    return (now - moment).days


def agent_at(moment: datetime, random: Random) -> DemoAgent:
    is_night = moment.hour < 6
    weights = [agent.share * (5 if is_night and agent.by_night else 1) for agent in AT_WORK]
    return random.choices(AT_WORK, weights)[0]


def revision_at(agent: DemoAgent, moment: datetime, now: datetime) -> tuple[int, str]:
    """The number of the revision that was live then, and its model."""
    begun = [c for c in agent.changes if c.days_ago >= days_ago(moment, now)]
    models = [change.values["model"] for change in begun if "model" in change.values]
    return len(begun) + 1, models[-1] if models else agent.model


def end_of(agent: DemoAgent, moment: datetime, now: datetime, random: Random) -> str:
    is_bad = days_ago(moment, now) == BAD_DAY and moment.hour in BAD_HOURS
    trouble = BAD_TROUBLE if is_bad and agent.name == BAD_AGENT else agent.trouble
    drawn = random.random()
    if drawn < trouble:
        return "failed"
    return "cancelled" if drawn < trouble + CANCELLED else "succeeded"


def occasions(count: int, now: datetime, random: Random) -> Iterator[Occasion]:
    sessions: dict[str, str] = {}
    still_open = max(0, count - OPEN_RUNS)
    for number, moment in enumerate(moments(count, now, random)):
        agent = agent_at(moment, random)
        ends = end_of(agent, moment, now, random)
        if random.random() > FOLLOWS or agent.name not in sessions:
            sessions[agent.name] = f"s-{random.getrandbits(32):08x}"
        revision, model = revision_at(agent, moment, now)
        occasion = Occasion(number, agent, model, revision, moment, sessions[agent.name], ends)
        if number >= still_open:
            just_now = now - timedelta(seconds=random.randint(20, 400))
            occasion = replace(occasion, started_at=just_now, ends="running")
        yield occasion


def reports(count: int, now: datetime, seed: int) -> Iterator[Json]:
    """``count`` runs in order, the same for the same seed but for when the month ends."""
    random = Random(seed)
    for occasion in occasions(count, now, random):
        story = random.choice(STORIES[occasion.agent.name])
        yield report_of(occasion, story, random)
