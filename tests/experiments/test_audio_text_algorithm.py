"""The training of audio and text around its network: Adam with L2, decaying rates, fixed vectors, which epoch stays."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.core.metrics import Confusion
from sejax.core.rng import root_key
from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.experiments.audio_text.algorithm import Method, Settings
from sejax.experiments.audio_text.networks import Network

CLASSES, BATCH = 3, 4
PART = np.array([TRAIN, TRAIN, TRAIN, TRAIN, TRAIN, VALIDATION, TEST, TEST, -1], np.int8)


class Plain(Network):
    """A linear network on the mean sample and the first word's vector, without attention."""

    def __init__(self):
        super().__init__(SimpleNamespace(fusion="addition", vocabulary=4, sound=None))

    def init(self, key, vectors=None):
        found = jnp.zeros((4, 2)) if vectors is None else vectors
        params = {
            "output": jax.random.normal(key, (3, CLASSES)),
            "text": {"embed": {"embedding": found}},
        }
        return params, {"running": {}, "passes": jnp.zeros(())}

    def train(self, params, statistics, batch, rows, count, seed):
        del count, seed
        return self.linear(params, batch, rows), statistics

    def infer(self, params, statistics, batch, lookup):
        del statistics
        return self.linear(params, batch, lookup[batch["words"]])

    def linear(self, params, batch, rows):
        features = [batch["waveform"].mean(1, keepdims=True), params["text"]["embed"]["embedding"][rows[:, 0]]]
        return {"logits": jnp.concatenate(features, 1) @ params["output"]}


def make_method(**settings):
    return Method(Plain(), Settings(**{"epochs": 4} | settings), BATCH, (2, 1, 1))


def make_state(method, *, vectors=None, rate=1e-2, key=None):
    data = {"bucket": jnp.zeros(len(PART), jnp.int32)} | ({} if vectors is None else {"vectors": vectors})
    member = {"part": jnp.asarray(PART), "lookup": jnp.array([2, 0, 1], jnp.int32), "drop": jnp.zeros(3)}
    member |= {"example": jnp.zeros(2, jnp.int32), "learning_rate": jnp.float32(rate)}
    return method.init(root_key(0) if key is None else key, member, data)


def make_batch(seed, valid=(True, True, True, True)):
    random = np.random.default_rng(seed)
    return {
        "waveform": jnp.asarray(random.normal(size=(BATCH, 5)), jnp.float32),
        "length": jnp.full(BATCH, 5),
        "words": jnp.asarray(random.integers(0, 3, (BATCH, 1)), jnp.int32),
        "word_count": jnp.ones(BATCH, jnp.int32),
        "label": jnp.asarray(random.integers(0, CLASSES, BATCH), jnp.int32),
        "index": jnp.arange(BATCH),
        "valid": jnp.array(valid),
    }


def test_updates_are_those_of_torchs_adam_with_weight_decay_and_a_decaying_rate():
    torch = pytest.importorskip("torch")
    method = make_method(decay=0.9, l2=6e-3)
    state = make_state(method, vectors=jnp.asarray(np.random.default_rng(1).normal(size=(3, 2)), jnp.float32))
    output, embedding = (
        torch.tensor(np.asarray(x), dtype=torch.float64, requires_grad=True)
        for x in (state.params["output"], state.params["text"]["embed"]["embedding"])
    )
    adam = torch.optim.Adam([output, embedding], lr=1e-2, weight_decay=6e-3)
    schedule = torch.optim.lr_scheduler.ExponentialLR(adam, 0.9)
    step, lookup = jax.jit(method.step), np.asarray(state.lookup)
    for epoch in range(3):
        for update in range(2):
            batch = make_batch(10 * epoch + update, valid=(True, True, True, update == 0))
            kept = np.flatnonzero(batch["valid"])
            words = embedding[lookup[np.asarray(batch["words"])[kept, 0]]]
            mean = torch.tensor(np.asarray(batch["waveform"], np.float64).mean(1, keepdims=True))[kept]
            target = torch.tensor(np.asarray(batch["label"])[kept], dtype=torch.int64)
            loss = torch.nn.functional.cross_entropy(torch.cat([mean, words], 1) @ output, target)
            adam.zero_grad()
            loss.backward()
            adam.step()
            state, metrics = step(state, batch)
            assert float(metrics["loss"].compute()) == pytest.approx(loss.item(), rel=1e-5)
        schedule.step()
        state = method.refresh(state, figures(0.5))
    np.testing.assert_allclose(state.params["output"], output.detach(), atol=1e-5)
    np.testing.assert_allclose(state.params["text"]["embed"]["embedding"], embedding.detach(), atol=1e-5)


def figures(accuracy):
    """Metrics of an epoch whose validation part has a share of right answers."""
    counts = jnp.zeros((CLASSES, CLASSES)).at[0, 0].set(accuracy).at[0, 1].set(1 - accuracy)
    return {"valid": {"confusion": Confusion(counts)}}


def test_given_vectors_stand_in_the_rows_of_their_words_and_stay_as_they_are_unless_tuned():
    vectors = jnp.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    for tuned in (False, True):
        method = make_method(tuned=tuned)
        state = make_state(method, vectors=vectors)
        first = np.asarray(state.params["text"]["embed"]["embedding"])
        # Word 1 is not in the training part: it shares the row of unknown words, which is 0.
        np.testing.assert_array_equal(first, [[0, 0], [5, 6], [1, 2], [0, 0]])
        after, _ = jax.jit(method.step)(state, make_batch(0))
        moved = np.abs(np.asarray(after.params["text"]["embed"]["embedding"]) - first).max()
        assert (moved > 0) == tuned
        assert np.abs(np.asarray(after.params["output"]) - state.params["output"]).max() > 0


