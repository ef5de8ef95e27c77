"""How long programs have been traced and compiled, by what JAX says of itself: no part of how fast a run trains."""

import threading
import time
from collections.abc import Callable
from typing import Self

import jax

_KIND = "/jax/core/compile/"
# Between the ends of these XLA is at work, which takes by far the longest.
_LOWERED, _COMPILED = "jaxpr_to_mlir_module_duration", "backend_compile_duration"


class Compiling:
    """While entered, the seconds in which this thread traced, lowered or compiled a program (or fetched one).

    Args:
      tell: called with whether a program is being compiled, when that begins and when it ends.
      everywhere: count what any thread does, for whoever waits for others that compile.

    Attributes:
      seconds: so far; what lies inside something else that is reported counts once.
    """

    def __init__(self, tell: Callable[[bool], None] = lambda compiling: None, *, everywhere: bool = False):
        self._tell, self._thread = tell, None if everywhere else threading.get_ident()
        self._lock = threading.Lock()
        self._spans: list[tuple[float, float]] = []

    def __enter__(self) -> Self:
        jax.monitoring.register_event_duration_secs_listener(self._heard)
        return self

    def __exit__(self, *_) -> None:
        jax.monitoring.unregister_event_duration_listener(self._heard)

    @property
    def seconds(self) -> float:
        """Until now."""
        return sum(end - start for start, end in self._spans)

    def _heard(self, event: str, duration: float, **_) -> None:
        """JAX reports what has ended: a program's tracing after that of the programs inside it."""
        if not event.startswith(_KIND) or self._thread not in (None, threading.get_ident()):
            return
        with self._lock:
            end = time.monotonic()
            start = end - duration
            while self._spans and self._spans[-1][1] > start:
                start = min(start, self._spans.pop()[0])
            self._spans.append((start, end))
        if event.endswith((_LOWERED, _COMPILED)):
            self._tell(event.endswith(_LOWERED))
