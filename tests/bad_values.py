"""Wrong values of every kind given to every script, in one process, and how each ends.

    python tests/bad_values.py

A value is refused clearly where the script ends with status 2 before any work, with one line on stderr that names the
field, the value and what to give. It is counted as accepted where the script goes on to the data, of which there are
none here, or beyond; as endless where it takes longer than a minute.
"""

import contextlib
import io
import json
import os
import re
import runpy
import signal
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 60
REMEDY = re.compile(
    r"\b(give|use|pass|name|mend|make|known are|lists|written|must end|options are|did you mean|such as|as in|leave)\b"
)

# By experiment: NAME=VALUE behind the colon of --config, or for --config.NAME where it begins with a dot.
CONFIG = {
    "pseudo_labelling": (
        *("corpus=", "corpus=../emodb", "corpus=a/b", "corpus=EMODB", "scale=linear", "voice_activity=4"),
        *("corpus=emodb+emodb", "corpus=emodb+", "test=Nemo", "test=nemo+nemo"),
        *("labelled=0", "labelled=-0.1", "labelled=1.5", "labelled=nan", "labelled=most", "protocol=session"),
        *("random_gain=-30", "random_gain=0+-30", "random_gain=-90+0", "random_gain=nan+0", "random_gain=a+b"),
        *("trainable=none", "model=vgg", "weights=", "folds=1", "folds=0", "folds=-3", "folds=2.5", "folds=nan"),
        *("split_folds=a+a", "features=", "features=mel", "features=functionals:egemaps", "features=image:jet"),
        *("features=encoder:", "features=encoder:wavlm:9-6", "longest=0", "longest=nan", "l2=-1", "l2=inf"),
        *("normalise_by=person", "trim=4", "hidden=0", "hidden=-8", "hidden=8+x"),
        "features=encoder:wavlm_base:9,trainable=classifier",
        "normalise_by=speaker,features=encoder:wavlm_base:9,trainable=all",
        *("vote=block", "calibration=isotonic", "selection=top", "shares=", "shares=1.5", "shares=-0.1", "shares=a"),
        *("labeller=teacher", "targets=mixed", "pseudo_weight=0", "ema=1", "ema=-0.1", "strong_views=-1"),
        *("strong_views=2.5", ".alteration.gain=nan", ".alteration.bands=-1", ".alteration.shift=0.5", ".shares=()"),
        *("only_folds=-1", "seeds=0", "seeds=1000000000", "iterations=-1", "epochs=0", "epochs=True"),
        *("epochs=1e3", "epochs=99999999999", "runlocal=maybe", "seed=-1", "batch_size=0", "grid=6", "grid=0+4"),
        *(".learning_rate=nan", ".learning_rate=inf", ".learning_rate=-0.01", ".learning_rate=0", ".dropout=1"),
        *(".learning_rate=1e-60", ".learning_rate=1e+60", ".learning_rate=fast", ".dropout=2", ".dropout=-0.5"),
        *(".factor=5", ".factor=0", ".factor=1", ".threshold=2", ".threshold=-1", ".threshold=nan", ".iterations=0"),
        *(".validation=1", ".validation=-0.1", ".minimum_rate=-1", ".plateau_patience=-1"),
        *(".stop_patience=1.5", ".weight_decay=-1", ".feature_gain=0", ".trunk_rate=-0.1", ".batch_size=-32"),
        *(".image.size=(0,64)", ".image.size=(64,)", ".image.size=(100000,100000)", ".image.colour_map=viridis"),
        *(".image.dynamic_range=0", ".image.dynamic_range=nan", ".image.reference=min", ".image.level=inf"),
        *(".run.backend=fast", ".run.ensemble=pmap", ".run.members_at_once=-1", ".run.input=grain"),
        *(".run.save_seconds=-1", ".run.save_seconds=nan", ".run.keep=0", ".run.tensorboard=2", ".grid=(6,'a')"),
    ),
    "transfer": (
        *("classes=a:b/+c", "classes=joy"),
        *("corpus=.", "classes=anger+anger", "models=resnet51", "models=", "models=resnet50+resnet50", "weights=a+b"),
        *("weights=nowhere.safetensors", "rates=0", "rates=-0.0001", "rates=nan", "rates=0.1+0.1", "rates=", "rates=a"),
        *("models=encoder:", "models=encoder:wavlm_base:9-6", "models=encoder:nowhere:1", "longest=0"),
        *("trainable=some", "protocol=block", "images=1800+600", "images=0+600+600", "images=1800+600+x", "epochs=-1"),
        *("size=5", "size=-224", "size=1000000", "loss=hinge", "reference=mean", "scale=bark", "voice_activity=5"),
        *("dtype=float16", ".rho=1", ".rho=-0.1", ".rho=nan", ".epsilon=0", ".epsilon=-1", ".decay=-1", ".hidden=0"),
        *("random_gain=-6+0", ".random_gain=(0.0,-6.0)", ".random_gain=6.0"),
        *(".batch_size=0", ".batch_size=1000000000", ".rates=()", ".images=(1,2,3,4)", ".hidden=1.5"),
    ),
    "cyclegan": (
        *("classes=a:x+b:x", "classes=five"),
        *("source=", "source=a/b", "target=", "target=emodb+emodb", "features=mfcc", "normalisation=none", "folds=-1"),
        *("protocol=block", "split_folds=a+a"),
        *("trim=4", "whole=2", "seeds=0", "lambdas=-1", "lambdas=nan", "lambdas=0+0", "epochs=0", "pretraining=-1"),
        *("objective=l1", "row_epochs=-1", "members_at_once=-1", "input=tfdata", "seed=5000", ".learning_rate=0"),
        *(".learning_rate=nan", ".decay=0", ".decay=2", ".decay_epochs=0", ".discriminator_speed=0", ".b1=1"),
        *(".b1=-0.1", ".lambda_cycle=-5", ".generator_updates=0", ".real_label=2", ".real_label=0", ".dropout=1"),
        *(".classifier_dropout=nan", ".slope=-0.2", ".generator_hidden=(0,)", ".generator_hidden=()"),
        *(".discriminator_hidden=(10.5,)", ".classifier_hidden=('a',)", ".sample=0", ".sample=10000000"),
        *(".pretraining.learning_rate=-1", ".pretraining.epochs=1.5", ".row_epochs=0", ".stage=first"),
    ),
    "augmentation": (
        *("classes=five", ".classes=('a',)"),
        *("real=", "real=emodb+emodb", "test=../nemo", "synthetic=nowhere", "trainings=real+none", "trainings="),
        *("lambdas=-2", "lambdas=inf", "features=is09", "normalisation=all", "folds=1", "repeats=0", "updates=-1"),
        *(".development=0", ".development=1", ".development=nan", ".noise=-1", ".noise=nan", ".mixup=0", ".mixup=-1"),
        "protocol=utterance",
        *(".slope=2", ".extra=-1", ".extra=2000000000", ".rows=0", ".evaluation=cross", "trim=loud"),
    ),
    "dcgan": (
        *("target=number", "regression_loss=huber", "criterion=ccc", "classes=one"),
        *("corpus=a b", "unlabelled=ami/librispeech", "unlabelled=ami+ami", "models=wgan", "folds=1", "swap=often"),
        *("seeds=-1", "updates=random", "epochs=0", "width=17", "width=-64", "width=1000000", "side=1", "filters=-1"),
        *("batch_size=-1", "learning_rates=-0.1", "learning_rates=nan", "share=1.5", "share=-1", "balance=2"),
        *("protocol=session", "balance=nan", "eval_crops=0", "criterion=f1", "scale=bark", "rating_scale=1"),
        *("rating_scale=1+nan", "dtype=int8", "input=grain", ".patience=0", ".weights=(1.0,)", ".weights=(-1.0,1.0)"),
        *(".b2=1", ".epsilon=nan", ".hidden=0", ".slope=nan", ".latent=0", ".dynamic_range=-80", ".samples=0"),
        *(".snapshots=0", ".learning_rates=(0.0,)"),
    ),
    "audio_text": (
        *("random_noise=brown", "noise_snr=20+0", "noise_snr=10", "noise_snr=nan+10"),
        *("corpus=..", "classes=two", "fusions=att", "fusions=text+text", "protocol=session", "folds=1"),
        *("only_folds=-1", "validation=1", "validation=nan", "keep=first"),
        *("criterion=f1", "patience=-1", "seeds=0", "epochs=0", "batch_size=0", "learning_rates=0"),
        *("learning_rates=inf", "l2=-1", "l2=nan", "dropout=1", "dropout=1.0", "dropout=-0.1", "frequent=-1"),
        *("minimum=0", "vectors=nowhere.bin", "embedding=0", "tuned=perhaps", "strides=4", "strides=0+2", "shapes=0"),
        *("gru_summary=sum", "longest=0", "longest=nan", "longest=1000000", "dtype=half", ".decay=0", ".decay=1.5"),
        *(".b1=1", ".kernels=(25,)", ".channels=(0,8)", ".pool=0", ".gru=0", ".widths=()"),
        *("sound=wavlm_base", "sound=encoder:wavlm_base:x", "sound=encoder:nowhere:all", "encoder_rate=-1"),
        *("encoder_dropout=1", "layer_drop=1.5", "time_masks=nan", ".encoder.rate=2"),
        *(".widths=(0,)", ".maps=0", ".hidden=-1", ".most_words=0", ".examples=0", ".run.backend=scan"),
    ),
}

