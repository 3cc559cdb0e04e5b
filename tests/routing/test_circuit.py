"""The circuit breaker: when it opens, what passes then, and when it closes."""

from hypothesis import given
from hypothesis import strategies as st

from inhouse.errors import RETRYABLE, UpstreamError, UpstreamFailure
from inhouse.routing.circuit import (
    IN_A_ROW,
    LONGEST_REST,
    NO_PROBE,
    OURS,
    REMEMBERED,
    Circuit,
    State,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def failure(
    kind: UpstreamFailure = UpstreamFailure.SERVER, after: float | None = None
) -> UpstreamError:
    return UpstreamError(kind, "It failed.", retry_after=after)


def opened(clock: Clock) -> Circuit:
    circuit = Circuit(clock)
    for _ in range(IN_A_ROW):
        circuit.failed(failure(), probe=circuit.enter())
    return circuit


def test_failures_in_a_row_open_it() -> None:
    circuit = Circuit(Clock())
    for _ in range(IN_A_ROW - 1):
        circuit.failed(failure())
    assert circuit.admits()
    circuit.failed(failure())
    assert not circuit.admits()
    assert circuit.state is State.OPEN
    assert circuit.remaining > 0


def test_a_success_in_between_starts_the_row_anew() -> None:
    circuit = Circuit(Clock())
    for _ in range(3):
        for _ in range(IN_A_ROW - 1):
            circuit.failed(failure())
        circuit.succeeded()
    assert circuit.state is State.CLOSED


def test_half_of_many_failing_opens_it() -> None:
    circuit = Circuit(Clock())
    for turn in range(REMEMBERED):
        assert circuit.admits()
        if turn % 2:
            circuit.failed(failure())
        else:
            circuit.succeeded()
    assert not circuit.admits()


def test_one_probe_passes_when_the_rest_is_over() -> None:
    clock = Clock()
    circuit = opened(clock)
    clock.now += circuit.remaining
    assert circuit.state is State.HALF_OPEN
    assert circuit.admits()
    circuit.enter()
    assert not circuit.admits()
    circuit.succeeded()
    assert circuit.state is State.CLOSED
    assert circuit.last is None


def test_a_failed_probe_doubles_the_rest_up_to_a_limit() -> None:
    clock = Clock()
    circuit = opened(clock)
    rests = [circuit.remaining]
    for _ in range(8):
        clock.now += circuit.remaining
        circuit.failed(failure(), probe=circuit.enter())
        rests.append(circuit.remaining)
    assert rests[1] == 2 * rests[0]
    assert rests == sorted(rests)
    assert rests[-1] == LONGEST_REST


def test_a_probe_that_is_left_makes_room_for_another() -> None:
    clock = Clock()
    circuit = opened(clock)
    clock.now += circuit.remaining
    circuit.abandoned(probe=circuit.enter())
    assert circuit.admits()


def test_requests_that_were_on_their_way_do_not_lengthen_the_rest() -> None:
    clock = Clock()
    circuit = opened(clock)
    before = circuit.remaining
    for _ in range(20):
        circuit.failed(failure())
    assert circuit.remaining == before
    clock.now += before
    assert circuit.enter()
    circuit.failed(failure())
    circuit.abandoned()
    assert not circuit.admits()


def test_an_upstream_that_asks_for_patience_gets_it_at_once() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    circuit.failed(failure(UpstreamFailure.RATE_LIMITED, after=7))
    assert circuit.remaining == 7
    clock.now += 7
    assert circuit.admits()


def test_the_caller_s_own_mistakes_do_not_open_it() -> None:
    circuit = Circuit(Clock())
    for _ in range(50):
        circuit.failed(failure(UpstreamFailure.BAD_REQUEST))
        circuit.failed(failure(UpstreamFailure.CONTEXT_LENGTH))
    assert circuit.state is State.CLOSED


def test_an_active_probe_shortens_or_prolongs_the_rest() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    for _ in range(IN_A_ROW):
        circuit.failed(failure(UpstreamFailure.CLOSED))
    circuit.unreachable(9)
    assert circuit.remaining == 9
    circuit.probed()
    assert circuit.admits()
    failing = opened(clock)
    failing.probed()
    assert not failing.admits()
    closed = Circuit(clock)
    closed.unreachable(9)
    assert closed.admits()


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["enter", "succeeded", "abandoned", "probed", "tick"]),
            st.sampled_from(sorted(UpstreamFailure)),
        ),
        max_size=80,
    )
)
def test_it_never_admits_two_probes_and_never_stays_shut_for_ever(steps: list[object]) -> None:
    clock = Clock()
    circuit = Circuit(clock)
    # The requests on their way, each with its number as a probe.
    running: list[int] = []
    probing = NO_PROBE
    for step in steps:
        match step:
            case "enter":
                if circuit.admits():
                    assert probing == NO_PROBE
                    probing = circuit.enter()
                    running.append(probing)
            case "tick":
                clock.now += 1
            case "probed":
                circuit.probed()
            case "succeeded":
                circuit.succeeded()
                probing = NO_PROBE
                running = running[1:]
            case "abandoned":
                left = running.pop(0) if running else NO_PROBE
                circuit.abandoned(probe=left)
                probing = NO_PROBE if left == probing else probing
            case _:
                left = running.pop(0) if running else NO_PROBE
                error = failure(UpstreamFailure(step), after=2 if step == "rate_limited" else None)
                circuit.failed(error, probe=left)
                if left == probing or circuit.state is State.CLOSED:
                    probing = NO_PROBE
    circuit.abandoned(probe=probing)
    clock.now += LONGEST_REST
    assert circuit.admits()


def test_a_probe_of_before_says_nothing_about_the_one_of_now() -> None:
    clock = Clock()
    circuit = opened(clock)
    clock.now += circuit.remaining
    earlier = circuit.enter()
    circuit.succeeded()
    for _ in range(IN_A_ROW):
        circuit.failed(failure())
    clock.now += circuit.remaining
    circuit.enter()
    circuit.failed(failure(), probe=earlier)
    circuit.abandoned(probe=earlier)
    assert not circuit.admits()


def test_every_failure_is_counted_or_excused_on_purpose() -> None:
    assert {
        UpstreamFailure.RESTING,
        UpstreamFailure.BUSY,
        UpstreamFailure.FORBIDDEN,
    } == RETRYABLE & OURS
