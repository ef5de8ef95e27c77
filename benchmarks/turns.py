"""Timing of several sides in one run: they take turns, so that whatever else the machine does meets all of them."""

import statistics
import time

from sejax.core.xla import share_convolutions

share_convolutions()  # as sejax's commands do; JAX has touched no device yet when this is imported


def medians(calls, rounds, *, clock=time.perf_counter):
    """Median seconds of each call by a clock, after one to warm up; the calls take turns."""
    seconds = [[] for _ in calls]
    for turn in range(rounds + 1):
        for call, taken in zip(calls, seconds, strict=True):
            start = clock()
            call()
            if turn:
                taken.append(clock() - start)
    return [statistics.median(taken) for taken in seconds]


def seconds_of(call, *, clock=time.perf_counter):
    """Seconds of one call by a clock."""
    start = clock()
    call()
    return clock() - start


def first_step(name, calls):
    """Makes the first call of every side and prints, in one line, the seconds each took with what it compiles."""
    seconds = {side: seconds_of(call) for side, call in calls.items()}
    told = [f"{side} {value:.1f} s{beside_ours(seconds, side)}" for side, value in seconds.items()]
    print(f"{name}: first call, compiling included: {'; '.join(told)}", flush=True)


def made(makers, sides):
    """{side: its call}, each made by its maker; `compiled` is left out, with a word, where torch cannot compile."""
    calls = {}
    for side in sides:
        try:
            calls[side] = makers[side]()
        except Exception as error:
            if side != "compiled":
                raise
            print(f"compiled: skipped, torch.compile does not work here: {str(error).splitlines()[0]}", flush=True)
    return calls


def beside_ours(seconds, side):
    """How many times as long as `ours` a side takes, to stand behind its own figure; "" without the two."""
    return f", {seconds[side] / seconds['ours']:.2f} times ours" if "ours" in seconds and side != "ours" else ""


def floor(operations, moved, *, dtype="float32"):
    """(seconds, a text) that so many operations and bytes moved take at the machine's rates, measured here and now.

    Operations are those of products of factors in `dtype`.
    """
    rate, bandwidth = machine(dtype)
    text = (
        f"{operations / 1e9:.1f}e9 operations in {dtype} at {rate / 1e9:.0f}e9 a second, "
        f"{moved / 1e9:.2f}e9 bytes at {bandwidth / 1e9:.1f}e9 a second"
    )
    return operations / rate + moved / bandwidth, text


def machine(dtype="float32"):
    """Operations a second of a large matrix product and bytes a second of a large sum, here and now.

    The product's factors are in `dtype`; its sum is float32, as that of `sejax.models.products`. So are the sum's.
    """
    import jax
    import jax.numpy as jnp

    side, length = (8192, 2**28) if jax.default_backend() == "gpu" else (2048, 2**25)
    a, x = jnp.ones((side, side), dtype), [jnp.ones(length)]
    # The sum takes its input's place: in fresh memory the kernel's page faults would be measured.
    product = jax.jit(lambda a: jnp.matmul(a, a, preferred_element_type=jnp.float32))
    add = jax.jit(lambda x: x + 1.0, donate_argnums=0)

    def move():
        x[0] = add(x[0]).block_until_ready()

    calls = [lambda: product(a).block_until_ready(), move]
    multiplying, moving = medians(calls, 5)
    return 2 * side**3 / multiplying, 2 * 4 * length / moving
