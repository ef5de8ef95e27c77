"""The words of tables and figures: what a run's settings, protocols, metrics, parts and members are called."""

from sejax.core.results import REPEATS, field_value, is_finite, label, name_of
from sejax.report import Report

MISSING = "–"
PROTOCOLS = {
    "speaker": "no speaker occurs in two parts of a fold (sessions where a corpus has them)",
    "session": "a session of two speakers is left out: one validates, the other tests",
    "utterance": "chunks of one utterance never fall in two parts; its speaker may occur in all of them",
    "chunk": "chunks are split at random, so chunks of one utterance leak into the validation and the test part",
    "block": "speakers are mixed; the near-copies of one block (its maximum frequencies) stay together",
    "split": "the corpus's own training, development and test parts, or its official folds",
    "image": "images are split at random, so speakers and near-copies of a block leak into the test part",
    "within": "trained and tested on one corpus, a group of sessions or speakers left out at a time",
    "cross": "trained on one corpus, tested on 70 % of another; its other 30 %, stratified, are for development",
    "cross_corpus": "trained on one corpus or several and tested on all of others; some speakers of those that train "
    "validate, and nothing of the tested corpora has a say in training",
    "cross_corpus_mixed": "trained on one corpus or several and tested on all of others; what validates is of those "
    "that train, whose speakers may occur in both parts",
    "leak_free": "generators, classifiers and their normalisation are fitted on the training part of each fold",
    "as_published": "generators see every session, and each set is normalised with its own statistics",
}
METRICS = {"macro_f1": "macro-F1", "uar": "UAR", "accuracy": "accuracy", "ccc": "CCC", "loss": "loss"}
PARTS = {"train": "training", "valid": "validation"}


def setting(results, field, default=None):
    """A config field of a run; the top level of results.json has the last word (corpus, protocol)."""
    return results.get(field, results["config"].get(field, default))


def corpora(results, default=MISSING):
    """What a run is about: `emodb`, `emodb+nemo`, or `emodb to nemo` where all of another corpus is tested."""
    name, other = joined(setting(results, "corpus", default)), results.get("test_corpus")
    return f"{name} to {other}" if other and other != name else name


def shown(results, field, default=None):
    """A `setting` as tables name it: of the corpus `corpora`."""
    value = setting(results, field, default)
    return corpora(results) if field == "corpus" and value not in (None, default) else value


# Entries of results.json's "data" that need another name than their key's words.
FACTS = {
    "corpora": "corpora",
    "points": "utterances at each of the five points",
    "parts": "examples in each part, by fold",
    "settings": "settings of the prepared set",
    "schedules": "schedule",
    "near_copies_in_training": "share of test images with near-copies in training",
    "test_images": "test images, by fold",
    "published_images": "images of the paper",
    "class_mapping": "classes of the corpus",
    "left_out": "utterances of other labels, left out",
    "with_word_times": "utterances with word times",
    "frame_ms": "frame of the detector in ms",
    "fmax": "maximum frequency in Hz",
    "window_length": "window in s",
    "window_hop": "hop in s",
    "block_length": "block in s",
    "block_overlap": "overlap in s",
}
# What recordings of a corpus are like, between which values 98 % of them lie.
RECORDINGS = {
    "level": "level of 98 % of the recordings in dBFS",
    "peak": "peak of 98 % of them in dBFS",
    "offset": "offset of 98 % of them, of full scale",
    "floor": "noise floor of 98 % of them in dB, relative to the level",
    "bandwidth": "bandwidth of 98 % of them in Hz",
    "clipped": "share of clipped samples of 98 % of them",
}


def fact(name):
    """What an entry of the data is called."""
    return FACTS.get(name, name.replace("_", " "))


def criterion(results):
    """The validation figure that chose a member's epoch, in words: `unweighted accuracy (UAR)`, `accuracy`."""
    name = setting(results, "criterion", "accuracy")
    return {"uar": "unweighted accuracy (UAR)"}.get(name, METRICS.get(name, name))


def validated_by(results, report: Report):
    """The validation figures that may choose among what a run compared, as in `valid/uar`: its own criterion first.

    The others are for runs that lack it.
    """
    own = setting(results, "criterion", report.criterion)
    return tuple(dict.fromkeys((f"valid/{own}", "valid/accuracy", "valid/uar")))


def protocol_notes(runs, report: Report):
    """A note for each protocol that runs of an experiment followed, in the runs' order."""
    known = {**PROTOCOLS, **report.protocols}
    names = dict.fromkeys(str(setting(run, "protocol")) for run in runs)
    notes = [f"Protocol {name}: {known[name]}." for name in names if name in known]
    wholly = dict.fromkeys(run["transductive"] for run in runs if run.get("transductive"))
    return (*notes, *(f"Transductive: {how}." for how in wholly))


