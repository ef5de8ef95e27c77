"""Posteriors of audio files from a finished run, per block and per utterance: printed, drawn, or as a table.

    sejax predict --workdir=runs/emodb-log-30 --wav=a.wav --wav=b.flac
    sejax predict --workdir=runs/emodb-log-30 --output_table=out.csv recordings/ "more/**/*.mp3" files.csv
    find /data -name "*.wav" | sejax predict --workdir=runs/emodb-log-30 --output_table=out.parquet -
    sejax predict --workdir=runs/emodb-log-30 --fold=0 --figures --output=figures a.wav b.wav
    sejax predict --workdir=runs/transfer --member=model=resnet50 --member=learning_rate=0.0001 --wav=a.wav
    sejax predict --workdir=runs/audio-text --wav=a.wav --text="I am so glad." --member=fusion=att_d_1
    sejax predict --workdir=runs/audio-text --csv=files.csv          # with the columns path and transcript
    arecord -t raw -f S16_LE -r 16000 | sejax predict --workdir=runs/emodb-log-30 --stream --stream_level=-30

In a run that compared several things the one that validated best predicts (the first where none was validated),
unless --member names another. Classifiers of openSMILE functionals give posteriors of the whole recording. A run that
rates valence and activation gives those of their five points, with the rating to be expected, for evenly spaced crops.
One that reads transcripts says how much attention sound and words got, and which words its decision rests on.

A file that cannot be judged is said, and a row of the table, and the others go on; the status is 2 then. The same
command goes on with a table where it was. docs/prediction.md says what the columns are.
"""

import functools
import os
import statistics
import sys
from pathlib import Path

import numpy as np
from absl import flags

from sejax.audio.samples import RATE
from sejax.core.files import printable, write_text
from sejax.core.stores import path_of
from sejax.corpora.audio_files import audio_files, listed_files
from sejax.corpora.live import microphone, pcm
from sejax.corpora.waveform import BadRecording, decode, inspect
from sejax.data.text import read_table
from sejax.engine import hosts
from sejax.engine.command import progress_bar
from sejax.engine.compiling import Compiling
from sejax.engine.joining import define_flags
from sejax.engine.run import use_compilation_cache
from sejax.engine.workdir import read_claim
from sejax.errors import InputError
from sejax.experiments.bulk import Outcome, Recording, predict_recordings
from sejax.experiments.members import members_named
from sejax.experiments.prediction import Predictor
from sejax.experiments.prediction_lines import (
    block_line,
    header_line,
    lines_of,
    names_of,
    utterance_line,
    who_answers,
)
from sejax.experiments.prediction_parts import TableInParts, in_parts
from sejax.experiments.prediction_table import FORMATS, KINDS, Rows, Table, warnings_of
from sejax.experiments.stream import predict_stream

WORKDIR = flags.DEFINE_string("workdir", None, "a finished run's folder", required=True)
WAV = flags.DEFINE_multi_string(
    "wav", [], "an audio file, a folder of them, a pattern, a CSV as with --csv, or - (names on standard input)"
)
TEXT = flags.DEFINE_multi_string("text", [], "what is said in the audio files, one for each, in their order")
CSV = flags.DEFINE_string("csv", None, "a table of audio files and what is said: columns path and transcript")
FOLD = flags.DEFINE_multi_integer(
    "fold", [], "networks of these folds only (default: the mean of all)", lower_bound=-1
)
MEMBER = flags.DEFINE_multi_string("member", [], "NAME=VALUE: only members called so, such as seed=0 or model=resnet50")
TABLE = flags.DEFINE_string("output_table", None, f"write rows there: {', '.join(FORMATS)} (a folder)")
ROWS = flags.DEFINE_list("rows", [], f"rows of what in the table, of {', '.join(KINDS)} (default: utterance)")
BLOCKS = flags.DEFINE_boolean("blocks", False, "print every block (chunk, crop) too, and not the utterance alone")
PAD = flags.DEFINE_boolean("pad", False, "fill speech shorter than a block up with zeros, and do not refuse it")
FIGURES = flags.DEFINE_boolean("figures", False, "draw the posteriors of every file")
OUTPUT = flags.DEFINE_string("output", None, "folder for the figures (default: WORKDIR/predictions); implies --figures")
TOGETHER = flags.DEFINE_boolean(
    "together", False, "all files are of one speaker (corpus): for runs with normalise_by=speaker (corpus)"
)
STREAM = flags.DEFINE_boolean("stream", False, "judge blocks as they come: raw PCM, 16 bits, on standard input")
STREAM_RATE = flags.DEFINE_integer("stream_rate", RATE, "of raw PCM on standard input, in Hz")
STREAM_LEVEL = flags.DEFINE_string(
    "stream_level", "", "how loud the whole stream is (dBFS; LUFS with level=loudness), or running"
)
MICROPHONE = flags.DEFINE_string("microphone", None, "judge blocks from a microphone: its name, number or default")
define_flags()


TAKES = "audio files"


