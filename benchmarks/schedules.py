"""How many requests a wait costs, and how late its end is seen: waits of minutes to days, under a clock of our own."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.foresight import experiment
from benchmarks.in_memory import Waited, wait_azure_core, wait_ours
from benchmarks.report import CannotMeasure, Report, Scale, number
from providers.azure_marketplace.polling import Schedule
from providers.azure_marketplace.progress import duration

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
LENGTHS = (2 * MINUTE, HOUR, DAY, 3 * DAY)
FIXED = (30.0, 300.0)  # azure-core's default; cloudpub's interval
Polls = Callable[[float, random.Random], list[float]]


@dataclass(frozen=True)
class Many:
    """Operations of any length from so long to a tenth longer: the mean of their polls; of how late their ends are
    seen the mean and the most, in seconds; and the most as a part of the operation."""

    polls: float
    late: float
    latest: float
    share: float


def run(scale: Scale) -> Report:
    report = Report("Requests, and how late an end is seen", scale)
    _real(scale)
    rows, seen = [], {}
    for length in LENGTHS:
        seen[length] = [_many(length, _ours), *(_many(length, _fixed(each)) for each in FIXED)]
        names = ("OfferGoLive", *(f"azure-core, every {number(each, 's')}" for each in FIXED))
        for name, many in zip(names, seen[length], strict=True):
            share = f"{100 * many.share:.1f} %"
            rows.append(
                [duration(length), name, f"{many.polls:.0f}", number(many.late, "s"), number(many.latest, "s"), share]
            )
    report.table(["operation of", "", "polls", "seen late by, mean", "at most", "of its length"], rows)
    report.notes.append(
        "Each line is of all operations from so long to a tenth longer, with jitter. A wait of OfferGoLive takes seven "
        "more requests: three looks before, the go-live, three looks afterwards; azure-core's takes one. One wait of "
        "each line was run in full, the rule with its client and azure-core's poller in its pipeline, against the "
        "simulator in memory, and came to the very polls of the arithmetic behind the others."
    )
    _targets(report, seen)
    report.notes.append(experiment(40 if scale.judged else 3))
    return report


def _real(scale: Scale) -> None:
    """The waits themselves come to what is computed; else there is nothing to be told."""
    for length in LENGTHS if scale.judged else LENGTHS[:2]:
        for interval in FIXED:
            _same(wait_azure_core(length, interval), _fixed(interval)(length, random.Random(0)), length)
        _same(wait_ours(length, 1), _ours(length, random.Random(1)), length)


def _same(real: Waited, computed: Sequence[float], length: float) -> None:
    if real.polls != len(computed) or abs(real.lateness - (computed[-1] - length)) > 0.01:
        raise CannotMeasure(f"{real} of {length} s is not what was computed: {len(computed)} polls, {computed[-1]}")


# The moments of all polls until an operation of this length is seen to have ended; the first follows the submission
# at once.


def _ours(length: float, chance: random.Random) -> list[float]:
    schedule, polls = Schedule(), [0.0]
    while polls[-1] < length:
        polls.append(polls[-1] + schedule.delay(polls[-1], chance=chance.random()))
    return polls


def _fixed(interval: float) -> Polls:
    return lambda length, _: [interval * poll for poll in range(1 + math.ceil(length / interval))]


def _many(length: float, wait: Polls) -> Many:
    seeds = [_one(length, wait(1.1 * length, random.Random(seed))) for seed in range(20)]
    return Many(
        statistics.mean(one.polls for one in seeds),
        statistics.mean(one.late for one in seeds),
        max(one.latest for one in seeds),
        max(one.share for one in seeds),
    )


def _one(shortest: float, polls: Sequence[float]) -> Many:
    """Exactly, by integrating over the lengths: what ends between two polls is seen at the second."""
    longest = 1.1 * shortest
    count = late = latest = share = 0.0
    for number_of_polls, (before, poll) in enumerate(pairwise(polls), start=2):
        begin, end = max(before, shortest), min(poll, longest)
        if begin < end:
            count += number_of_polls * (end - begin)
            late += ((poll - begin) ** 2 - (poll - end) ** 2) / 2
            latest, share = max(latest, poll - begin), max(share, (poll - begin) / begin)
    return Many(count / (longest - shortest), late / (longest - shortest), latest, share)


def _targets(report: Report, seen: Mapping[float, Sequence[Many]]) -> None:
    lengths = [MINUTE * (4320 ** (step / 60)) for step in range(61)]  # a minute to three days
    ours = [_many(length, _ours) for length in lengths]
    share, latest = max(many.share for many in ours), max(many.latest for many in ours)
    report.target(
        "never later than 10 % of the operation, nor than 5 minutes",
        f"{100 * share:.1f} %, {number(latest, 's')}",
        share <= 0.1001 and latest <= 300,
    )
    for span, most in ((HOUR, 60), (DAY, 350)):
        polls = max(sum(poll <= span for poll in _ours(span, random.Random(seed))) for seed in range(100))
        report.target(f"at most {most} polls in the first {duration(span)}", str(polls), polls <= most)
    for index, interval in enumerate(FIXED, start=1):
        worse = [length for length, (one, *others) in seen.items() if _dominated(one, others[index - 1])]
        report.target(
            f"at none of these lengths both more polls and later (mean) than every {number(interval, 's')}",
            f"at {', '.join(map(duration, worse)) or 'none'}",
            not worse,
        )
        theirs = [_many(length, _fixed(interval)) for length in lengths]
        swept = [length for length, one, other in zip(lengths, ours, theirs, strict=True) if _dominated(one, other)]
        where = f"from {duration(swept[0])} to {duration(swept[-1])}" if swept else "nowhere"
        report.notes.append(
            f"Of {len(lengths)} lengths from a minute to three days, OfferGoLive takes more polls than every "
            f"{number(interval, 's')} and is later in the mean: {where}."
        )


def _dominated(one: Many, other: Many) -> bool:
    return one.polls > other.polls and one.late > other.late
