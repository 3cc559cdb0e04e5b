"""Counts of a minute: never more granted than the limit, whoever asks."""

import subprocess
import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inhouse.core.ports import Counters
from inhouse.store import Registry

MINUTE = 29_000_000
PROCESSES = 4
ROUNDS = 40
LIMIT = 100

TAKER = """
import sys
from pathlib import Path
from inhouse.store import Registry

url, key_file, minute, rounds, limit = sys.argv[1:]
registry = Registry.open(url, secret=None, key_file=Path(key_file))
print("ready", flush=True)
sys.stdin.readline()
got = 0
for number in range(int(rounds)):
    taken = registry.counters.take("key/ci", int(minute), 1 + number % 3, int(limit))
    if taken and number % 5 == 0:
        registry.counters.give_back("key/ci", int(minute), 1)
        taken -= 1
    got += taken
print(got, flush=True)
registry.close()
"""


def counters(registry: Registry) -> Counters:
    return registry.counters


def test_grants_stay_within_the_limit(registry: Registry) -> None:
    counts = counters(registry)

    assert counts.take("a", MINUTE, 3, 10) == 3
    assert counts.take("a", MINUTE, 9, 10) == 7
    assert counts.take("a", MINUTE, 1, 10) == 0
    assert counts.take("b", MINUTE, 1, 10) == 1
    assert counts.take("a", MINUTE + 1, 11, 10) == 10


def test_what_is_given_back_can_be_taken_again(registry: Registry) -> None:
    counts = counters(registry)
    counts.take("a", MINUTE, 10, 10)

    counts.give_back("a", MINUTE, 4)
    assert counts.take("a", MINUTE, 9, 10) == 4
    counts.give_back("a", MINUTE, 99)
    counts.give_back("nobody", MINUTE, 99)
    assert counts.take("a", MINUTE, 99, 10) == 10


def test_a_debt_is_paid_before_anything_is_granted(registry: Registry) -> None:
    counts = counters(registry)
    counts.charge("a", MINUTE, 15)

    assert counts.take("a", MINUTE, 5, 10) == 0
    counts.give_back("a", MINUTE, 8)
    assert counts.take("a", MINUTE, 5, 10) == 3


def test_a_lower_limit_takes_nothing_away(registry: Registry) -> None:
    counts = counters(registry)
    counts.take("a", MINUTE, 10, 10)

    assert counts.take("a", MINUTE, 1, 5) == 0
    assert counts.take("a", MINUTE, 9, 12) == 2


def test_tokens_of_a_busy_minute_fit(registry: Registry) -> None:
    counts = counters(registry)
    for _ in range(3):
        counts.charge("a", MINUTE, 2_000_000_000)

    assert counts.take("a", MINUTE, 1, 6_000_000_001) == 1


def test_old_minutes_are_pruned(registry: Registry) -> None:
    now = int(time.time() // 60)
    for minute in (now - 30, now - 20, now):
        counters(registry).take("a", minute, 10, 10)

    assert registry.counters.prune(25) == 1
    assert registry.counters.prune() == 1
    assert registry.counters.take("a", now, 1, 10) == 0
    assert registry.counters.take("a", now - 20, 1, 10) == 1


def test_processes_share_one_limit(url: str, key_file: Path, registry: Registry) -> None:
    arguments = [url, str(key_file), str(MINUTE), str(ROUNDS), str(LIMIT)]
    started = [
        subprocess.Popen(  # noqa: S603 - this Python, and the code above
            [sys.executable, "-c", TAKER, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    kept = 0
    for process in started:
        said, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")
        kept += int(said)

    # They asked for three times as much, so what they did not keep is there to be taken.
    assert kept <= LIMIT
    assert kept + registry.counters.take("key/ci", MINUTE, LIMIT, LIMIT) == LIMIT


takes = st.tuples(st.just("take"), st.integers(0, 20), st.integers(1, 40))
others = st.tuples(st.sampled_from(["charge", "give_back"]), st.integers(0, 20), st.just(0))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(takes | others, max_size=12))
def test_a_count_is_what_arithmetic_says(
    registry: Registry, steps: list[tuple[str, int, int]]
) -> None:
    registry.counters.prune()
    granted = 0
    for action, units, limit in steps:
        if action == "take":
            expected = max(0, min(units, limit - granted))
            assert registry.counters.take("a", MINUTE, units, limit) == expected
            granted += expected
        elif action == "charge":
            registry.counters.charge("a", MINUTE, units)
            granted += units
        else:
            registry.counters.give_back("a", MINUTE, units)
            granted = max(0, granted - units)