def main(argv):
    """Judge every file, or what is heard, and print, draw or write it down."""
    streamed = STREAM.value or MICROPHONE.value is not None
    files = [] if streamed else agreed_files([*WAV.value, *argv[1:]])
    if streamed and (WAV.value or argv[1:] or CSV.value or TABLE.value or FIGURES.value or OUTPUT.value):
        raise InputError("--stream and --microphone print blocks as they come; leave files, tables and figures out")
    if streamed and PAD.value:
        raise InputError("--pad fills up files; a stream is judged by whole blocks alone, leave it out")
    if BLOCKS.value and TABLE.value:
        raise InputError("--blocks is of what is printed; give --rows=utterance,block with --output_table")
    if not hosts.alone() and (not TABLE.value or TOGETHER.value):
        raise InputError(
            "several processes fill a table, each with its share of the files: give --output_table and leave "
            "--together out, or start one process"
        )
    if ROWS.value and not TABLE.value:
        raise InputError("--rows says what a table holds; give one with --output_table")
    for kind in ROWS.value:
        if kind not in KINDS:
            raise InputError(f"--rows={kind}: use {', '.join(KINDS)}, several with commas between them")
    only, workdir = wanted(), path_of(WORKDIR.value)
    use_compilation_cache(read_claim(workdir)["config"]["run"]["compilation_cache"])
    predict = Predictor(workdir, only=only, pad=PAD.value, together=TOGETHER.value)
    print(*who_answers(predict, text=any(given.text for given in files)), sep="\n", file=sys.stderr)
    if streamed:
        return listen(predict)
    if not predict.transcribed and not TEXT.value:  # what tables say is of no use
        files = list(dict.fromkeys(given._replace(text="") for given in files))
    return judge_in_table(predict, files) if TABLE.value else judge(predict, files)


def judge(predict: Predictor, files: list[Recording]) -> None:
    """Print and draw the posteriors of every file."""
    failed = 0
    for outcome in outcomes(predict, files, explain=True):
        file = outcome.recording.file
        for said in warnings_of(outcome):
            print(f"{printable(file)}: {said}", file=sys.stderr)
        if outcome.error is not None:
            if len(files) == 1:
                raise InputError(failure(outcome))
            failed += 1
            print(f"failed: {printable(failure(outcome))}", file=sys.stderr)
            continue
        print(printable(file), *lines_of(outcome.prediction, predict, blocks=BLOCKS.value), sep="\n")
        if drawing():
            draw(file, outcome, predict)
    if failed:
        raise InputError(f"{failed} of {len(files)} files failed; the lines that begin with failed: say why")


def judge_in_table(predict: Predictor, files: list[Recording]) -> None:
    """Write rows of every file that the table has not, and draw where that is asked for."""
    rows = Rows(
        ROWS.value or ["utterance"],
        classes=predict.classes,
        rated=predict.rated,
        members=predict.members,
        transcribed=predict.transcribed,
        run=f"{WORKDIR.value}: {names_of(predict.members)}",
    )
    path = Path(TABLE.value)
    if in_parts(path):
        table = TableInParts(path, rows, files)
        left, done = table.left, table.done
    else:
        table = Table(path, rows)
        left = [given for given in files if table.failure(*given) is None]
        done = len(files) - len(left)
    bar = progress_bar("predicting", len(left) + done, "files", done=done)
    with bar, Compiling(everywhere=True) as compiling:
        # Where files are normalised by each other, those that the table has are heard again.
        for outcome in outcomes(predict, files if predict.together and left else left, explain=drawing()):
            if table.failure(*outcome.recording) is not None:
                continue
            table.add(outcome)
            if outcome.prediction is not None and drawing():
                draw(outcome.recording.file, outcome, predict)
            bar.leave_out(compiling.seconds - bar.left_out)
            bar.update()
    table.close()
    print(f"table: {TABLE.value}; {done} of {len(files)} files were there", file=sys.stderr)
    hosts.by_first(lambda: refuse_failed(table, files))


def refuse_failed(table: Table | TableInParts, files: list[Recording]) -> None:
    """Raises InputError where files of a table failed."""
    failed = [given for given in files if table.failure(*given)]
    if failed:
        name, why = printable(failed[0].file), table.failure(*failed[0])
        said = why if why.startswith(f"{name}: ") else f"{name}: {why}"
        raise InputError(
            f"{len(failed)} of {len(files)} files failed, such as {said}; their rows in {TABLE.value} say why"
        )


def outcomes(predict: Predictor, files: list[Recording], *, explain: bool):
    """The outcome of each file."""

    def read(file):
        return decode(file, silence=predict.transcribed)

    def seconds(file):
        try:
            return inspect(file).seconds
        except InputError:  # which reading it says
            return 0.0

    how = {"rate": RATE, "seconds": seconds, "explain": explain, "waveforms": drawing()}
    return predict_recordings(predict, files, read, **how)


def failure(outcome: Outcome) -> str:
    """Which file failed, and why."""
    error = outcome.error
    return str(error) if isinstance(error, BadRecording) else f"{printable(outcome.recording.file)}: {error}"


