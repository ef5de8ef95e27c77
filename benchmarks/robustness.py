"""How the answers of a trained run hold when recordings are quieter, noisy, narrow or compressed.

    python benchmarks/robustness.py --workdir=runs/NAME --data_dir=data --source=EMODB [--files=12] [--gains_only]

For finished runs of configs/pseudo_labelling.py on emoDB. Under `protocol=speaker` each fold's first seed judges
utterances of its own test speakers alone, so many from each fold, drawn from a seed. Under `block` and `image` parts of
most utterances were trained on, and all members judge as many as five folds would: those figures say how answers change
and not how good they are. Each recording goes through what `launch/predict.py` does. A row has the share that is right,
the unweighted average recall, and the share that gets the same answer as untouched.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sejax import corpora  # noqa: E402
from sejax.audio import degradations  # noqa: E402
from sejax.core.results import read_results  # noqa: E402
from sejax.data.blocks.load import find_blocks  # noqa: E402
from sejax.data.folds import TEST  # noqa: E402
from sejax.experiments.prediction import Predictor  # noqa: E402
from sejax.experiments.pseudo_labelling.assembly import make_members  # noqa: E402

GAINS, RATIOS, FOLDS = (-6, -12, -20, -30), (20, 10, 0), 5
RATE = 16000


def conditions(talkers, gains_only):
    """What becomes of a waveform: {condition: waveform, random -> waveform}."""
    found = {"untouched": lambda waveform, random: waveform}
    found |= {f"gain {decibels} dB": partial(_gain, decibels=decibels) for decibels in GAINS}
    if not gains_only:
        found |= {f"white noise, {ratio} dB": partial(_white, ratio=ratio) for ratio in RATIOS}
        found |= {f"babble, {ratio} dB": partial(_babble, ratio=ratio, talkers=talkers) for ratio in RATIOS}
        found["sampled at 8 kHz"] = lambda waveform, random: degradations.narrow_band(waveform, RATE)
        found["MP3, 32 kbit/s"] = lambda waveform, random: degradations.mp3(waveform)
    return found


def _gain(waveform, random, *, decibels):
    del random
    return degradations.gain(waveform, decibels)


def _white(waveform, random, *, ratio):
    return degradations.with_noise(waveform, degradations.white(len(waveform), random), ratio)


def _babble(waveform, random, *, ratio, talkers):
    return degradations.with_noise(waveform, degradations.babble(len(waveform), talkers, random), ratio)


def chosen(results, data_dir, files, seed):
    """(what the members that judge are called, ids of utterances) in groups."""
    config, random = ConfigDict(results["config"]), np.random.default_rng(seed)
    settings = results["data"]["settings"]
    how = {"scale": settings["scale"], "level": settings.get("level", "none")}
    blocks = find_blocks(data_dir, results["corpus"], voice_activity=config.voice_activity, **how)
    names, members = make_members(config, blocks)
    ids = np.array(blocks.utterance_ids)
    if config.protocol != "speaker":
        return [({}, random.choice(ids[np.unique(blocks.utterance)], FOLDS * files, replace=False))]
    groups = []
    for name, part in zip(names, members["part"], strict=True):
        if name["seed"] == 0:
            tested = np.unique(blocks.utterance[part == TEST])
            only = {field: (str(value),) for field, value in name.items()}
            groups.append((only, ids[random.choice(tested, min(files, len(tested)), replace=False)]))
    return groups


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--data_dir", type=Path, default=Path("data"))
    parser.add_argument("--source", required=True, help="emoDB's original files")
    parser.add_argument("--files", type=int, default=12, help="of each fold")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gains_only", action="store_true")
    options = parser.parse_args()
    results = read_results(options.workdir)
    speech = {utterance.id: utterance for utterance in corpora.open_corpus("emodb", options.source)}
    groups = chosen(results, options.data_dir, options.files, options.seed)
    wanted = {name for _, names in groups for name in names}
    changes = conditions([speech[name].waveform for name in sorted(wanted)], options.gains_only)
    truth, answers = [], {condition: [] for condition in changes}
    for only, names in groups:
        predict = Predictor(options.workdir, only=only)
        for name in names:
            truth.append(speech[name].emotion)
            for condition, change in changes.items():
                random = np.random.default_rng([options.seed, len(truth)])
                posterior = predict(change(speech[name].waveform, random), RATE).utterance
                answers[condition].append(predict.classes[int(posterior.argmax())])
    truth = np.array(truth)
    print(f"{options.workdir}: {len(truth)} utterances, protocol {results['protocol']}")
    print(f"{'':20}{'right':>8}{'UAR':>8}{'as untouched':>14}")
    for condition, given in answers.items():
        right, same = np.array(given) == truth, np.array(given) == np.array(answers["untouched"])
        recalls = [right[truth == name].mean() for name in np.unique(truth)]
        print(f"{condition:20}{right.mean():8.3f}{np.mean(recalls):8.3f}{same.mean():14.3f}")


if __name__ == "__main__":
    main()
