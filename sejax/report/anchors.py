"""What simple systems reach on a run's own folds: guessing, levels alone, openSMILE's functionals with a linear SVM."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sejax.errors import typed
from sejax.report import Results
from sejax.report.tables import Table, mean_std, number
from sejax.report.terms import MISSING, corpora, run_name, setting

LEVELS = "levels alone"
OPENSMILE = "openSMILE + linear SVM"
FEW = 0.005  # a smaller share of tested utterances that train too is not worth a word


class Anchor(NamedTuple):
    """A system, the rated dimension ("": classes), its score as a summary has it, and how it came about, in words.

    ``figure``: what the score is, UAR, or CCC where ratings are numbers.
    """

    system: str
    dimension: str
    figure: str
    score: Mapping[str, Any]
    how: str


def anchors_of(results: Results) -> Iterator[Anchor]:
    """Those that a run has, but for guessing."""
    yield from _anchors_in(results.get("data") or {})


def by_corpus(results: Results) -> str:
    """A line of what they reach on each of several corpora; "" where one is tested, or a run has none."""
    each = (results.get("data") or {}).get("anchors_by_corpus") or {}
    texts: dict[str, list[str]] = {}
    for corpus, data in each.items():
        for anchor in _anchors_in(data):
            system = anchor.system.capitalize() if anchor.system == LEVELS else anchor.system
            name = f"{system}{f', {anchor.dimension}' * bool(anchor.dimension)}, {anchor.figure}"
            texts.setdefault(name, []).append(f"{corpus} {mean_std(anchor.score)}")
    return " ".join(f"{name}: {', '.join(found)}." for name, found in texts.items())


def _anchors_in(data: Mapping[str, Any]) -> Iterator[Anchor]:
    """Those that an entry of results.json holds."""
    found = data.get("levels_alone") or {}
    for name, scores in ({"": found} if "columns" in found else found).items():
        if scores:
            how = f"{', '.join(scores['columns'])} of recordings as they are; {scores['classifier']}"
            figure = "uar" if "uar" in scores else "ccc"
            yield Anchor(LEVELS, name, figure.upper(), scores[figure], how)
    found = data.get("anchor") or {}
    for name, scores in (found.get("scores") or {}).items():
        how = f"{found['features']} of recordings as they are, opensmile {found['opensmile']}; {found['classifier']}"
        yield Anchor(OPENSMILE, name, "UAR", scores["uar"], how + _reservations(found, scores))


def _reservations(found, scores) -> str:
    """What a figure does not rest on, or rests on unfairly."""
    text = ""
    if found.get("without_vectors"):
        text += f"; {found['without_vectors']} of {found['of']} utterances have no vector and are left out"
    if scores.get("trained_too", 0) >= FEW:
        text += f"; {100 * scores['trained_too']:.0f} % of the tested utterances train too, as the protocol lets them"
    return text


def guessing(results: Results) -> float | None:
    """1 / C where a score is compared with it, else None."""
    classes = len(results.get("classes") or ())
    scored = any(name.endswith("/uar") for member in results["members"] for name in member.get("metrics") or ())
    return 1 / classes if classes > 1 and scored else None


def in_words(results: Results) -> str:
    """A line: `Anchors on the same folds, UAR: guessing 0.143, levels alone 0.342 ± 0.076, ...`; "" without any.

    Where there are no functionals, it says how to get them.
    """
    chance, each, figure = guessing(results), {}, "UAR"
    for anchor in anchors_of(results):
        figure = anchor.figure
        each.setdefault(anchor.dimension, []).append(f"{anchor.system} {mean_std(anchor.score)}")
    if not each and chance is None:
        return lacking(results)
    parts = [f"guessing {chance:.3f}"] if chance is not None else []
    parts += [f"{name}: " * bool(name) + ", ".join(texts) for name, texts in each.items()]
    text = ("; " if any(each) else ", ").join(parts)
    return " ".join(filter(None, [f"Anchors on the same folds, {figure}: {text}.", lacking(results)]))


def lacking(results: Results) -> str:
    """Why a run has no figure of openSMILE, and how to add it; "" where it has one, or is of a version without."""
    why = ((results.get("data") or {}).get("anchor") or {}).get("missing")
    if not why:
        return ""
    return f"{OPENSMILE} is missing: {why}; then {typed('report')} --workdir=RUN --data_dir=DATA adds it."


def notes(results: Results) -> list[str]:
    """A note for each anchor of a run, with how it came about."""
    found = [
        f"{anchor.system[0].upper() + anchor.system[1:] if anchor.system == LEVELS else anchor.system}"
        f"{f', {anchor.dimension}' * bool(anchor.dimension)}: {anchor.figure} {mean_std(anchor.score)} "
        f"on the same folds ({anchor.how})."
        for anchor in anchors_of(results)
    ]
    return found + list(filter(None, [lacking(results)]))


def table(results: Results) -> Table:
    """A row for each system, of one run."""
    found = list(anchors_of(results))
    rated = any(anchor.dimension for anchor in found)
    rows = [(anchor.system, *[anchor.dimension] * rated, mean_std(anchor.score)) for anchor in found]
    chance = guessing(results)
    if chance is not None:
        rows.insert(0, ("guessing", *["each"] * rated, number(chance)))
    how = list(dict.fromkeys(f"{anchor.system}: {anchor.how}." for anchor in found))
    how += filter(None, [lacking(results)])
    figure = found[0].figure if found else "UAR"
    caption = f"What simple systems reach on the same folds: {figure}, mean ± sample standard deviation over folds"
    return Table(caption, ("system", *["dimension"] * rated, figure), tuple(rows), tuple(how))


def of_runs(runs) -> Table | None:
    """A row for each set of folds among many runs and for each rated dimension; None where no run has an anchor."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for place, run in enumerate(runs, 1):
        each: dict[str, dict[str, str]] = {}
        for anchor in anchors_of(run):
            figure = "" if anchor.figure == "UAR" else f"{anchor.figure} "
            each.setdefault(anchor.dimension, {})[anchor.system] = figure + mean_std(anchor.score)
        about = (corpora(run), str(setting(run, "protocol", MISSING)))
        for name, scores in each.items():
            cells = (scores.get(LEVELS, MISSING), scores.get(OPENSMILE, MISSING))
            rows.setdefault((*about, name, number(guessing(run)), *cells), []).append(run_name(run, place))
    if not rows:
        return None
    rated = any(key[2] for key in rows)
    cells = [(", ".join(names), *key[:2], *key[2:3] * rated, *key[3:]) for key, names in rows.items()]
    columns = ("runs", "corpus", "protocol", *["dimension"] * rated, "guessing", LEVELS, OPENSMILE)
    caption = "What simple systems reach on the runs' own folds: UAR, mean ± sample standard deviation over folds"
    missing = dict.fromkeys(filter(None, map(lacking, runs)))
    return Table(caption, columns, tuple(cells), tuple(missing), stubs=3 + rated)
