"""What a prepared set holds, in a few lines for the person who made it."""

import csv
import json
from collections import Counter
from pathlib import Path

from sejax.corpora.builder import LEFT_OUT

_NAMED = 10  # utterances without a block that are named; utterances.csv has them all


def describe(folder: str | Path) -> str:
    """Utterances, speakers, labels, seconds; of spectrograms also what was kept, blocks, and images beside the paper's
    count; of vectors the features; of utterance spectrograms the ratings and word times; of waveforms
    transcripts and words.
    """
    folder = Path(folder)
    about = json.loads((folder / "settings.json").read_text())
    index = json.loads((folder / "index.json").read_text())
    counts = about["counts"]
    sexes = Counter(sex or "sex unknown" for sex in index["sex"])
    labels = [f"{name} {number}" for name, number in counts["labels"].items()]
    labels += [f"unlabelled {counts['unlabelled']}"] if counts["unlabelled"] else []
    lines = [
        f"corpus      {about['corpus']}",
        f"utterances  {counts['utterances']}",
        f"speakers    {counts['speakers']} ({', '.join(f'{n} {sex}' for sex, n in sorted(sexes.items()))})",
        f"labels      {', '.join(labels)}",
        *_content(about),
    ]
    lines += [f"note        {note}" for note in about["notes"]]
    if (folder / LEFT_OUT).is_file():
        lines.append(f"left out    {_rows(folder / LEFT_OUT)} inputs, listed in {folder / LEFT_OUT}")
    return "\n".join([*lines, f"set         {folder}"])


def _content(about: dict) -> list[str]:
    """The lines that depend on the kind of set."""
    if "features" in about["counts"]:
        return _vectors(about)
    if "samples" in about["counts"]:
        return _waveforms(about["counts"])
    return _utterances(about) if "frames" in about["counts"] else _spectrograms(about["counts"])


def _waveforms(counts: dict) -> list[str]:
    return [
        f"audio       {counts['seconds']:.1f} s",
        f"transcripts {counts['transcripts']} utterances, {counts['words']} words",
        f"word times  {counts['timed']} utterances, {counts['timed_words']} words",
    ]


def _utterances(about: dict) -> list[str]:
    counts, spans = about["counts"], about["counts"]["spans"]
    ranges = [f"{name} {low:.4g} to {high:.4g}" for name, (low, high) in _rated(counts["ranges"])]
    return [
        f"audio       {counts['seconds']:.1f} s",
        f"frames      {counts['frames']} of {about['settings']['bands']} bands, {about['settings']['scale']}",
        f"rated       {counts['rated']} utterances{': ' if ranges else ''}{', '.join(ranges)}",
        f"word times  {spans['words']} utterances, {counts['words']} words; voiced stretches instead for"
        f" {spans['voiced']}, the whole of {spans['whole']}",
    ]


def _rated(ranges: dict) -> list[tuple[str, list[float]]]:
    """The dimensions that have ratings."""
    return [(name, values) for name, values in ranges.items() if values]


def _vectors(about: dict) -> list[str]:
    settings = about["settings"]
    return [
        f"audio       {about['counts']['seconds']:.1f} s",
        f"features    {about['counts']['features']} ({settings['features']}, opensmile {settings['opensmile']})",
    ]


def _spectrograms(counts: dict) -> list[str]:
    kept = counts["seconds_kept"] / counts["seconds"]
    return [
        f"audio       {counts['seconds']:.1f} s, kept {counts['seconds_kept']:.1f} s ({kept:.1%})",
        f"blocks      {counts['blocks']}",
        f"images      {counts['images']}{_published(counts)}",
        f"no block    {_without_block(counts['without_block'])}",
    ]


def _published(counts: dict) -> str:
    if not counts["published_images"]:
        return ""
    share = counts["images"] / counts["published_images"] - 1
    return f" (the paper's Table 1: {counts['published_images']}, {share:+.1%})"


def _without_block(names: list[str]) -> str:
    if not names:
        return "0 utterances"
    more = f" and {len(names) - _NAMED} more in utterances.csv" if len(names) > _NAMED else ""
    return f"{len(names)} utterances: {', '.join(names[:_NAMED])}{more}"


def _rows(path: Path) -> int:
    with open(path, encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.reader(file)) - 1
