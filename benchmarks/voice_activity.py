"""How much of speech and of noise each detector of voice activity keeps, and whether noise changes what it keeps.

    python benchmarks/voice_activity.py --emodb=DIR --nemo=MANIFEST [--files=60]

Half of the files are of emoDB, half of a manifest of nEMO, drawn from a seed. Speech is a recording at root mean square
-26 dBFS with a second of digital silence before and after it, and noise lies over all of that, its level relative to
the recording's. A row has, for each detector, the share of all frames that it takes for speech, and the share that gets
the same answer as in speech without noise. The last line has seconds of audio in one of processor time.
"""

import argparse
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sejax import corpora  # noqa: E402
from sejax.audio import degradations  # noqa: E402
from sejax.audio.level import levelled  # noqa: E402
from sejax.audio.voice_activity import voiced_frames  # noqa: E402

RATE, RATIOS, GAINS, ALONE = 16000, (20, 10, 0), (-20, -40), -20  # Hz, dB, dB, dBFS
PAUSE = 1.0  # s, before and after each recording
DETECTORS = {"WebRTC 0": 0, "WebRTC 3": 3, "Silero": "silero"}


def conditions(talkers):
    """What becomes of a recording: {condition: (waveform, random -> waveform, whether speech is left of it)}."""
    kinds = {"white noise": degradations.white, "babble": partial(_babble, talkers=talkers)}
    found = {"digital silence": (lambda waveform, random: np.zeros_like(waveform), False)}
    found |= {f"{name}, {ALONE} dBFS": (partial(_alone, noise=noise), False) for name, noise in kinds.items()}
    found["speech"] = (lambda waveform, random: padded(waveform), True)
    found |= {f"speech, {gain} dB": (partial(_gain, decibels=gain), True) for gain in GAINS}
    for name, noise in kinds.items():
        found |= {f"+ {name}, {ratio} dB": (partial(_noisy, noise=noise, ratio=ratio), True) for ratio in RATIOS}
    return found


def padded(waveform):
    """A recording with pauses before and after it."""
    return np.pad(waveform, round(PAUSE * RATE))


def _babble(length, random, *, talkers):
    return degradations.babble(length, talkers, random)


def _alone(waveform, random, *, noise):
    sound = noise(len(waveform), random)
    sound *= 32768 * 10 ** (ALONE / 20) / np.sqrt(np.mean(sound**2))
    return np.round(sound).clip(-32768, 32767).astype(np.int16)


def _gain(waveform, random, *, decibels):
    del random
    return degradations.gain(padded(waveform), decibels)


def _noisy(waveform, random, *, noise, ratio):
    whole = padded(waveform)  # of less power than the recording, which the ratio is relative to
    return degradations.with_noise(whole, noise(len(whole), random), ratio - 10 * np.log10(len(whole) / len(waveform)))


def chosen(options):
    """Waveforms int16[T], half of either corpus."""
    random, found = np.random.default_rng(options.seed), []
    for corpus, source in {"emodb": options.emodb, "manifest": options.nemo}.items():
        opened = corpora.open_corpus(corpus, source)
        rows = np.sort(random.choice(len(opened), options.files // 2, replace=False))
        found += [levelled(opened.decode(opened.recordings[row]).waveform, RATE, "rms") for row in rows]
    return found


def heard(waveforms, mode):
    """The decisions of a detector about each waveform."""
    return [voiced_frames(waveform, RATE, mode=mode) for waveform in waveforms]


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emodb", required=True, help="emoDB's original files")
    parser.add_argument("--nemo", required=True, help="a CSV manifest of nEMO")
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    speech = chosen(options)
    spent, audio = dict.fromkeys(DETECTORS, 0.0), 0.0
    clean = {name: np.concatenate(heard(map(padded, speech), mode)) for name, mode in DETECTORS.items()}
    print(f"{len(speech)} files, {sum(map(len, speech)) / RATE:.0f} s; kept, and as in speech without noise")
    print(f"{'':22}" + "".join(f"{name:>18}" for name in DETECTORS))
    for condition, (change, spoken) in conditions(speech).items():
        changed = [change(wave, np.random.default_rng([options.seed, row])) for row, wave in enumerate(speech)]
        cells = ""
        for name, mode in DETECTORS.items():
            begun = time.process_time()
            decisions = np.concatenate(heard(changed, mode))
            spent[name] += time.process_time() - begun
            cells += f"{decisions.mean():10.1%}" + (f"{np.mean(decisions == clean[name]):8.1%}" if spoken else " " * 8)
        audio += sum(map(len, changed)) / RATE
        print(f"{condition:22}{cells}")
    print(f"{'s of audio in a second':22}" + "".join(f"{audio / seconds:18.0f}" for seconds in spent.values()))


if __name__ == "__main__":
    main()
