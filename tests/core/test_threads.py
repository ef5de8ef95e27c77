"""Work that threads do ahead of who uses it."""

import threading
import time

import pytest

from sejax.core.threads import in_order


def test_results_come_in_order_however_long_each_takes():
    def work(number):
        time.sleep(0.02 if number % 3 == 0 else 0.0)
        return number * number

    assert list(in_order(work, ((n, 1.0) for n in range(30)), threads=3, ahead=100)) == [n * n for n in range(30)]


@pytest.mark.parametrize(("costs", "most"), [([1.0] * 12, 3), ([5.0, 1, 1, 1, 5, 1, 1, 5], 3), ([0.0] * 20, 8)])
def test_no_more_is_ahead_than_the_cost_allows_and_each_thread_four(costs, most):
    begun, used = [], []

    def work(number):
        begun.append(number)
        return number

    for number in in_order(work, enumerate(costs), threads=2, ahead=3.0):
        time.sleep(0.002)
        ahead = [other for other in begun if other not in used and other != number]
        assert len(ahead) <= most and sum(costs[other] for other in ahead) <= max(3.0, max(costs))
        used.append(number)
    assert used == list(range(len(costs)))


def test_what_goes_wrong_is_raised_where_it_is_used_and_the_rest_is_not_begun():
    begun, gate = [], threading.Event()

    def work(number):
        begun.append(number)
        if number == 1:
            raise OSError("no room")
        gate.wait(0.05)
        return number

    with pytest.raises(OSError, match="no room"):
        list(in_order(work, ((n, 1.0) for n in range(100)), threads=1, ahead=1000))
    gate.set()
    assert len(begun) < 10