# Of every script: arguments, and what the line has to name.
_TRAIN = ("--workdir={out}", "--data_dir={data}")
_SWEEP = ("sweep", "--config=configs/transfer.py:models=squeezenet1_1,weights=random", *_TRAIN)
_PREPARE = ("prepare", "--corpus=synthetic", "--data_dir={out}")
SCRIPTS = (
    (("train", "--config=configs/foo.py", *_TRAIN), "configs/foo.py"),
    (("train", "--config=configs", *_TRAIN), "configs"),
    (("train", "--config=transfr", *_TRAIN), "did you mean transfer?"),
    (("train", "--config=transfer:epoch=3", *_TRAIN), "'epoch'"),
    (("train", "--config=", *_TRAIN), "--config="),
    (("train", *_TRAIN), "config"),
    (("train", "--config={wrong}/syntax.py", *_TRAIN), "line 1"),
    (("train", "--config={wrong}/name.py", *_TRAIN), "nowhere"),
    (("train", "--config={wrong}/empty.py", *_TRAIN), "get_config"),
    (("train", "--config={wrong}/none.py", *_TRAIN), "get_config"),
    (("train", "--config={wrong}/dict.py", *_TRAIN), "dict.py"),
    (("train", "--config={wrong}/without.py", *_TRAIN), "without.py"),
    (("train", "--config={wrong}/value.py", *_TRAIN), "value.py: ValueError: what a value"),
    (("train", "--config=configs/transfer.py", "--data_dir={data}"), "workdir"),
    (("train", "--config=configs/transfer.py:epoch=3", *_TRAIN), "'epoch'"),
    (("train", "--config=configs/transfer.py", "--config.epoch=3", *_TRAIN), "no field 'epoch'; did you mean epochs?"),
    (("train", "--config=configs/transfer.py", "--config.image=3", *_TRAIN), "image"),
    (("train", "--config=configs/transfer.py", "--config.image.sizes=3", *_TRAIN), "did you mean image.size?"),
    (("train", "--config=configs/transfer.py", "--config.nope.more=3", *_TRAIN), "no field 'nope.more'; give one"),
    (("train", "--config=configs/transfer.py", "--config.epochs.x=3", *_TRAIN), "no field 'epochs.x'; did you mean ep"),
    (("train", "--config=configs/transfer.py", "--config.tensorboard=0", *_TRAIN), "did you mean run.tensorboard?"),
    (("train", "--config=configs/transfer.py", "--config.=3", *_TRAIN), "no field ''; give"),
    (("sweep", "--config=configs/transfer.py", "--config.nope=3", *_TRAIN), "no field 'nope'; give"),
    (("train", "--config=configs/transfer.py", "epochs=3", *_TRAIN), "epochs=3"),
    (("train", "--config=configs/transfer.py", "--epochs=3", *_TRAIN), "epochs"),
    (("train", "--config=configs/transfer.py:weights=random", "--workdir={file}", "--data_dir={data}"), "{file}"),
    (("train", "--config=configs/transfer.py:weights=random", "--workdir={out}", "--data_dir={file}"), "{file}"),
    (("train", "--config=configs/transfer.py:weights=random", "--workdir={out}", "--data_dir=nowhere"), "nowhere"),
    (("train", "--config=configs/transfer.py:weights=random", "--workdir=", "--data_dir={data}"), "--workdir="),
    (("train", "--config=configs/transfer.py:weights=random", "--workdir={out}", "--data_dir="), "--data_dir="),
    ((*_SWEEP, "--space=dropout=0.1"), "dropout"),
    ((*_SWEEP, "--space=batch_size"), "batch_size"),
    ((*_SWEEP, "--space=batch_size=0|16"), "batch_size=0"),
    ((*_SWEEP, "--space=rho=0.5~1.5"), "rho=1"),
    ((*_SWEEP, "--space=rho=nan|0.9"), "nan"),
    ((*_SWEEP, "--space=learning_rate=-0.1|0.1"), "-0.1"),
    ((*_SWEEP, "--space=loss=hinge|logits"), "hinge"),
    ((*_SWEEP, "--space=hidden=9..1"), "9..1"),
    ((*_SWEEP, "--space=hidden=1..1000000000", "--search=grid"), "hidden=1..1000000000"),
    ((*_SWEEP, "--space=batch_size=16|32", "--trials=0"), "trials"),
    ((*_SWEEP, "--space=batch_size=16|32", "--trials=-1"), "trials"),
    ((*_SWEEP, "--space=batch_size=16|32", "--trials=1000000000000"), "trials"),
    ((*_SWEEP, "--space=batch_size=16|32", "--trials=some"), "trials"),
    ((*_SWEEP, "--space=batch_size=16|32", "--search=bayes"), "bayes"),
    ((*_SWEEP, "--space=batch_size=16|32", "--metric=test/uar"), "test/uar"),
    ((*_SWEEP, "--space=batch_size=16|32", "--seed=one"), "seed"),
    ((*_SWEEP, "--space=batch_size=16|32", "more"), "more"),
    (("sweep", "--config=configs/pseudo_labelling.py", *_TRAIN), "space"),
    (("evaluate", "--workdir=nowhere"), "nowhere"),
    (("evaluate", "--workdir={data}"), "{data}"),
    (("evaluate", "--workdir={data}", "more"), "more"),
    (("evaluate",), "workdir"),
    (("evaluate", "--workdir="), "--workdir="),
    (("evaluate", "--workdir={data}", "--tolerance=1"), "tolerance"),
    (("predict", "--workdir=nowhere", "--wav={file}"), "nowhere"),
    (("predict", "--workdir={data}"), "--wav"),
    (("predict", "--workdir={data}", "--wav=nowhere.wav"), "nowhere.wav"),
    (("predict", "--workdir={data}", "nowhere.wav"), "nowhere.wav"),
    (("predict", "--workdir={data}", "--wav={file}", "--fold=first"), "fold"),
    (("predict", "--workdir={data}", "--wav={file}", "--fold=-2"), "fold"),
    (("predict", "--workdir={data}", "--wav={file}", "--member=seed"), "seed"),
    (("predict", "--workdir={data}", "--wav={file}", "--text=a", "--text=b"), "--text"),
    (("predict", "--workdir={data}", "--csv=nowhere.csv"), "nowhere.csv"),
    (("export", "--workdir=nowhere", "--output={out}/a.sejax"), "nowhere"),
    (("export", "--workdir={data}", "--output={out}/a.sejax"), "{data}"),
    (("export", "--workdir={data}"), "output"),
    (("export", "--output={out}/a.sejax"), "workdir"),
    (("export", "--workdir=", "--output={out}/a.sejax"), "--workdir="),
    (("export", "--workdir={data}", "--output="), "--output="),
    (("export", "--workdir={data}", "--output={out}/a.zip"), "a.zip"),
    (("export", "--workdir={data}", "--output={out}/a.sejax", "--format=onnx"), "a.sejax"),
    (("export", "--workdir={data}", "--output={out}/a.sejax", "--format=pickle"), "pickle"),
    (("export", "--workdir={data}", "--output={out}/a.sejax", "--fold=first"), "fold"),
    (("export", "--workdir={data}", "--output={out}/a.sejax", "--fold=-2"), "fold"),
    (("export", "--workdir={data}", "--output={out}/a.sejax", "--member=seed"), "seed"),
    (("export", "--workdir={data}", "--output={out}/a.sejax", "more"), "more"),
    (("robustness", "--workdir=nowhere", "--corpus=emodb"), "nowhere"),
    (("robustness", "--workdir={data}", "--corpus=emodb"), "{data}"),
    (("robustness", "--workdir={data}"), "corpus"),
    (("robustness", "--corpus=emodb"), "workdir"),
    (("robustness", "--workdir={data}", "--corpus="), "--corpus="),
    (("robustness", "--workdir={data}", "--corpus=emodb", "--files=0"), "files"),
    (("robustness", "--workdir={data}", "--corpus=emodb", "--files=some"), "files"),
    (("robustness", "--workdir={data}", "--corpus=emodb", "--seed=-1"), "seed"),
    (("robustness", "--workdir={data}", "--corpus=emodb", "more"), "more"),
    (("predict", "--workdir={data}", "--wav={file}", "--output_table=out.csv", "--rows=word"), "--rows=word"),
    (("predict", "--workdir={data}", "--wav={file}", "--rows=block"), "--output_table"),
    (("predict", "--workdir={data}", "--wav={file}", "--stream"), "--stream"),
    (("predict", "--workdir={data}", "--stream", "--stream_rate=fast"), "stream_rate"),
    (("report",), "--workdir"),
    (("report", "--workdir=nowhere"), "nowhere"),
    (("report", "--workdir="), "--workdir="),
    (("report", "nowhere", "{data}"), "results.json"),
    (("report", "{data}", "{out}", "--figure=a.txt"), "a.txt"),
    (("report", "{data}", "{out}", "--latex=a.txt"), "a.txt"),
    (("report", "{data}", "--csv=a"), "--csv=a"),
    (("synthesise", "--workdir=nowhere"), "nowhere"),
    (("synthesise", "--workdir={data}", "more"), "more"),
    (("convert_weights", "--model=vgg", "--output={out}/a"), "vgg"),
    (("convert_weights", "--model=alexnet", "--source=caffe", "--output={out}/a"), "caffe"),
    (("convert_weights", "--model=alexnet", "--input=nowhere.pth", "--output={out}/a.safetensors"), "nowhere.pth"),
    (("convert_weights", "--model=alexnet", "--input={file}", "--output={out}/a", "--num_classes=0"), "num_classes"),
    (("convert_weights", "--model=alexnet", "--input={file}"), "output"),
    (("convert_weights", "--input={file}", "--output={out}/a.safetensors"), "--model"),
    (("convert_weights", "--source=transformers", "--output={out}/a.safetensors"), "no input"),
    (("convert_weights", "--source=transformers", "--input=nowhere", "--output={out}/a.safetensors"), "nowhere"),
    (("convert_weights", "--source=transformers", "--input={file}", "--output={out}/a.safetensors"), "config.json"),
    (("convert_weights", "--source=transformers", "--model=alexnet", "--output={out}/a.safetensors"), "leave it out"),
    (("convert_weights", "--model=alexnet", "--input={file}", "--output={out}/a", "more"), "more"),
    (("prepare", "--data_dir={out}"), "corpus"),
    (("prepare", "--corpus=timit", "--data_dir={out}"), "timit"),
    (("prepare", "--corpus=", "--data_dir={out}"), "--corpus="),
    (("prepare", "--corpus=synthetic", "--data_dir="), "--data_dir="),
    (("prepare", "--corpus=emodb", "--source=nowhere", "--data_dir={out}"), "nowhere"),
    (("prepare", "--corpus=emodb", "--source={data}", "--data_dir={out}"), "{data}"),
    (("prepare", "--corpus=manifest", "--source=nowhere.csv", "--data_dir={out}"), "nowhere.csv"),
    (("prepare", "--corpus=manifest", "--source={file}", "--name=../a", "--data_dir={out}"), "../a"),
    (("prepare", "--corpus=manifest", "--source={file}", "--data_dir={out}"), "{file}"),
    (("prepare", "--corpus=synthetic", "--data_dir={file}"), "{file}"),
    ((*_PREPARE, "more"), "more"),
    ((*_PREPARE, "--allow_partial=maybe"), "allow_partial"),
    ((*_PREPARE, "--features=mfcc"), "mfcc"),
    ((*_PREPARE, "--scale=bark"), "bark"),
    ((*_PREPARE, "--voice_activity=4"), "voice_activity"),
    ((*_PREPARE, "--trim=4", "--features=is10"), "trim"),
    ((*_PREPARE, "--trim=silero"), "trim"),
    ((*_PREPARE, "--block_length=0"), "block_length"),
    ((*_PREPARE, "--block_length=nan"), "block_length"),
    ((*_PREPARE, "--block_length=inf"), "block_length"),
    ((*_PREPARE, "--block_length=1e9"), "block_length"),
    ((*_PREPARE, "--block_overlap=2"), "block_overlap"),
    ((*_PREPARE, "--block_overlap=-1"), "block_overlap"),
    ((*_PREPARE, "--block_overlap=nan"), "block_overlap"),
    ((*_PREPARE, "--window_length=nan"), "window_length"),
    ((*_PREPARE, "--window_length=0"), "window_length"),
    ((*_PREPARE, "--window_length=inf"), "window_length"),
    ((*_PREPARE, "--window_hop=0"), "window_hop"),
    ((*_PREPARE, "--window_hop=nan"), "window_hop"),
    ((*_PREPARE, "--window_hop=-1"), "window_hop"),
    ((*_PREPARE, "--fmax=0"), "fmax"),
    ((*_PREPARE, "--fmax=nan"), "fmax"),
    ((*_PREPARE, "--fmax=inf"), "fmax"),
    ((*_PREPARE, "--fmax=9000"), "fmax"),
    ((*_PREPARE, "--fmax=high"), "fmax"),
    ((*_PREPARE, "--fmax="), "fmax"),
    ((*_PREPARE, "--bands=0"), "bands"),
    ((*_PREPARE, "--bands=1000000"), "bands"),
    ((*_PREPARE, "--bands=1.5"), "bands"),
    ((*_PREPARE, "--seed=-1"), "seed"),
    ((*_PREPARE, "--repeats=0"), "repeats"),
    ((*_PREPARE, "--repeats=-1"), "repeats"),
    ((*_PREPARE, "--repeats=1000000000"), "repeats"),
    ((*_PREPARE, "--subset=494"), "subset"),
    ((*_PREPARE, "--workers=2"), "workers"),
    ((*_PREPARE, "--features=emobase2010", "--workers=0"), "workers"),
    ((*_PREPARE, "--features=emobase2010", "--workers=-1"), "workers"),
    ((*_PREPARE, "--features=emobase2010", "--workers=100000"), "workers"),
    ((*_PREPARE, "--features=emobase2010", "--beam_option=--x=y"), "beam_option"),
    ((*_PREPARE, "--features=emobase2010", "--bands=64"), "bands"),
    ((*_PREPARE, "--features=utterance_spectrograms", "--window_hop=0"), "window_hop"),
    ((*_PREPARE, "--features=utterance_spectrograms", "--window_length=inf"), "window_length"),
    ((*_PREPARE, "--features=utterance_spectrograms", "--bands=-1"), "bands"),
    ((*_PREPARE, "--features=waveforms", "--bands=64"), "bands"),
    (("prepare", "--corpus=emodb", "--source={data}", "--subset=100", "--data_dir={out}"), "subset"),
    (("prepare", "--corpus=librispeech", "--source={data}", "--part=x", "--data_dir={out}"), "part"),
)

