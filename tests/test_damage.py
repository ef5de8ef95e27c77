"""A bit that flips in any kind of kept file is one line, or changes nothing; benchmarks/damage.py tries many more."""

import random
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
sys.path.insert(0, str(Path(__file__).resolve().parent / "data"))

import speech_like
from damage import Kind, below, synthetic_vectors, tried, written_weights

from sejax.core.files import read_npy, write_npy
from sejax.core.results import read_results, write_results
from sejax.data.blocks.load import Spectrograms
from sejax.data.blocks.prepare import prepare_blocks
from sejax.data.utterances.load import UtteranceSpectrograms
from sejax.data.utterances.prepare import prepare_utterances
from sejax.data.waveforms.load import Waveforms
from sejax.data.waveforms.prepare import prepare_waveforms
from sejax.engine.checkpoint import Checkpoints
from sejax.engine.sweep import remember
from sejax.engine.workdir import claim, read_claim, read_finished, write_finished
from sejax.report.html import read_examples, write_examples

ROOMS = {
    "blocks": (prepare_blocks, Spectrograms),
    "utterances": (prepare_utterances, UtteranceSpectrograms),
    "waveforms": (prepare_waveforms, Waveforms),
}
MEMBERS = [{"fold": 0, "seed": 0, "failed": None, "metrics": {"test/uar": 0.51}}]
RESULTS = {"experiment": "transfer", "config": {"seed": 0}, "summary": {}, "members": MEMBERS, "corpus": "emodb é"}


def json_and_examples(folder):
    """What lies in every workdir."""
    write_results(folder, RESULTS)
    claim(folder, {"corpus": "emodb", "rates": [0.1, 0.2]}, {"platform": "cpu", "versions": {"jax": "0.10.0"}})
    write_finished(folder, MEMBERS, {"classes": ["anger", "fear"]})
    remember(folder, 3)
    write_examples(folder, {"file": np.random.default_rng(0).random((8, 8, 3)).astype(np.float32)})
    return [
        Kind("results.json", [folder / "results.json"], lambda: read_results(folder)),
        Kind("config.json", [folder / "config.json"], lambda: read_claim(folder)),
        Kind("finished.json", [folder / "finished.json"], lambda: read_finished(folder)),
        Kind("asked.json", [folder / "asked.json"], lambda: remember(folder, 3)),
        Kind("examples.npz", [folder / "examples.npz"], lambda: read_examples(folder)),
    ]


def checkpoint(folder):
    """The files of one step."""
    saved = Checkpoints(folder)
    saved.save(1, {"kernel": jnp.arange(200.0), "step": jnp.int32(4)}, {"members": [0, 1]})
    saved.close()

    def read():
        opened = Checkpoints(folder)
        try:
            return opened.read()
        finally:
            opened.close()

    return [Kind("checkpoint", below(folder / "1"), read)]


def prepared_sets(folder):
    """Three of the four rooms; the fourth needs openSMILE and is written and read by the same functions."""
    source, kinds = speech_like.corpus(folder / "source", (1.5, 2.0)), []
    for name, (prepare, kind) in ROOMS.items():
        made = prepare("manifest", source, folder / name)

        def read(kind=kind, made=made):
            return kind.load(made), kind.load(made).describe()

        kinds.append(Kind(name, below(made), read))
    return kinds


def arrays(folder):
    """Trunk features, converted weights and synthetic vectors."""
    cache = folder / "trunk-0.npy"
    write_npy(cache, np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32))
    kinds = [Kind("trunk features", [cache], lambda: read_npy(cache, "", mapped=True)), synthetic_vectors(folder / "v")]
    pytest.importorskip("safetensors")
    from sejax import pretrained

    weights = written_weights(folder / "squeezenet1_1.safetensors")
    read = lambda: (pretrained.load("squeezenet1_1", weights), pretrained.describe(weights))  # noqa: E731
    return [*kinds, Kind("converted weights", [weights], read)]


@pytest.mark.parametrize(
    ("make", "flips"), [(json_and_examples, 40), (checkpoint, 25), (prepared_sets, 25), (arrays, 8)]
)
def test_no_flipped_bit_changes_in_silence_what_is_read(tmp_path, make, flips):
    for kind in make(tmp_path):
        found = tried(kind, flips, random.Random(0))
        assert found["detected"] + found["no influence"] == flips, (kind.name, found)
        assert found["detected"] >= flips * 2 // 5, (kind.name, found)


@pytest.mark.parametrize("kept", [0, 1, 17, -30, -5])
def test_half_a_file_is_noticed(tmp_path, kept):
    for kind in (*json_and_examples(tmp_path), *arrays(tmp_path)[:2]):
        for file in kind.files:
            content = file.read_bytes()
            file.write_bytes(content[:kept])
            with pytest.raises(ValueError, match=f"{file} is damaged|{file.name}"):
                kind.read()
            file.write_bytes(content)
