"""How much of a corpus's labels lies in the levels of its recordings, before and after each `--level`.

    python launch/prepare.py --corpus=emodb --source=DIR --data_dir=data --features=waveforms
    python benchmarks/level_statistics.py --data_dir=data --corpus=emodb [--figure=emodb_levels.svg]

For every trait the area under the receiver operating characteristic of each class against the rest (0.5 tells nothing,
0 and 1 all), then the unweighted average recall of a logistic regression on all traits, each speaker left out once, and
where `--features=emobase2010` is prepared that of a linear support vector machine on functionals. The figure shows
every recording's trait by class.
"""

import argparse
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sejax.audio.level import LEVELS, levelled, traits  # noqa: E402
from sejax.audio.samples import RATE  # noqa: E402
from sejax.data.anchor import anchor  # noqa: E402
from sejax.data.folds import TEST, TRAIN  # noqa: E402
from sejax.data.level_statistics import COLUMNS, level_columns, level_folds, level_scores  # noqa: E402
from sejax.data.waveforms.load import find_waveforms  # noqa: E402
from sejax.report.drawing import BLUE, INK, drawn, subplots, write_picture  # noqa: E402

UNITS = {"peak": "dBFS", "level": "dBFS", "offset": "dBFS", "floor": "dB below the level", "clipped": "dB of samples"}


def at_level(speech, level):
    """The set with the traits that its recordings have once they are brought to a level."""
    parts = [speech.waveform[start:end] for start, end in zip(speech.offset[:-1], speech.offset[1:], strict=True)]
    found = [list(traits(levelled(np.asarray(part), RATE, level), RATE)) for part in parts]
    return replace(speech, traits=tuple(found))


def areas(values, is_class):
    """Area under the curve of values [U] against bool[U]."""
    from scipy.stats import rankdata

    ranks, ours = rankdata(values), is_class.sum()
    return (ranks[is_class].sum() - ours * (ours + 1) / 2) / (ours * (len(values) - ours))


@drawn
def recordings_by_class(speech):
    """Every recording's offset, noise floor and level; classes in the order of their median offset."""
    shown, random = ("offset", "floor", "level"), np.random.default_rng(0)
    column = {name: level_columns(speech.traits)[:, COLUMNS.index(name)] for name in shown}
    rows = [np.flatnonzero(speech.label == number) for number in range(len(speech.classes))]
    order = sorted(range(len(rows)), key=lambda number: np.median(column["offset"][rows[number]]))
    figure, panels = subplots(8.5, 3.2, 1, len(shown), sharey=True)
    for axes, name in zip(panels, shown, strict=True):
        for place, number in enumerate(order):
            values = column[name][rows[number]]
            spread = place + random.uniform(-0.28, 0.28, len(values))
            axes.plot(values, spread, ".", color=BLUE, markersize=2.5, alpha=0.4, markeredgewidth=0)
            axes.plot([np.median(values)] * 2, [place - 0.38, place + 0.38], color=INK, linewidth=1.8)
        axes.set_xlabel(f"{name}, {UNITS[name]}")
    panels[0].set_yticks(range(len(order)), [speech.classes[number] for number in order])
    return figure


def main():
    """Print both tables, and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", type=Path, default=Path("data"))
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    speech = find_waveforms(options.data_dir, options.corpus)
    values = level_columns(speech.traits)
    print(f"{options.corpus}: {len(speech.label)} recordings; area under the curve of each class against the rest")
    print(f"{'':10}" + "".join(f"{name[:9]:>10}" for name in speech.classes))
    for column, name in enumerate(COLUMNS):
        each = [areas(values[:, column], speech.label == row) for row in range(len(speech.classes))]
        print(f"{name:10}" + "".join(f"{area:10.2f}" for area in each))
    part = np.where(speech.speaker == np.arange(len(speech.speakers))[:, None], TEST, TRAIN)
    print("\nlevels alone, leave one speaker out: UAR, mean and deviation over speakers")
    for level in LEVELS:
        found = level_scores(level_folds(at_level(speech, level), part))["uar"]
        print(f"{level:10}{found['mean']:10.3f}{found['std']:10.3f}")
    machine = anchor(options.data_dir, speech, part, label={"": speech.label})
    found = machine["scores"][""]["uar"] if "scores" in machine else None
    print(f"openSMILE + linear SVM {found['mean']:.3f}{found['std']:10.3f}" if found else machine["missing"])
    if options.figure:
        write_picture(options.figure, partial(recordings_by_class, speech))


if __name__ == "__main__":
    main()
