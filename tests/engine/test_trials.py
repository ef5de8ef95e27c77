"""Which values trials try, in every process the same, and which trials train together."""

import subprocess
import sys

import numpy as np
import pytest
from ml_collections import ConfigDict

from sejax.engine.fields import config_with
from sejax.engine.space import parse_space
from sejax.engine.sweep import plan, trial_values
from sejax.errors import InputError

CONFIG = ConfigDict(
    {"batch_size": 32, "width": 64, "side": 4, "dropout": 0.5, "rates": (1e-4,), "image": {"level": 1.0}}
)
MEMBERS = {"learning_rate": "rates"}
PUBLISHED = "width=64|128,side=2..width/8,batch_size=32..90:4,learning_rate=1e-3|1e-4|1e-5"


def trials(text, count, *, search="random", seed=0):
    return trial_values(parse_space(text, CONFIG, MEMBERS), search, seed=seed, count=count)


def test_more_trials_leave_the_first_as_they_are_and_another_seed_draws_others():
    assert trials(PUBLISHED, 40)[:15] == trials(PUBLISHED, 15)
    assert trials(PUBLISHED, 15, seed=1) != trials(PUBLISHED, 15)


def test_another_process_draws_the_same():
    code = (
        "from ml_collections import ConfigDict\n"
        "from sejax.engine.space import parse_space\n"
        "from sejax.engine.sweep import trial_values\n"
        f"config = ConfigDict({CONFIG.to_dict()!r})\n"
        f"space = parse_space('dropout=0.1~0.5,{PUBLISHED}', config, {MEMBERS!r})\n"
        "print(trial_values(space, 'random', seed=3, count=12))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == repr(trials(f"dropout=0.1~0.5,{PUBLISHED}", 12, seed=3)), done.stderr


def test_draws_are_spread_over_the_space():
    found = trials("dropout=0.0~1.0,width=1|2|3|4", 2000)
    dropout, width = (np.array([values[name] for values in found]) for name in ("dropout", "width"))
    np.testing.assert_allclose(np.histogram(dropout, bins=10, range=(0, 1))[0] / 200, 1.0, atol=0.25)
    np.testing.assert_allclose(np.bincount(width)[1:] / 500, 1.0, atol=0.15)
    assert abs(np.corrcoef(dropout, width)[0, 1]) < 0.08
    rates = np.log10([values["learning_rate"] for values in trials("learning_rate=log:1e-5~1e-1", 500)])
    np.testing.assert_allclose(np.histogram(rates, bins=4, range=(-5, -1))[0] / 125, 1.0, atol=0.25)


def test_conditional_ranges_hold_in_every_draw():
    found = trials(PUBLISHED, 200)
    assert all(2 <= values["side"] <= values["width"] // 8 for values in found)
    assert max(values["side"] for values in found) > 8


def test_no_two_trials_are_equal_and_an_exhausted_space_gives_all_that_there_is():
    text = "width=64|128,side=2..width/16,batch_size=1..60"
    found = [tuple(values.values()) for values in trials(text, 10**6)]
    everything = [tuple(values.values()) for values in trials(text, None, search="grid")]
    assert len(found) == len(set(found)) == 60 * (3 + 7)
    assert sorted(found) == sorted(everything)
    assert [tuple(values.values()) for values in trials(text, 250)] == found[:250]


def test_a_grid_goes_through_everything_in_turn():
    found = [
        (values["width"], values["learning_rate"])
        for values in trials("width=1|2,learning_rate=0.1|0.2", 3, search="grid")
    ]
    assert found == [(1, 0.1), (1, 0.2), (2, 0.1)]


def test_a_grid_over_real_numbers_is_refused_and_so_is_another_search():
    with pytest.raises(InputError, match="dropout=0.1~0.5 has no end of values"):
        trials("dropout=0.1~0.5", 5, search="grid")
    with pytest.raises(InputError, match="has no end of values"):
        trials("dropout=0.1~0.5", None)
    with pytest.raises(InputError, match="random, grid"):
        trials("width=1|2", 5, search="bayes")


def test_trials_that_differ_in_a_members_field_alone_are_one_run():
    found = trials("width=1|2,learning_rate=0.1|0.2", None, search="grid")
    first, second = plan(found, [4], MEMBERS)
    assert first.trials == (0, 1) and first.values == {"width": 1, "rates": (0.1, 0.2)}
    assert second.trials == (2, 3) and second.values == {"width": 2, "rates": (0.1, 0.2)}
    assert first.name != second.name


def test_without_members_fields_every_trial_is_a_run():
    found = trials("width=1|2,batch_size=3|4", None, search="grid")
    assert [run.trials for run in plan(found, [4], MEMBERS)] == [(0,), (1,), (2,), (3,)]
    assert plan(found, [4], MEMBERS)[3].values == {"width": 2, "batch_size": 4}


def test_trials_asked_for_later_leave_earlier_runs_as_they_are():
    found = trials("width=1|2,learning_rate=0.1|0.2|0.3", None, search="grid")
    before, after = plan(found[:2], [2], MEMBERS), plan(found, [2, 6], MEMBERS)
    assert after[:1] == before
    assert [run.trials for run in after] == [(0, 1), (2,), (3, 4, 5)]
    assert len({run.name for run in after}) == 3


def test_a_config_takes_values_by_their_path_and_the_first_stays_as_it_was():
    changed = config_with(CONFIG, {"image.level": 3.0, "rates": (0.1, 0.2)})
    assert (changed.image.level, changed.rates, changed.width) == (3.0, (0.1, 0.2), 64)
    assert (CONFIG.image.level, CONFIG.rates) == (1.0, (1e-4,))
