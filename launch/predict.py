"""Posteriors of plain audio files from a finished run, per block and per utterance, printed and drawn.

    python launch/predict.py --workdir=runs/emodb-log-30 --wav=a.wav --wav=b.flac
    python launch/predict.py --workdir=runs/emodb-log-30 --fold=0 --output=figures a.wav b.wav
    python launch/predict.py --workdir=runs/transfer --member=model=resnet50 --member=learning_rate=0.0001 --wav=a.wav
    python launch/predict.py --workdir=runs/audio-text --wav=a.wav --text="I am so glad." --member=fusion=att_d_1
    python launch/predict.py --workdir=runs/audio-text --csv=files.csv          # with the columns wav and text

In a run that compared several things the one that validated best predicts (the first where none was validated),
unless --member names another. Classifiers of openSMILE functionals give posteriors of the whole recording. A run that
rates valence and activation gives those of their five points, with the rating to be expected, for evenly spaced crops.
One that reads transcripts says how much attention sound and words got, and which words its decision rests on.
"""

import sys
from pathlib import Path

import numpy as np
from absl import flags

from sejax.audio.spectrogram import spectrogram
from sejax.core.files import printable, write_text
from sejax.corpora.waveform import RATE, BadRecording, decode
from sejax.data.ratings import expected
from sejax.data.text import read_table
from sejax.engine.command import run_command
from sejax.errors import InputError
from sejax.experiments.prediction import Prediction, Predictor, members_named
from sejax.report.sound import posteriors_over_time
from sejax.report.utterance import explained

WORKDIR = flags.DEFINE_string("workdir", None, "a finished run's folder", required=True)
WAV = flags.DEFINE_multi_string("wav", [], "an audio file (wav, flac, ogg, mp3); may be given many times")
TEXT = flags.DEFINE_multi_string("text", [], "what is said in the audio files, one for each, in their order")
CSV = flags.DEFINE_string("csv", None, "a table of audio files and texts, with the columns wav and text")
FOLD = flags.DEFINE_multi_integer(
    "fold", [], "networks of these folds only (default: the mean of all)", lower_bound=-1
)
MEMBER = flags.DEFINE_multi_string("member", [], "NAME=VALUE: only members called so, such as seed=0 or model=resnet50")
OUTPUT = flags.DEFINE_string("output", None, "folder for the figures (default: WORKDIR/predictions)")


MOST_WORDS = 5  # that a decision rests on most, printed


def main(argv):
    """Print and draw the posteriors of every file."""
    files = given_files([Path(name) for name in [*WAV.value, *argv[1:]]])
    predict = Predictor(Path(WORKDIR.value), only=wanted())
    print(f"mean of {len(predict.members)} members: {described(predict.members)}", file=sys.stderr)
    output = Path(OUTPUT.value or Path(WORKDIR.value, "predictions"))
    failures = []
    for file, text in files:
        try:
            waveform, clipped = decode(file, silence=predict.transcribed)
            for said in predict.unlike(waveform, RATE):
                print(f"{printable(file)}: {said} than the recordings of the training corpus", file=sys.stderr)
            prediction = predict(waveform, RATE, text)
        except InputError as error:
            failures.append(str(error) if isinstance(error, BadRecording) else f"{printable(file)}: {error}")
            continue
        if clipped:
            print(f"{printable(file)}: clipped: {clipped:.2%} of its samples are beyond full scale", file=sys.stderr)
        show(file, prediction, predict)
        draw(output, file, waveform, prediction, predict)
    if failures:
        raise InputError("; ".join(failures))


def given_files(files):
    """Audio files with their texts, "" where none is given: [(path, text)]."""
    texts = TEXT.value
    if texts and len(texts) != len(files):
        raise InputError(f"{len(texts)} --text for {len(files)} audio files; give one for each, or a table with --csv")
    for file in files:
        if not file.is_file():
            raise InputError(f"{file}: there is no such file; give audio files")
    found = list(zip(files, texts or [""] * len(files), strict=True))
    found += read_table(CSV.value) if CSV.value else []
    if not found:
        raise InputError("no audio given; pass --wav=FILE")
    return found