# What is right: these reach the data.
RIGHT = (
    ("train", "--config=configs/dcgan.py:width=32,unlabelled=ami", "--config.rating_scale=(0.0,1.0)", *_TRAIN),
    ("train", "--config=configs/transfer.py:weights=random,rates=1", "--config.rates=(0.1,1.0)", *_TRAIN),
    ("train", "--config=configs/pseudo_labelling.py:corpus=emodb+nemo,test=ravdess+savee", *_TRAIN),
)

WRONG = {
    "syntax.py": "def get_config(:\n",
    "name.py": "from nowhere import get_config\n",
    "empty.py": "",
    "none.py": "def get_config(argument=None):\n    pass\n",
    "dict.py": "def get_config(argument=None):\n    return {'experiment': 'transfer', 'run': {}}\n",
    "without.py": "from ml_collections import ConfigDict\ndef get_config(argument=None):\n    return ConfigDict()\n",
    "value.py": "def get_config(argument=None):\n    raise ValueError('what a value')\n",
}


class Outcome(NamedTuple):
    """How a command ended: "clear", "unclear", "traceback", "accepted" or "endless", and what it said last."""

    command: str
    kind: str
    said: str


def commands():
    """Every command, and what its line has to name: [(words, names)]."""
    found = []
    for experiment, values in CONFIG.items():
        for given in values:
            name, _, value = given.lstrip(".").partition("=")
            path = f"--config=configs/{experiment}.py"
            config = (path, f"--config.{name}={value}") if given[0] == "." else (f"{path}:{name}={value}",)
            found.append((("train", *config, *_TRAIN), (name, *_forms(value))))
    return found + [(words, (name,)) for words, name in SCRIPTS]


