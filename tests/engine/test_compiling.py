"""What is compiled is said, and is no part of the rate at which a run trains or of the time that it has left."""

import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy import EPOCHS, ITERATIONS, toy_assembly

from sejax.engine.command import progress_bar
from sejax.engine.compiling import Compiling
from sejax.engine.run import RunSettings, run


def test_seconds_are_those_of_tracing_and_compiling_each_counted_once():
    @jax.jit
    def inner(x):
        time.sleep(0.05)  # while it is traced
        return x * 3.5

    @jax.jit
    def outer(x):
        return jnp.sin(inner(x)).sum() + 1.25

    said, began = [], time.monotonic()
    with Compiling(said.append) as compiling:
        outer(jnp.ones(7)).block_until_ready()
        first = compiling.seconds
        assert 0.05 < first <= time.monotonic() - began
        time.sleep(0.05)
        outer(jnp.ones(7)).block_until_ready()
        assert compiling.seconds - first < 0.04  # compiled already; ones(7) is no program of more than a moment
    assert said[:2] == [True, False]
    jax.jit(lambda x: x - 0.125)(jnp.ones(3))
    assert compiling.seconds - first < 0.04  # nobody listens any more


@pytest.mark.parametrize("everywhere", [False, True])
def test_what_other_threads_compile_counts_where_it_is_asked_for(everywhere):
    def slowly(x):
        time.sleep(0.1)  # while it is traced
        return x * 0.375

    with Compiling(everywhere=everywhere) as compiling:
        threads = [threading.Thread(target=lambda: jax.jit(lambda x: slowly(x))(np.ones(5))) for _ in range(2)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
    assert 0.1 < compiling.seconds <= took if everywhere else compiling.seconds == 0


@pytest.mark.parametrize("updated", [False, True])
def test_what_is_left_out_is_no_part_of_the_rate(capsys, updated):
    with progress_bar("training", 20, "epochs") as bar:
        bar.mininterval = 0.0 if updated else 1e9  # whether the rate is of the latest updates, or of all
        bar.start_t -= 60.0  # it began a minute ago
        bar.last_print_t -= 60.0
        bar.leave_out(50.0)
        bar.update(10)
        said = bar.format_dict
        assert said["rate"] == pytest.approx(1.0, rel=0.05)
        assert said["elapsed"] == pytest.approx(60.0, rel=0.05)
        assert "00:10" in str(bar) or "00:09" in str(bar)
    capsys.readouterr()


def test_a_run_says_that_it_compiles_before_it_trains(tmp_path, capsys):
    run(toy_assembly(), RunSettings(tensorboard=False), tmp_path)
    said = capsys.readouterr().err.replace("\r", "\n").splitlines()
    assert any(line.startswith("3 members, compiling:   0%") for line in said)
    assert "compiling" not in said[-1] and f"{ITERATIONS * EPOCHS}/{ITERATIONS * EPOCHS}" in said[-1]
