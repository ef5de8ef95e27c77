"""Tables 4 and 5 as this project has them: every fusion beside the paper's, what each modality adds, many runs."""

from sejax.report import published
from sejax.report.audio_text import METRICS, chance, fusions, over_chance, pairs, run_title, vectors_text, verdict
from sejax.report.grouping import grouped
from sejax.report.paired import above, by_member, differences, score
from sejax.report.published import audio_text as paper
from sejax.report.results import spread
from sejax.report.tables import Strong, Table, mean_std, number, signed
from sejax.report.terms import MISSING, failure, joined, protocol_notes, setting, with_vectors

RUN_FIELDS = ("corpus", "protocol", "vectors")
OVER = "mean ± sample standard deviation over folds and seeds"
STRONG_NOTE = "Bold (* in plain text): the best mean of a column."
SHARE_NOTE = (
    "Attention: mean share of audio / of text over the test utterances (and dimensions, where each has a share of its "
    "own); deviation: that of audio's share over the test utterances. Chance: always the most frequent class for "
    "accuracy, 1 / C for UAR."
)
VERDICT_NOTE = (
    "Over chance: UAR minus 1 / C. Above chance: all of the mean's 95 % confidence interval (Student's t over folds "
    "and seeds, which share training utterances: a rule of thumb). A modality not above chance is not shown to be "
    "informative on this corpus."
)
PAIR_NOTE = (
    "Pairs have fold and seed in common; 'above' counts those in which the fusion is above the modality alone. A "
    "modality adds nothing where the difference is around zero."
)


def fusion_table(results):
    """Table 4: accuracy, UAR and attention of every fusion beside the paper's; n members are behind the means."""
    start = "fusion", "n"
    rows = tuple((one.label, _count(one), *cells) for one, cells in _score_rows(results))
    rows += _chance_rows(results, len(rows[0]) - 2 if rows else 0)
    columns = (*start, *_score_columns([results]))
    notes = STRONG_NOTE, SHARE_NOTE, *_notes([results])
    return Table(f"Test part. {run_title(results)}; {OVER}", columns, rows, notes)


def _notes(runs):
    return published.note(runs[0]), paper.CLASSES_NOTE, *protocol_notes(runs)


def _score_columns(runs):
    columns = [*METRICS.values(), "attention", "deviation", "Table 4", "its attention"]
    columns += ["Table 5", "its attention"] if any(map(with_vectors, runs)) else []
    return columns


def _score_rows(results, *, pretrained=None):
    """[(Fusion, cells of `_score_columns`)] of a run; `pretrained`: whether to show Table 5 (default: as the run)."""
    found, best = fusions(results), {}
    for metric in METRICS:
        means = [score(one, f"test/{metric}")["mean"] for one in found if score(one, f"test/{metric}")]
        best[metric] = max(means) if len(means) > 1 else None
    tables = (False, True) if (with_vectors(results) if pretrained is None else pretrained) else (False,)
    rows = []
    for one in found:
        cells = []
        for metric in METRICS:
            entry = score(one, f"test/{metric}")
            cells.append(Strong(mean_std(entry)) if entry and entry["mean"] == best[metric] else mean_std(entry))
        shares = [score(one, f"test/attention_{name}") for name in ("audio", "text", "deviation")]
        audio, text, deviation = (entry and entry["mean"] for entry in shares)
        cells += [_two(audio, text), number(deviation)]
        for vectors in tables:
            theirs = {} if one.alone and vectors else paper.published(one.name, vectors=vectors)
            cells.append(number(theirs.get("test/accuracy")))
            cells.append(_two(theirs.get("test/attention_audio"), theirs.get("test/attention_text")))
        rows.append((one, cells))
    return rows


def _two(audio, text):
    return MISSING if audio is None or text is None else f"{number(audio)} / {number(text)}"


def _chance_rows(results, width):
    """The row of answering without audio and text, () where chance is not known."""
    found = [chance(results, metric) for metric in METRICS]
    if not width or found == [None, None]:
        return ()
    cells = [number(value) for value in found]
    return (("chance", MISSING, *cells, *[MISSING] * (width - len(cells))),)


def _count(one):
    """How many members a row's means stand on: `15`, or `14 of 15` where one failed."""
    kept = len(by_member(one, "test/uar"))
    return str(kept) if kept == len(one.members) else f"{kept} of {len(one.members)}"


