"""Make the synthetic set of a finished CycleGAN run: every source vector in every emotion.

    sejax synthesise --workdir=runs/cyclegan-emodb --data_dir=data
    sejax synthesise --workdir=runs/cyclegan-emodb --data_dir=data --source=librispeech --output=synthetic

The set (features, emotion, source utterance, generator's fold, seed and lambda) is what augmentation trains
classifiers on. The source is the one that the generators were trained on, or any other prepared corpus.
"""


from absl import flags

from sejax.core.results import read_results
from sejax.core.stores import is_local, path_of

WORKDIR = flags.DEFINE_string("workdir", None, "folder of a finished cyclegan run", required=True)
DATA_DIR = flags.DEFINE_string("data_dir", "data", "folder that holds the prepared sets")
SOURCE = flags.DEFINE_string("source", "", "prepared corpus to transfer (default: the run's own source)")
OUTPUT = flags.DEFINE_string("output", "", "folder of the set (default: WORKDIR/synthetic)")


def main(argv):
    """Write the set and print what is in it."""
    del argv
    from sejax.data.vectors import synthetic
    from sejax.data.vectors.load import find_vectors
    from sejax.errors import InputError
    from sejax.experiments.cyclegan.synthesis import synthesise

    config = read_results(WORKDIR.value)["config"]
    corpus = SOURCE.value or config.get("source", "")
    usual = {"features": "emobase2010", "level": "none", "trim": "none"}
    how = {name: config.get(name, value) for name, value in usual.items()}
    source = find_vectors(path_of(DATA_DIR.value), corpus, **how)
    folder = path_of(OUTPUT.value) if OUTPUT.value else path_of(WORKDIR.value) / "synthetic"
    if not is_local(folder):
        raise InputError(f"{folder} is no folder of this machine, where the set is made; give another --output")
    generators = synthesise(path_of(WORKDIR.value), source, folder)
    made = synthetic.load(folder)
    print(
        f"{folder}: {len(made.label)} vectors of {len(made.names)} features, from {len(made.source_ids)} of {corpus} "
        f"by {len(generators)} sets of generators, for {', '.join(made.classes)}"
    )
