"""The schedules of the paper's classifiers, worked out from its own numbers."""

import pytest

from sejax.errors import InputError
from sejax.experiments.augmentation.algorithm import Schedule, published_updates, schedule


# Sections 4.3 and 4.4 with 5531 turns of IEMOCAP (4424 in four sessions of five) and 92,973 of TED-LIUM.
@pytest.mark.parametrize(
    ("evaluation", "training", "units", "batch", "dropout", "rate", "updates"),
    [
        ("within", "real", 100, 64, 0.2, 1e-5, 70 * 70),
        ("within", "syn", 200, 256, 0.5, 1e-5, 5 * 1453),
        ("within", "real+syn", 1000, 256, 0.5, 5e-6, 30 * 1470),
        ("within", "real+noise", 1000, 256, 0.5, 5e-6, 30 * 1470),
        ("cross", "real", 100, 64, 0.2, 1e-5, 70 * 87),
        ("cross", "syn", 200, 256, 0.8, 1e-5, 20 * 1453),
        ("cross", "real+syn", 200, 256, 0.8, 1e-5, 20 * 1475),
        ("cross", "real+mixup", 200, 256, 0.8, 1e-5, 20 * 1475),
    ],
)
def test_schedules_are_the_papers(evaluation, training, units, batch, dropout, rate, updates):
    assert published_updates(training, evaluation) == updates
    vectors = {"syn": 371892, "real": 0}.get(training, 371892)
    vectors += {"within": 4424, "cross": 5531}[evaluation] * (training != "syn")
    found = schedule(training, evaluation, vectors=vectors)
    assert found == Schedule((units, units), batch, dropout, rate, updates)


def test_fewer_vectors_take_the_papers_epochs_or_as_many_updates_as_asked_for_at_the_same_rate_times_updates():
    assert schedule("real", "within", vectors=130).updates == 70 * 3
    few = schedule("real", "within", vectors=130, updates=49)
    assert few.updates == 49 and few.learning_rate == pytest.approx(1e-5 * 100)
    for wrong in (("fake", "within"), ("real", "without")):
        with pytest.raises(InputError, match="choose"):
            schedule(*wrong, vectors=1)


def test_a_schedule_reads_in_words():
    found = str(schedule("real", "within", vectors=4424))
    assert found == "hidden 100-100, batch 64, dropout 0.2, rate 1e-05, 4900 updates"
