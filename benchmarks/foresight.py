"""An experiment: can what the portal says of its steps buy an end that is seen earlier, for the same number of polls?

A made-up world: what the real portal's steps look like over time was never seen. So several are tried, among them some
that do not keep what the estimates promise.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.report import Table, number
from providers.azure_marketplace.polling import Schedule

HOUR, DAY = 3600.0, 86400.0

# The steps' estimates in the documents' samples (simulator/wire.py), from and to, in seconds.
ESTIMATES = ((0.0, HOUR / 4), (2 * DAY, 3 * DAY), (0.0, DAY), (0.0, HOUR), (2 * DAY, 5 * DAY))
LAST = len(ESTIMATES) - 1


@dataclass(frozen=True)
class Operation:
    """ends: of each step, seconds after the submission. fails_in: the step that fails, or None.

    told: whether the portal shows what step it is at.
    """

    ends: tuple[float, ...]
    fails_in: int | None
    told: bool

    @property
    def length(self) -> float:
        return self.ends[LAST if self.fails_in is None else self.fails_in]

    def step(self, at: float) -> int:
        """What the portal shows as the present step."""
        return sum(at >= end for end in self.ends[:LAST]) if self.told else 0


Policy = Callable[[Operation, float, float], float]
"""Seconds from a poll at the second moment to the next; the last argument is the rule's own delay."""


def _as_estimated(chance: random.Random) -> Sequence[float]:
    return [chance.uniform(low, high) for low, high in ESTIMATES]


def _otherwise(chance: random.Random) -> Sequence[float]:
    """A quarter to four times as long as estimated."""
    return [chance.uniform(low, high) * 4 ** chance.uniform(-1, 1) for low, high in ESTIMATES]


WORLDS: Sequence[tuple[str, Callable[[random.Random], Sequence[float]], float, bool]] = (
    ("steps shown, as long as estimated", _as_estimated, 0.0, True),
    ("steps shown, a quarter to four times as long", _otherwise, 0.0, True),
    ("the same, and a third fail on the way", _otherwise, 1 / 3, True),
    ("steps not shown before the end, a third fail", _otherwise, 1 / 3, False),
)


def _rule(_operation: Operation, _at: float, delay: float) -> float:
    return delay


def _by_step(sooner: float) -> Policy:
    """Half as often before the last step, and oftener in it."""

    def policy(operation: Operation, at: float, delay: float) -> float:
        return delay / sooner if operation.step(at) == LAST else 2 * delay

    return policy


def _by_estimate(sooner: float) -> Policy:
    """Half as often until the last step has lasted as long as it takes at least, and oftener from then on."""
    began: dict[Operation, float] = {}

    def policy(operation: Operation, at: float, delay: float) -> float:
        if operation.step(at) < LAST:
            return 2 * delay
        start = began.setdefault(operation, at)
        return delay / sooner if at - start >= ESTIMATES[LAST][0] else 2 * delay

    return policy


def _wait(operation: Operation, policy: Policy, chance: random.Random) -> tuple[int, float]:
    """Polls, and seconds from the operation's end to its being seen."""
    schedule, at, polls = Schedule(), 0.0, 1
    while at < operation.length:
        at += policy(operation, at, schedule.delay(at, chance=chance.random()))
        polls += 1
    return polls, at - operation.length


def _operations(count: int, world: int) -> list[Operation]:
    _, durations, failing, told = WORLDS[world]
    chance = random.Random(11)
    made = []
    for _ in range(count):
        ends, at = [], 0.0
        for seconds in durations(chance):
            at += seconds
            ends.append(at)
        fails_in = chance.randrange(LAST) if chance.random() < failing else None
        made.append(Operation(tuple(ends), fails_in, told))
    return made


def _for_the_same_polls(make: Callable[[float], Policy], operations: Sequence[Operation]) -> Policy:
    """The policy of this kind that asks as often as the rule, where all is as it is told to be."""

    def asked(policy: Policy) -> int:
        chance = random.Random(5)
        return sum(_wait(each, policy, chance)[0] for each in operations)

    wanted, low, high = asked(_rule), 0.5, 16.0
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if asked(make(middle)) < wanted else (low, middle)
    return make(low)


def experiment(count: int) -> str:
    honest = _operations(count, 0)
    policies = {
        "the rule": _rule,
        "by step": _for_the_same_polls(_by_step, honest),
        "by step and estimate": _for_the_same_polls(_by_estimate, honest),
    }
    rows = []
    for world, (what, *_) in enumerate(WORLDS):
        operations = _operations(count, world)
        for name, policy in policies.items():
            chance = random.Random(5)
            waits = [(each.fails_in is None, *_wait(each, policy, chance)) for each in operations]
            polls = statistics.mean(polls for _, polls, _ in waits)
            lived = [late for lives, _, late in waits if lives]
            failed = [late for lives, _, late in waits if not lives]
            rows.append([what, name, f"{polls:.0f}", _late(lived), _late(failed)])
    table = Table(["portal", "policy", "polls each", "success seen late: mean, most", "failure: mean, most"], rows)
    return (
        "**Can steps and estimates buy an earlier end for the same polls?** Two policies that spare polls before the "
        "last step (twice the rule's delay) and spend them in it, tuned to cost as many as the rule where the portal "
        f"keeps its estimates; {count} operations each, in worlds made up from the documents' steps.\n\n{table}"
    )


def _late(seconds: Sequence[float]) -> str:
    return f"{number(statistics.mean(seconds), 's')}, {number(max(seconds), 's')}" if seconds else ""
