"""The window finds out how much a server takes, by a simulated clock."""

import heapq
import statistics

import pytest

from engines.http_window import Window


def simulate(window, *, answers=20_000, latency=0.05, workers=10**9, refuses_above=10**9, jitter=lambda n: 1.0):
    """A server with so many workers: each holds a request for `latency`; others wait. Gives answers a second and
    in-flight samples, both of the second half.
    """
    now, number, done, middle = 0.0, 0, 0, 0.0
    events: list[tuple[float, int, float, bool]] = []  # (when, order, began, refused)
    free = [0.0] * min(workers, 4096)
    heapq.heapify(free)
    held, samples = 0, []
    while done < answers:
        while window.room > 0:
            window.started(now)
            number += 1
            if held >= refuses_above:
                heapq.heappush(events, (now + 0.005, number, now, True))
                continue
            held += 1
            start = max(now, heapq.heappop(free))
            end = start + latency * jitter(number)
            heapq.heappush(free, end)
            heapq.heappush(events, (end, number, now, False))
        samples.append(window.in_flight)
        now, _, began, refused = heapq.heappop(events)
        window.finished(now)
        if refused:
            window.pushed_back(began, now)
        else:
            held -= 1
            done += 1
            if done == answers // 2:
                middle = now
    return (done - answers // 2) / (now - middle), samples[len(samples) // 2 :]


def uneven(number):
    return 0.6 + 0.8 * ((number * 2654435761) % 1000) / 1000


@pytest.mark.parametrize("workers", [1, 8, 40, 100, 300])
def test_it_grows_to_what_the_server_takes_and_not_far_beyond(workers):
    window = Window(1024)
    rate, samples = simulate(window, workers=workers, jitter=uneven)
    assert rate > 0.9 * workers / 0.05
    assert workers * 0.9 <= statistics.median(samples) <= max(16, workers * 3)


def test_a_server_that_takes_everything_gets_the_cap():
    window = Window(256)
    rate, samples = simulate(window, jitter=uneven)
    assert statistics.median(samples) == 256
    assert rate > 0.9 * 256 / 0.05


def test_push_backs_keep_it_near_the_limit():
    window = Window(512)
    rate, samples = simulate(window, refuses_above=60, jitter=uneven)
    assert rate > 0.6 * 60 / 0.05
    assert 20 <= statistics.median(samples) <= 80


def test_it_halves_once_a_round_trip():
    window = Window(64, start=64)
    for _ in range(64):
        window.started(1.0)
    for _ in range(10):
        window.pushed_back(1.0, 1.5)
    assert window.limit == 32
    assert window.room == -32
    window.started(1.6)
    window.pushed_back(1.6, 1.7)
    assert window.limit == 16


def test_it_never_closes_and_never_leaves_the_cap():
    window = Window(4, start=9)
    assert window.limit == 4
    for second in range(1, 20):
        window.pushed_back(float(second), second + 0.5)
    assert window.limit == 1
    simulate(window, answers=3_000)
    assert window.limit == 4


def test_a_fixed_window_stays():
    window = Window(50, fixed=True)
    _, samples = simulate(window, answers=2_000, refuses_above=10)
    assert set(samples) == {50}


def test_a_trickle_of_requests_proves_nothing():
    window = Window(256, start=8)
    now = 0.0
    for _ in range(200):  # one at a time: never full
        window.started(now)
        now += 0.05
        window.finished(now)
    assert window.limit == 8


def test_the_abandoned_leave_room():
    window = Window(2, start=2)
    window.started(0.0)
    window.started(0.0)
    assert window.room == 0
    window.abandoned()
    assert window.room == 1