def _forms(value):
    """A value as it may stand in a line, all of whose entries have to."""
    return tuple(entry.strip("() '") for entry in value.replace("+", ",").split(",") if entry.strip("() '"))[:1]


def outcome(words, named, folders) -> Outcome:
    """Runs a script with its arguments in this process."""
    script, *arguments = (word.format(**folders) for word in words)
    command = " ".join([script, *arguments])
    status, said = _run(script, arguments)
    if status == "endless":
        return Outcome(command, "endless", said)
    if "Traceback" in said or status not in (0, 2):
        return Outcome(command, "traceback", said.strip().splitlines()[-1] if said.strip() else str(status))
    line = said.strip()
    if status == 0 or line.startswith("error: no prepared") and "nowhere" not in command and "{file}" not in words[-1]:
        return Outcome(command, "accepted", line)
    names = [name.format(**folders) for name in named]
    clear = "\n" not in line and line.startswith("error: ") and all(map(line.__contains__, names))
    clear = clear and bool(REMEDY.search(line))
    return Outcome(command, "clear" if clear else "unclear", line)


_COMMANDS = {"convert_weights": "convert"}


def _run(script, arguments):
    """Status, and what was written to stderr."""
    from absl import app, flags

    app.define_help_flags()
    for name in ("config_config", f"sejax.commands.{_COMMANDS.get(script, script)}"):
        sys.modules.pop(name, None)  # the last config file's module, and the command's, whose flags are gone
    known, before = set(flags.FLAGS), sys.argv

    def stop(*_):
        raise TimeoutError

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    status = 0
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()):
        try:
            sys.argv = [f"launch/{script}.py", *arguments]
            runpy.run_path(str(ROOT / "launch" / f"{script}.py"), run_name="__main__")
        except SystemExit as end:
            status = end.code or 0
        except TimeoutError:
            status = "endless"
        except BaseException:
            traceback.print_exc()
            status = 1
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, previous)
            sys.argv = before
            for name in set(flags.FLAGS) - known:
                delattr(flags.FLAGS, name)
            flags.FLAGS.unparse_flags()
    return status, said.getvalue()