def test_words_that_are_left_out_do_not_train():
    method, batch = make_method(), make_batch(0)
    state = make_state(method, vectors=jnp.arange(6.0).reshape(3, 2))
    step = jax.jit(method.step)
    silent = {"words": jnp.zeros_like(batch["words"]), "word_count": jnp.zeros(BATCH, jnp.int32)}
    without, _ = step(state, batch | silent)
    dropped, _ = step(state.replace(drop=jnp.full(3, 1.0)), batch)
    kept, _ = step(state, batch)
    np.testing.assert_array_equal(dropped.params["output"], without.params["output"])
    assert np.abs(np.asarray(kept.params["output"] - without.params["output"])).max() > 0


def test_figures_of_an_evaluation_are_the_validation_parts():
    method = make_method()
    batch = make_batch(0, valid=(True, True, True, False)) | {"index": jnp.array([5, 6, 7, 5])}
    metrics = method.evaluate(make_state(method), batch)
    confusion, loss = metrics["confusion"], metrics["loss"]
    assert np.asarray(PART)[[5, 6, 7]].tolist() == [1, 2, 2]
    assert float(confusion.counts.sum()) == 1 and float(confusion.counts[batch["label"][0]].sum()) == 1
    assert float(loss.count) == 1
    np.testing.assert_array_equal(metrics["posterior"].count, [0, 0, 0, 0, 0, 1, 1, 1, 0])


def trained(method, accuracies):
    """The state after the epochs that it takes; after epoch n every parameter is n."""
    state = make_state(method)
    for epoch, accuracy in enumerate(accuracies, start=1):
        state = state.replace(params=jax.tree.map(lambda x, n=epoch: jnp.full_like(x, n), state.params))
        state = method.refresh(state.replace(step=jnp.int32(2 * epoch)), figures(accuracy))
        if state.stopped:
            break
    return float(state.params["output"][0, 0]), epoch, int(state.stopping.best_epoch) + 1


@pytest.mark.parametrize(
    ("settings", "kept", "epochs"),
    [
        ({"keep": "best"}, 2, 4),
        ({"keep": "last"}, 4, 4),
        ({"keep": "best", "patience": 1}, 2, 3),
        ({"keep": "best", "epochs": 1}, 1, 1),
    ],
)
def test_the_best_epoch_or_the_last_one_stays(settings, kept, epochs):
    assert trained(make_method(**settings), (0.3, 0.6, 0.5, 0.6))[:2] == (kept, epochs)


def test_the_best_epoch_is_remembered():
    assert trained(make_method(), (0.3, 0.6, 0.5, 0.6))[2] == 2


def test_every_epoch_has_an_order_of_its_own_with_each_training_piece_once():
    method = make_method()
    state = make_state(method)
    orders = [np.asarray(state.order.index)]
    for epoch in range(3):
        valid = np.asarray(state.order.valid)
        assert sorted(np.asarray(state.order.index)[valid]) == [0, 1, 2, 3, 4]
        state = method.refresh(state.replace(step=jnp.int32(epoch + 1)), figures(0.5))
        orders.append(np.asarray(state.order.index))
    assert any((orders[0] != order).any() for order in orders[1:])
    assert int(state.epoch_steps) == 2


def test_members_have_orders_of_their_own():
    orders = [make_state(make_method(), key=root_key(seed)).order.index for seed in range(6)]
    assert len({np.asarray(order).tobytes() for order in orders}) > 1


def test_every_update_draws_its_words_and_its_dropout_anew(monkeypatch):
    method, seeds, counts = make_method(), [], []

    def train(network, params, statistics, batch, rows, count, seed):
        seeds.append(jax.random.key_data(seed).tobytes())
        counts.append(tuple(count.tolist()))
        return network.linear(params, batch, rows), statistics

    monkeypatch.setattr(Plain, "train", train)
    state = make_state(method).replace(drop=jnp.full(3, 0.5))
    batch = make_batch(0) | {"words": jnp.zeros((BATCH, 9), jnp.int32), "word_count": jnp.full(BATCH, 9)}
    for _ in range(3):
        state, _ = method.step(state, batch)
    assert len(set(seeds)) == 3 and len(set(counts)) == 3


def test_held_out_batches_hold_the_validation_and_the_test_part():
    state = make_state(make_method())
    assert sorted(np.asarray(state.validation.index)[np.asarray(state.validation.valid)]) == [5]
    assert sorted(np.asarray(state.held_out.index)[np.asarray(state.held_out.valid)]) == [5, 6, 7]


def test_training_waveforms_get_noise_of_their_own_at_every_update_and_none_by_default():
    batch, plain, noisy = make_batch(0), make_method(), make_method(random_noise="white", noise_snr=(0.0, 10.0))
    still, steps = make_state(plain), [make_state(method) for method in (plain, noisy)]

    def moved(method, state):
        return np.asarray(method.step(state, batch)[0].params["output"])

    assert not np.allclose(moved(plain, steps[0]), moved(noisy, steps[1]), atol=1e-6)
    hardly = make_method(random_noise="pink", noise_snr=(120.0, 120.0))
    # Five samples of pink noise above 20 Hz; 120 dB below the speech they change nothing that shows.
    np.testing.assert_allclose(moved(plain, still), moved(hardly, make_state(hardly)), atol=1e-4)
    later = [state.replace(step=state.step + 1) for state in (make_state(noisy), make_state(noisy))]
    np.testing.assert_array_equal(moved(noisy, later[0]), moved(noisy, later[1]))