def wanted():
    """What the members are to be called, from --member and --fold: {name: values}."""
    return members_named([*(f"fold={fold}" for fold in FOLD.value), *MEMBER.value], flag="member")


def described(members):
    """Names and values of some members in one line: "fold 0, 1, seed 0"."""
    values = {name: dict.fromkeys(str(member[name]) for member in members) for name in members[0]}
    return "; ".join(f"{name} {', '.join(found)}" for name, found in values.items())


def show(file: Path, prediction: Prediction, predict: Predictor) -> None:
    """One line per block and one for the utterance, posteriors in per cent; a table for each rated dimension."""
    print(printable(file))
    if not predict.rated:
        show_table("", prediction.start, prediction.end, prediction.posteriors, prediction.utterance, predict.classes)
    for row, (dimension, points) in enumerate(predict.rated.items()):
        posteriors, utterance = prediction.posteriors[:, row], prediction.utterance[row]
        show_table(dimension, prediction.start, prediction.end, posteriors, utterance, points, rated=True)
    for start, end, piece in zip(prediction.start, prediction.end, prediction.pieces, strict=False):
        print(f"  {start:6.2f} - {end:6.2f} s  {rests_on(piece)}")


def rests_on(piece) -> str:
    """Attention to sound and words, and the words without which the decision would be least probable."""
    parts = []
    if piece["attention"] is not None:
        parts.append(f"attention: audio {piece['attention']:.3f}, text {1 - piece['attention']:.3f}")
    found = sorted(zip(piece["word_importance"] or (), piece["words"], strict=False), reverse=True)[:MOST_WORDS]
    if found:
        parts.append("words: " + ", ".join(f"{word} {100 * fall:+.1f}" for fall, word in found))
    return "; ".join(parts) or "sound alone"


def show_table(title, starts, ends, posteriors, utterance, classes, *, rated=False) -> None:
    """The lines of posteriors [N, C] and [C]; ``rated``: the classes are points, and each line ends with the mean."""
    width = max(8, *(len(name) for name in classes))

    def line(row):
        return "".join(f"{100 * p:{width}.1f}%" for p in row) + (f"{expected(row):10.2f}" if rated else "")

    print(f"  {title:16}" + "".join(f"{name:>{width + 1}}" for name in classes) + ("  expected" if rated else ""))
    for start, end, row in zip(starts, ends, posteriors, strict=True):
        print(f"  {start:6.2f} - {end:6.2f} s" + line(row))
    print(f"  utterance       {line(utterance)}  -> {classes[int(utterance.argmax())]}")


def draw(output: Path, file: Path, waveform: np.ndarray, prediction: Prediction, predict: Predictor) -> None:
    """Posteriors over the waveform and its spectrogram, as SVG; of the first dimension where several are rated.

    Where transcripts are read: each piece of the recording with what its decision rests on.
    """
    for number, piece in enumerate(prediction.pieces):
        name = printable(file.stem) + (f"-{number + 1}" if len(prediction.pieces) > 1 else "")
        keep(output / f"{name}.svg", explained(piece | {"id": name}, predict.classes))
    if prediction.pieces:
        return
    levels = spectrogram(waveform.astype(np.float32) / 32768, predict.settings.spectrogram, fmax=RATE / 2)
    figure = posteriors_over_time(
        waveform,
        RATE,
        levels,
        np.stack([prediction.start, prediction.end], axis=1),
        prediction.posteriors[:, 0] if predict.rated else prediction.posteriors,
        predict.classes,
        prediction.utterance[0] if predict.rated else prediction.utterance,
        title=printable(file.name),
    )
    keep(output / f"{printable(file.stem)}.svg", figure)


def keep(path: Path, figure: str) -> None:
    """Write a figure and say where."""
    write_text(path, figure)
    print(f"  figure: {path}", file=sys.stderr)


if __name__ == "__main__":
    run_command(main, takes="audio files")