def outcomes() -> tuple[list[Outcome], list[Outcome]]:
    """Of every wrong command, and of those of `RIGHT`."""
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        folders = {name: str(Path(folder, name)) for name in ("out", "data", "wrong", "file")}
        Path(folders["file"]).write_text("no audio\n", encoding="utf-8")
        for name in ("data", "wrong"):
            Path(folders[name]).mkdir()
        for name, text in WRONG.items():
            Path(folders["wrong"], name).write_text(text, encoding="utf-8")
        wrong = [outcome(words, named, folders) for words, named in commands()]
        return wrong, [outcome(words, (), folders) for words in RIGHT]


def main():
    """Print what is not as it should be, and how many wrong values ended how; everything as JSON with --json."""
    wrong, right = outcomes()
    if "--json" in sys.argv:
        print(json.dumps([[one._asdict() for one in found] for found in (wrong, right)]))
        return
    for one in [*(one for one in wrong if one.kind != "clear"), *(one for one in right if one.kind != "accepted")]:
        print(f"{one.kind:9} {one.command}\n          {one.said}")
    counts = Counter(one.kind for one in wrong)
    print(f"{len(wrong)} wrong values: " + ", ".join(f"{number} {kind}" for kind, number in counts.most_common()))


if __name__ == "__main__":
    main()