def informative_table(results):
    """What each modality is worth alone, and the fusions: UAR over chance, in how many members, and a verdict."""
    rows = []
    for one in sorted(fusions(results), key=lambda one: not one.alone):
        found = list(over_chance(results, one).values())
        if found:
            told = signed(mean_std(spread(found))), above(found), verdict(results, one) or "one member only"
            rows.append((one.label, mean_std(score(one, "test/uar")), *told))
    caption = f"What audio and text are worth: UAR on the test part beside chance. {run_title(results)}; {OVER}"
    columns = ("", "UAR", "over chance", "above chance in", "so it is")
    return Table(caption, columns, tuple(rows), (VERDICT_NOTE,))


def difference_table(results):
    """What text adds to audio and audio to text: fusions minus one modality, by fold and seed."""
    rows = []
    for ours, base in pairs(results):
        cells = []
        for metric in METRICS:
            found = list(differences(ours, base, f"test/{metric}").values())
            cells += [signed(mean_std(spread(found))), above(found) if found else MISSING]
        rows.append((f"{ours.label} − {base.label.lower()}", *cells))
    columns = ["difference"]
    for name in METRICS.values():
        columns += [name, "above"]
    caption = f"Test part: paired differences of a fusion and one modality. {run_title(results)}; {OVER}"
    return Table(caption, tuple(columns), tuple(rows), (PAIR_NOTE,))


def validation_table(results):
    """Every fusion on the validation part in the epoch whose weights it keeps."""
    found = fusions(results)
    shown = [metric for metric in METRICS if any(score(one, f"valid/{metric}") for one in found)]
    rows = tuple((one.label, *(mean_std(score(one, f"valid/{metric}")) for metric in shown)) for one in found)
    note = "Where the epoch was chosen by the validation part these figures are too good."
    caption = f"Validation part. {run_title(results)}; {OVER}"
    return Table(caption, ("fusion", *(METRICS[metric] for metric in shown)), rows if shown else (), (note,))


def fold_table(results):
    """UAR on the test part of every fold and fusion, means over the seeds."""
    found, rows = fusions(results), []
    for fold in sorted({member.get("fold", 0) for member in results["members"]}):
        values = [[value for (at, _), value in by_member(one, "test/uar").items() if at == fold] for one in found]
        rows.append((f"fold {fold}", *(mean_std(spread(each)) for each in values)))
    caption = f"UAR by fold, test part; mean ± sample standard deviation over the seeds. {run_title(results)}"
    return Table(caption, ("", *(one.label for one in found)), tuple(rows))


def member_table(results):
    """One row for each member: what became of it, its epochs, and its scores."""
    metrics = {"test/accuracy": "accuracy", "test/uar": "UAR", "test/macro_f1": "macro-F1"}
    metrics |= {"test/attention_audio": "attention to audio", "test/attention_deviation": "deviation"}
    metrics |= {"valid/accuracy": "validation accuracy", "valid/uar": "validation UAR"}
    rows = []
    for member in results["members"]:
        epochs = [number(member.get(name), 0) for name in ("epochs", "best_epoch")]
        cells = [number((member.get("metrics") or {}).get(name)) for name in metrics]
        name = paper.NAMES.get(member.get("fusion"), str(member.get("fusion", MISSING)))
        where = f"fold {member.get('fold')}, seed {member.get('seed')}"
        rows.append((name, where, failure(member) or "finished", *epochs, *cells))
    columns = ("fusion", "fold and seed", "status", "epochs", "kept", *metrics.values())
    return Table(f"Every member, test part unless said. {run_title(results)}", columns, tuple(rows), stubs=3)


def run_comparison(runs, *, group_by=()):
    """Tables of many runs, one for each value of the fields `group_by` (RUN_FIELDS): a row for each run and fusion."""
    told = [{**run, "vectors": vectors_text(run) if with_vectors(run) else None} for run in runs]
    return [_comparison_table(group) for group in grouped(told, group_by, RUN_FIELDS)]


def _comparison_table(runs):
    rows, any_vectors = [], any(map(with_vectors, runs))
    for place, run in enumerate(runs, 1):
        start = str(run.get("run", place)), joined(setting(run, "corpus", MISSING))
        start += (str(setting(run, "protocol", MISSING)), vectors_text(run))
        mine = [(one.label, _count(one), *cells) for one, cells in _score_rows(run, pretrained=any_vectors)]
        told = [verdict(run, one) or MISSING for one in fusions(run)] + [MISSING]
        mine += _chance_rows(run, len(mine[0]) - 2 if mine else 0)
        rows += [(*start, *row, word) for row, word in zip(mine, told, strict=False)]
    columns = ("run", "corpus", "protocol", "embeddings", "fusion", "n", *_score_columns(runs), "UAR is")
    notes = (STRONG_NOTE.replace("a column", "a run's column"), SHARE_NOTE, VERDICT_NOTE, *_notes(runs))
    return Table(f"Test part; {OVER} of each run", columns, tuple(rows), notes, stubs=5)
