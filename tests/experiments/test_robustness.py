"""Robustness of answers: what is asked, of whom, and what the answers are worth."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, recall_score

from sejax.audio.level import levelled
from sejax.core.files import read_json, write_json
from sejax.data.folds import LEFT_OUT, TEST, TRAIN, VALIDATION
from sejax.data.store.sets import digest_of_samples
from sejax.errors import InputError
from sejax.experiments import HeldOut, robustness
from sejax.experiments.robustness import (
    UNFINISHED,
    Judge,
    Plan,
    Recording,
    check_recordings,
    conditions,
    judged,
    scores,
)

RATE = 16000


def voice(frequency=300.0, seconds=1.0):
    return np.round(8000 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)).astype(np.int16)


TALKERS = [voice(200 + 40 * number, seconds=0.5) for number in range(7)]


def power(samples):
    return np.mean(np.square(samples, dtype=np.float64))


def test_scores_are_those_of_scikit_learn_over_the_known_and_answered():
    random = np.random.default_rng(0)
    before, after = (random.dirichlet(np.ones(4), size=60) for _ in range(2))
    label = random.integers(0, 3, size=60)  # the last class does not occur
    found = scores(list(after), list(before), label, rated=False)
    assert found["right"] == pytest.approx(accuracy_score(label, after.argmax(1)))
    recall = recall_score(label, after.argmax(1), labels=[0, 1, 2], average="macro", zero_division=0)
    assert found["uar"] == pytest.approx(recall)
    assert found["same"] == pytest.approx((after.argmax(1) == before.argmax(1)).mean())
    assert (found["utterances"], found["labelled"], found["unanswered"]) == (60, 60, 0) and "moved" not in found


def test_no_answer_is_neither_right_nor_the_same_and_no_label_is_left_out():
    before = [np.array([0.9, 0.1]), np.array([0.2, 0.8]), np.array([0.6, 0.4])]
    found = scores([None, before[1], before[2]], before, [0, 1, -1], rated=False)
    assert (found["utterances"], found["labelled"], found["unanswered"]) == (3, 2, 1)
    assert found["right"] == found["uar"] == 0.5 and found["same"] == pytest.approx(2 / 3)
    unlabelled = scores(before, before, [-1, -1, -1], rated=False)
    assert unlabelled["right"] is None and unlabelled["uar"] is None and unlabelled["same"] == 1


def test_ratings_move_by_the_difference_of_what_is_expected():
    before, after = [np.array([1.0, 0, 0, 0, 0])], [np.array([0, 0.5, 0.5, 0, 0])]
    assert scores(after, before, [0], rated=True)["moved"] == pytest.approx(1.5)
    assert scores([None], before, [0], rated=True)["moved"] is None


def test_the_conditions_are_those_of_the_table_and_do_what_they_say():
    pytest.importorskip("soxr")
    found = {condition.name: condition for condition in conditions(TALKERS)}
    assert list(found) == [
        *("untouched", "6 dB quieter", "12 dB quieter", "20 dB quieter", "30 dB quieter"),
        *("white noise, 20 dB SNR", "white noise, 10 dB SNR", "white noise, 0 dB SNR"),
        *("babble, 20 dB SNR", "babble, 10 dB SNR", "babble, 0 dB SNR", "sampled at 8 kHz", "MP3, 32 kbit/s"),
    ]
    loud = voice()

    def changed(name):
        return found[name].change(loud, np.random.default_rng(3))

    np.testing.assert_array_equal(changed("untouched"), loud)
    assert 10 * np.log10(power(changed("12 dB quieter")) / power(loud)) == pytest.approx(-12, abs=0.01)
    for name in ("white noise, 10 dB SNR", "babble, 10 dB SNR"):
        noise = changed(name).astype(float) - loud
        assert 10 * np.log10(power(loud) / power(noise)) == pytest.approx(10, abs=0.1), name
    assert power(found["sampled at 8 kHz"].change(voice(6000.0), None)[1000:-1000]) < 1e-6 * power(loud)
    assert len(changed("MP3, 32 kbit/s")) == len(loud)


def test_a_library_that_lacks_is_named_before_anything_is_judged(monkeypatch):
    def old(*_):
        raise TypeError("got an unexpected keyword argument 'bitrate_mode'")

    with monkeypatch.context() as lacking:
        lacking.setitem(sys.modules, "soxr", None)
        with pytest.raises(InputError, match=r"sampled at 8 kHz: .*soxr.*; pip install 'sejax\[data\]'"):
            conditions(TALKERS)
    monkeypatch.setattr(robustness.degradations, "narrow_band", lambda waveform, rate: waveform)
    monkeypatch.setattr(robustness.degradations, "mp3", old)
    with pytest.raises(InputError, match="MP3, 32 kbit/s cannot be made here .*bitrate_mode.* --upgrade soundfile"):
        conditions(TALKERS)
    with pytest.raises(InputError, match="babble: 2 recordings that are not silent"):
        conditions(TALKERS[:2])


# Two folds of six utterances of two images: the first two train, then one validates; u5 is not labelled.
IDS = tuple(f"u{number}" for number in range(6))
PART = np.repeat([[0, 0, 1, 2, 2, -1], [2, 2, 0, 0, 1, -1]], 2, axis=1).astype(np.int8)
LABEL = np.array([0, 1, 0, 1, 0, -1])


def run_of(monkeypatch, part=PART, *, seeds=1, digests=(), confusion=None, **study):
    """A run whose members test these parts; what `chosen` reads of it."""
    names = tuple({"fold": fold, "seed": seed} for seed in range(seeds) for fold in range(len(part)))
    counts = [int((row == TEST).sum()) for row in part] * seeds
    members = [
        name | {"failed": None, "metrics": {}, "confusion": {"test": [[confusion or count]]}}
        for name, count in zip(names, counts, strict=True)
    ]
    results = {"members": members, "classes": ["a", "b"], "data": {"settings": {}}, "experiment": "any"}
    speech = SimpleNamespace(utterance_ids=IDS, digests=digests, corpus="toy", folder="data/toy", tested=())
    held = HeldOut(speech, names, np.tile(part, (seeds, 1)), np.repeat(np.arange(6), 2), {"": LABEL})
    usual = {"held_out": lambda config, data_dir: held, "posteriors": lambda config, classes: None}
    monkeypatch.setattr(robustness, "read_results", lambda workdir: results)
    monkeypatch.setattr(robustness, "read_claim", lambda workdir: {"config": {"experiment": "any"}})
    monkeypatch.setattr(robustness, "predicting", lambda name: SimpleNamespace(**usual | study))
    monkeypatch.setattr(robustness, "trained_variants", lambda *_: [(None, None, members)])
    return results


def plan_of(files=12, **only):
    return robustness.chosen("run", "data", files=files, seed=0, only=only)


def test_members_judge_their_own_test_parts_and_of_those_with_one_part_the_first(monkeypatch):
    run_of(monkeypatch, seeds=2)
    plan = plan_of()
    assert [judge.member for judge in plan.judges] == [{"fold": 0, "seed": 0}, {"fold": 1, "seed": 0}]
    assert [set(judge.ids) for judge in plan.judges] == [{"u3", "u4"}, {"u0", "u1"}]
    assert not any(seen for judge in plan.judges for seen in judge.seen)
    for judge in plan.judges:
        assert judge.label[""] == [LABEL[IDS.index(name)] for name in judge.ids]
    assert [judge.member for judge in plan_of(seed=("1",), fold=("1",)).judges] == [{"fold": 1, "seed": 1}]
    one = plan_of(files=1)
    assert [len(judge.ids) for judge in one.judges] == [1, 1]
    assert plan_of(files=1) == one
    with pytest.raises(InputError, match="no trained member is .*fold.*'7'.*its members are fold 0, seed 0"):
        plan_of(fold=("7",))


def test_members_that_failed_leave_their_part_to_the_next(monkeypatch):
    results = run_of(monkeypatch, seeds=2)
    results["members"][0]["failed"] = {"step": 1, "reason": "NaN"}
    assert [judge.member["seed"] for judge in plan_of().judges] == [0, 1]


def test_utterances_of_which_other_parts_trained_are_counted(monkeypatch):
    part = PART.copy()
    part[0, 6] = TRAIN  # of u3
    part[0, 8] = VALIDATION  # of u4
    part[1, 2] = LEFT_OUT  # of u1
    run_of(monkeypatch, part)
    seen = {name: seen for judge in plan_of().judges for name, seen in zip(judge.ids, judge.seen, strict=True)}
    assert seen == {"u3": True, "u4": True, "u0": False, "u1": False}


def test_a_prepared_set_that_gives_other_folds_is_refused(monkeypatch):
    run_of(monkeypatch, confusion=7)
    with pytest.raises(InputError, match=r"none of those of data/toy \(4 examples of 2 utterances there, 7 scored"):
        plan_of()
    run_of(monkeypatch, confusion=2)  # of utterances
    assert len(plan_of().judges) == 2


def test_an_experiment_that_does_not_say_what_it_tests_is_named(monkeypatch):
    run_of(monkeypatch, held_out=None)
    with pytest.raises(InputError, match="the experiment any does not say which utterances its members test"):
        plan_of()


def test_a_recording_that_is_not_the_prepared_one_is_refused(monkeypatch):
    speech = {name: Recording(voice(100.0 * (number + 1))) for number, name in enumerate(IDS)}
    run_of(monkeypatch, digests=tuple(digest_of_samples(one.waveform) for one in speech.values()))
    check_recordings(plan_of(), speech)
    for level in ("rms", "peak"):  # of what was prepared, or of what it was brought to
        check_recordings(plan_of()._replace(level=level), speech)
        digests = {name: digest_of_samples(levelled(one.waveform, RATE, level)) for name, one in speech.items()}
        assert digests["u3"] != digest_of_samples(speech["u3"].waveform)
        check_recordings(plan_of()._replace(level=level, digests=digests), speech)
    with pytest.raises(InputError, match="u3 of toy: other samples than those that were prepared"):
        check_recordings(plan_of(), speech | {"u3": Recording(voice(1.0))})


class Loudest:
    """Answers by the level alone: quiet recordings are of the first class, those below 100 are not heard."""

    transcribed, heard = False, []

    def __init__(self, workdir, *, only):
        del workdir
        self.only = only

    def __call__(self, waveform, rate, text, *, explain):
        assert rate == RATE and text == "" and not explain
        if abs(waveform).max() < 100:
            raise InputError("no speech found")
        Loudest.heard.append(len(waveform))
        return SimpleNamespace(utterance=np.array([0.25, 0.75] if abs(waveform).max() > 2500 else [0.75, 0.25]))


def made_plan():
    judges = tuple(
        Judge({"fold": fold}, tuple(IDS[2 * fold : 2 * fold + 2]), {"": [1, 1]}, [False, False]) for fold in range(2)
    )
    asked = {"run": "0", "files": 2, "seed": 0, "judges": [judge._asdict() for judge in judges]}
    return Plan(judges, "toy", "none", {}, robustness.plain(asked))


@pytest.fixture
def heard(monkeypatch):
    monkeypatch.setattr(robustness, "Predictor", Loudest)
    Loudest.heard = []
    return Loudest.heard


def test_every_recording_is_judged_and_what_is_not_heard_has_no_answer(tmp_path, heard):
    changes = conditions(TALKERS)[:5]
    speech, told = {name: Recording(voice()) for name in IDS[:3]} | {"u3": Recording(voice() // 4)}, []
    answers = judged(tmp_path, made_plan(), speech, changes, report=told.append)
    assert told == [0, 5, 10, 15, 20]
    assert answers[0] == [[0.25, 0.75], [0.25, 0.75], [0.75, 0.25], [0.75, 0.25], [0.75, 0.25]]
    assert answers[3] == [*[[0.75, 0.25]] * 4, None]
    with pytest.raises(InputError, match="u0: no speech found"):  # there is nothing to compare with
        judged(tmp_path / "other", made_plan(), speech | {"u0": Recording(voice() // 100)}, changes)


def test_what_was_judged_before_a_kill_is_not_judged_again(tmp_path, heard, monkeypatch):
    changes = conditions(TALKERS)[:2]
    speech = {name: Recording(voice(seconds=0.5 + 0.1 * number)) for number, name in enumerate(IDS[:4])}
    whole = judged(tmp_path / "whole", made_plan(), speech, changes)
    stopped, write = tmp_path / "stopped", robustness.write_json

    def kill_at_the_third(path, value):
        if len(value["answers"]) == 3:
            raise KeyboardInterrupt
        write(path, value)

    monkeypatch.setattr(robustness, "write_json", kill_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        judged(stopped, made_plan(), speech, changes)
    monkeypatch.setattr(robustness, "write_json", write)
    heard.clear()
    assert judged(stopped, made_plan(), speech, changes) == whole
    assert heard == [len(speech[name].waveform) for name in ("u2", "u2", "u3", "u3")]
    kept = read_json(stopped / UNFINISHED, "")
    write_json(stopped / UNFINISHED, kept | {"seed": 1})  # of another plan
    heard.clear()
    assert judged(stopped, made_plan(), speech, changes) == whole and len(heard) == 8