def drawing() -> bool:
    """Whether figures are asked for."""
    return FIGURES.value or OUTPUT.value is not None


def given_files(names: list[str]) -> list[Recording]:
    """Audio files with their texts, "" where none is given, each once."""
    texts, tables = TEXT.value, [name for name in names if name.lower().endswith((".csv", ".tsv"))]
    tables += [CSV.value] if CSV.value else []
    names = [name for name in names if name not in tables]
    files = audio_files(name for name in names if name != "-")
    if "-" in names:
        files += listed_files(sys.stdin.buffer)
    if texts and len(texts) != len(files):
        raise InputError(f"{len(texts)} --text for {len(files)} audio files; give one for each, or a table with --csv")
    found = list(map(Recording, files, texts or [""] * len(files)))
    found += [Recording(*row) for table in tables for row in read_table(table)]
    if not found:
        raise InputError("no audio given; pass --wav=FILE")
    return list(dict.fromkeys(found))


def agreed_files(names: list[str]) -> list[Recording]:
    """`given_files` as the first of several processes finds them."""
    found = hosts.by_first(lambda: [(str(given.file), given.text) for given in given_files(names)])
    return [Recording(Path(file), text) for file, text in found]


def wanted():
    """What the members are to be called, from --member and --fold: {name: values}."""
    return members_named([*(f"fold={fold}" for fold in FOLD.value), *MEMBER.value], flag="member")


def listen(predict: Predictor) -> None:
    """Print each block of a stream as it comes, and the mean of all at its end."""
    if MICROPHONE.value is not None:
        samples = microphone(MICROPHONE.value)
    else:
        samples = pcm(sys.stdin.fileno(), rate=STREAM_RATE.value)
    blocks = []
    print(header_line("stream", predict.classes) + "   latency", flush=True)
    for heard in predict_stream(predict, samples, level=STREAM_LEVEL.value):
        blocks.append(heard)
        line = block_line(heard.start, heard.end, heard.posteriors, predict.classes)
        print(f"{line}{1000 * heard.latency:7.0f} ms", flush=True)
    mean = np.mean([heard.posteriors for heard in blocks], axis=0)
    print(f"{utterance_line(mean, predict.classes)}  -> {predict.classes[mean.argmax()]}")
    latencies = [1000 * heard.latency for heard in blocks]
    median, longest = statistics.median(latencies), max(latencies)
    print(f"latency: median {median:.0f} ms, longest {longest:.0f} ms of {len(blocks)} blocks", file=sys.stderr)


def draw(file: Path, outcome: Outcome, predict: Predictor) -> None:
    """Posteriors over the waveform and its spectrogram, as SVG; of the first dimension where several are rated.

    Where transcripts are read: each piece of the recording with what its decision rests on. The figure's name is the
    file's whole path, below the folder for figures: files of one name in two folders have two figures.
    """
    from sejax.report.sound import posteriors_over_time  # here, since without figures none of it is needed
    from sejax.report.utterance import explained

    prediction, waveform = outcome.prediction, outcome.waveform
    whole = Path(os.path.abspath(file))  # without ..
    folder = path_of(OUTPUT.value) if OUTPUT.value else path_of(WORKDIR.value) / "predictions"
    place = folder.joinpath(*map(printable, whole.parts[1:]))
    for number, piece in enumerate(prediction.pieces):
        name = place.name + (f"-{number + 1}" if len(prediction.pieces) > 1 else "")
        keep(place.with_name(f"{name}.svg"), explained(piece | {"id": name}, predict.classes))
    if prediction.pieces or predict.classes == ("rating",):  # which are no shares of anything
        return
    figure = posteriors_over_time(
        waveform,
        RATE,
        spectrogram_of(waveform, predict.settings.spectrogram),
        np.stack([prediction.start, prediction.end], axis=1),
        prediction.posteriors[:, 0] if predict.rated else prediction.posteriors,
        predict.classes,
        prediction.utterance[0] if predict.rated else prediction.utterance,
        title=printable(file.name),
    )
    keep(place.with_name(f"{place.name}.svg"), figure)


def spectrogram_of(waveform: np.ndarray, settings) -> np.ndarray:
    """Decibels [bands, frames] of a whole waveform, of which zeros make few lengths: few compilations."""
    padded = np.zeros(max(1 << 16, 1 << (len(waveform) - 1).bit_length()), np.float32)
    padded[: len(waveform)] = waveform / np.float32(32768)
    return np.asarray(compiled(settings)(padded))[:, : settings.frames(len(waveform))]


@functools.cache
def compiled(settings):
    """A spectrogram's program."""
    import jax

    from sejax.audio.spectrogram import spectrogram

    return jax.jit(lambda waveform: spectrogram(waveform, settings, fmax=RATE / 2))


def keep(path: Path, figure: str) -> None:
    """Write a figure and say where."""
    write_text(path, figure)
    print(f"  figure: {path}", file=sys.stderr)
