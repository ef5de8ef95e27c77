"""What stands in a model's file for people: the model card, and the terms of what the model was made of. Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sejax import pretrained
from sejax.audio.opensmile import FEATURE_SETS
from sejax.core.results import field_value, label, name_of, summarise
from sejax.errors import InputError
from sejax.experiments.licences import LICENCES, UNKNOWN
from sejax.report.terms import PROTOCOLS, corpora, detector, split_warnings

_HEARS = {
    "blocks": "spectrograms of blocks of what is voiced",
    "crops": "evenly spaced crops of one spectrogram",
    "functionals": "one vector of openSMILE functionals of the whole recording",
    "transcribed": "pieces of the waveform, with the words of the transcript",
}
_RANGES = {
    "level": ("root mean square", "dBFS", 1.0),
    "peak": ("largest sample", "dBFS", 1.0),
    "offset": ("mean", "% of full scale", 100.0),
    "floor": ("quietest tenth of the frames, from the level", "dB", 1.0),
    "bandwidth": ("bandwidth", "Hz", 1.0),
    "clipped": ("clipped samples", "%", 100.0),
}


def card(
    results: Mapping[str, Any], settings: Mapping[str, Any], members: Sequence[Mapping[str, Any]], notes: str
) -> str:
    """The model card.

    Args:
      results: of the run. settings: of the file's settings.json. members: those exported, as in results.json.
      notes: from `licence_notes`.
    """
    named = [name for names in settings["members"] for name in names]
    told = label(name_of(members[0])) if len({label(name_of(member)) for member in members}) == 1 else ""
    parts = [
        f"# {results['experiment']}{f', {told}' if told else ''}: speech emotion, {corpora(results, '?')}",
        _use(settings),
        f"## What it answers\n\n{_answers(settings, results.get('data', {}))}",
        f"## What it hears\n\n{_heard(settings)}",
        f"## What it was trained on, and what it reached\n\n{_trained(results, members, named)}",
        f"## What it was not tested for\n\n{_LIMITS}",
        notes.replace("# Licences", "## Licences", 1),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


_LIMITS = """The figures are of the corpus above and of no other voice, language, room or microphone.
`model.warnings(waveform, rate)` says where a recording lies outside of what the training's recordings were like; it
cannot say more. A posterior is a share among the classes above: there is none for anything else. Recordings of the
training corpus were seen in training by all members but those whose fold tests them."""


def _use(settings: Mapping[str, Any]) -> str:
    text = ', text="what is said"' if settings["hears"] == "transcribed" else ""
    return (
        "```python\nimport sejax\n\n"
        'model = sejax.load("FILE.sejax")\n'
        f"result = model(waveform, rate{text})      # result.posteriors of blocks, result.utterance, model.classes\n```"
    )


def _answers(settings: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    if rated := settings["rated"]:
        told = {("rating",): "a number on the scale of the corpus's ratings"}
        return "\n".join(f"- {name}: {told.get(tuple(points), ', '.join(points))}" for name, points in rated.items())
    mapping, left_out = (data.get(name, {}) for name in ("class_mapping", "left_out"))
    labels = {name: f" ({mapping[name]})" for name in settings["classes"] if mapping.get(name, name) != name}
    named = [name + labels.get(name, "") for name in settings["classes"]]
    told = f"One of {len(named)} classes: {', '.join(named)}."
    gone = ", ".join(f"{name} ({count} utterances)" for name, count in left_out.items())
    return told + (f" Left out of training and tests, by the corpus's labels: {gone}." if gone else "")


def _heard(settings: Mapping[str, Any]) -> str:
    prepared = settings["prepared"]
    said = [f"{settings['rate']} Hz, one channel (other rates are resampled); {_HEARS[settings['hears']]}."]
    said.append(f"Recordings are brought to the level `{settings['level']}` first.")
    if settings["hears"] == "blocks":
        mode = prepared["voice_activity"]
        said.append(f"Voice activity: {'none' if mode is None else detector(mode)}.")
    shown = {name: value for name, value in prepared.items() if name not in ("level", "rate")}
    lines = [" ".join(said), *([_table(("setting", "value"), shown.items())] if shown else [])]
    if settings["hears"] == "transcribed":
        count = len(settings["pieces"]["types"])
        lines.append(f"The file holds the {count} words of the corpus's transcripts.")
    if settings["ranges"]:
        rows = [
            (_RANGES[name][0], f"{low * _RANGES[name][2]:.4g} to {high * _RANGES[name][2]:.4g} {_RANGES[name][1]}")
            for name, (low, high) in settings["ranges"].items()
            if name in _RANGES
        ]
        lines.append("All but the outermost hundredths of the training's recordings, as they were before:")
        lines.append(_table(("recordings", "range"), rows))
    return "\n\n".join(lines)


def _trained(results: Mapping[str, Any], members: Sequence[Mapping[str, Any]], named: Sequence[Mapping]) -> str:
    protocol = str(results.get("protocol", ""))
    lines = [f"Corpus: {results.get('corpus', '?')}. Protocol: {protocol or '?'}"]
    if (other := results.get("test_corpus")) and other != results.get("corpus"):
        lines[0] = f"Trained on {results.get('corpus', '?')}, tested on {other}. Protocol: {protocol or '?'}"
    lines[0] += f" ({PROTOCOLS[protocol]})." if protocol in PROTOCOLS else "."
    lines += split_warnings(results)
    if results.get("ratings") == "derived":
        lines.append("Nobody rated this speech: ratings were derived from emotions.")
    rows = [" ".join(f"{key} {field_value(value)}" for key, value in name.items()) for name in named]
    lines.append(f"{len(named)} member{'s' * (len(named) > 1)} ({'; '.join(rows[:20])}{' ...' * (len(rows) > 20)}).")
    if len(named) > 1:
        lines[-1] += " The model answers with the mean of theirs; the figures are of each alone, on its own test part."
    paper = {name: value for variant in results.get("variants", ()) for name, value in _paper(variant, members)}
    figures = {name: figure for name, figure in summarise(members).items() if name.startswith("test")}
    rows = [
        (name, f"{found['mean']:.3f}" + f" ± {found['std']:.3f}" * (found["n"] > 1), f"{paper.get(name, '–')}")
        for name, found in figures.items()
    ]
    if paper:
        lines.append("The paper's figures were measured under its own protocol.")
    return "\n\n".join([*lines, _table(("figure", "mean ± standard deviation over members", "paper"), rows)])


def _paper(variant: Mapping[str, Any], members: Sequence[Mapping[str, Any]]) -> Iterable[tuple[str, float]]:
    """The paper's figures of a variant, where all members are of it."""
    mine = all(name_of(member) == variant["name"] for member in members)
    return [(name, value) for name, value in variant["paper"].items() if isinstance(value, int | float)] if mine else ()