def split_warnings(results):
    """What is wrong with a corpus's own folds, a text for each thing: speakers or recordings in two parts of a fold."""
    folds = (results.get("data") or {}).get("splits") or []
    shared = [one for one in folds if one["shared_speakers"]]
    said = []
    if shared:
        worst = max(shared, key=lambda one: len(one["shared_speakers"]))
        names = worst["shared_speakers"]
        some = ", ".join(names[:MOST_NAMES]) + f" and {len(names) - MOST_NAMES} more" * (len(names) > MOST_NAMES)
        said.append(
            f"{len(shared)} of {len(folds)} official folds ({_names(shared)}) test speakers that they also train or "
            f"validate on (in {worst['fold']}: {some}): the figures are not those of unseen speakers."
        )
    if copies := [one for one in folds if one["shared_recordings"]]:
        number = max(one["shared_recordings"] for one in copies)
        said.append(
            f"Official folds ({_names(copies)}) test up to {number} recordings whose samples they also train on."
        )
    if unknown := [one for one in folds if one["unknown_speakers"]]:
        said.append(
            f"Official folds ({_names(unknown)}) test utterances of unknown speakers: nothing says whether they train "
            "on the same ones."
        )
    return tuple(said)


MOST_NAMES = 10  # of a list that a warning names


def _names(folds):
    names = [one["fold"] for one in folds]
    return ", ".join(names[:MOST_NAMES]) + " and others" * (len(names) > MOST_NAMES)


def split_notes(results):
    """How many examples the parts of a corpus's own folds have, in one note; none for other folds."""
    folds = (results.get("data") or {}).get("splits") or []
    each = [f"{one['fold']} {one['train']}, {one['valid']} and {one['test']}" for one in folds]
    some = "; ".join(each[:MOST_NAMES]) + "; and others" * (len(each) > MOST_NAMES)
    return (f"Examples that train, validate and test: {some}.",) if folds else ()


def joined(value):
    """One name, or several as `unlabelled+nemo`; `none` for an empty list."""
    return ("+".join(map(str, value)) or "none") if isinstance(value, list | tuple) else str(value)


def detector(value):
    """A detector of voice activity as a config or a set names it: `mode 0` of WebRTC's, `silero`, `none`."""
    return f"mode {value}" if str(value).isdigit() else str(value)


def heard(found):
    """What a detector found in the data: `mode 0 kept 93 % of 1487 s`.

    `found` has "detector", "seconds", and what it "kept" of them or in how many it found "speech"; "whole" counts the
    recordings that it found none in.
    """
    verb, part = ("kept", found["kept"]) if "kept" in found else ("found speech in", found["speech"])
    share = 100 * part / found["seconds"] if found["seconds"] else 0.0
    text = f"{detector(found['detector'])} {verb} {share:.3g} % of {found['seconds']:.0f} s"
    whole = found.get("whole")
    return text + (f"; {whole} recording{'s' * (whole > 1)} without speech kept whole" if whole else "")


def levels(results):
    """What one prediction of each test part is for: the run's field "unit" (block, chunk), and the utterance."""
    return {"test": setting(results, "unit", "block"), "test_utterance": "utterance"}


def title(metric, units):
    """A metric's key as a column's name: `training loss`, `macro-F1, block`. `units` are a run's `levels`."""
    part, _, name = metric.rpartition("/")
    name = METRICS.get(name, name)
    if part in units:
        return f"{name}, {units[part]}"
    return f"{PARTS.get(part, part)} {name}".strip()


def members_text(members):
    """How many members a summary stands on: `5 members`, or `4 of 5 members (1 failed)`."""
    failed = sum(bool(member.get("failed")) for member in members)
    noun = "member" if len(members) == 1 else "members"
    return f"{len(members) - failed} of {len(members)} {noun} ({failed} failed)" if failed else f"{len(members)} {noun}"


def count_text(members):
    """The same in a cell of a table: `5`, or `5 (1 failed)`."""
    failed = sum(bool(member.get("failed")) for member in members)
    return f"{len(members)}" + (f" ({failed} failed)" if failed else "")


def who(member, labels=None):
    """A member in words: `Fold 2, seed 0`, or `resnet50 at 0.0001, seed 0`; `labels` are what its values are called."""
    repeats = [f"{field} {field_value(member[field])}" for field in REPEATS if is_finite(member.get(field))]
    name = {field: (labels or {}).get(value, value) for field, value in name_of(member).items()}
    text = ", ".join([label(name)] * bool(name) + repeats) or "a member"
    return text if name else text[0].upper() + text[1:]


def failure(member):
    """`failed at step 120: loss is NaN` for a member that failed, else ""."""
    failed = member.get("failed")
    if not failed:
        return ""
    if not isinstance(failed, dict):
        return f"failed: {failed}"
    return f"failed at step {failed.get('step', MISSING)}: {failed.get('reason', 'no reason recorded')}"


def where(member):
    """`fold 2, seed 0`."""
    return f"fold {member.get('fold')}, seed {member.get('seed')}"


def run_name(run, place):
    """What a run among many is called: its field "run" (the folder's name), else its place."""
    return str(run.get("run", place))
