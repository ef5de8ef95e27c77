"""Work that threads do ahead of who uses it."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


def in_order(
    function: Callable[[Any], Any], items: Iterable[tuple[Any, float]], *, threads: int, ahead: float, most: int = 4
) -> Iterator[Any]:
    """``function(item)`` of each (item, cost), in their order, computed by threads while others are used.

    At most so many items for each thread are ahead, and no more than cost `ahead` in all, beside the one at hand.
    """
    waiting: deque[tuple[Future, float]] = deque()
    pool, total = ThreadPoolExecutor(threads), 0.0
    try:
        for item, cost in items:
            while waiting and (len(waiting) >= most * threads or total + cost > ahead):
                future, freed = waiting.popleft()
                total -= freed
                yield future.result()
                del future
            waiting.append((pool.submit(function, item), cost))
            total += cost
        while waiting:
            yield waiting.popleft()[0].result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