def licence_notes(results: Mapping[str, Any], settings: Mapping[str, Any], configs: Iterable) -> str:
    """Under what terms corpora, weights and packages are that the model was made of.

    Args:
      results: of the run. settings: of the file's settings.json. configs: of the variants that are exported.
    """
    corpora = [results.get("corpus", ""), results.get("test_corpus", ""), *results.get("unlabelled", ())]
    corpora = dict.fromkeys(name for names in corpora for name in str(names).split("+") if name)
    rows = [(f"corpus {name}", LICENCES.get(name, UNKNOWN)) for name in corpora]
    rows += dict.fromkeys(row for config in configs for row in _weights(config))
    prepared = settings["prepared"]
    if prepared.get("features") in FEATURE_SETS:
        rows.append((f"openSMILE {prepared.get('opensmile', '')}, which it hears with", LICENCES["opensmile"]))
    if "silero" in (prepared.get("voice_activity"), prepared.get("trim")):
        rows.append(("Silero's detector, which it hears with", LICENCES["silero"]))
    return (
        "# Licences\n\nWhoever passes this file on, or uses it, is bound by the terms of what it was made of:\n\n"
        + _table(("made of", "terms"), rows)
        + "\n"
    )


_ENCODER_TERMS = "those that its weights were published under; third_party/ has them of the usual ones"


def _weights(config) -> list[tuple[str, str]]:
    """Where a variant's network began, and its word vectors."""
    given, found = config.get("model_weights", config.get("weights", "")), []
    if isinstance(given, str) and given not in ("", "random", "auto"):
        try:
            about = pretrained.describe(given)
        except InputError:  # they have gone since
            found.append(("pre-trained weights", UNKNOWN))
        else:
            source = about["source"]
            told = f"{about['model']}'s ImageNet weights, {source} (sha256 {about['sha256']})"
            found.append((told, LICENCES.get(source, UNKNOWN)))
    sound = config.get("sound", "")
    if sound.startswith("encoder:") and config.get("fusion") != "text":
        told = f"speech encoder {sound.split(':')[1]}"
        found.append((told, "of random weights: none" if config.encoder.weights == "random" else _ENCODER_TERMS))
    if vectors := config.get("vectors", ""):
        found.append((f"word vectors {str(vectors).rpartition('/')[2]}", UNKNOWN))
    return found


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    cells = ([str(cell).replace("|", "/").replace("\n", " ") for cell in row] for row in lines)
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)
