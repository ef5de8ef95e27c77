"""Make a run's report.html again, or set many runs in one table beside the paper.

    sejax report --workdir=RUN
    sejax report --workdir=RUN1 --workdir=RUN2 ... --output=comparison.html --figure=comparison.svg
    sejax report runs/*
    sejax report --workdir=RUN --data_dir=data
    sejax report RUN1 RUN2 ... --baseline=RUN1 --latex=table.tex --csv=scores.csv

One workdir: report.html is made from its results.json, and the headline table is printed, with that of
sejax robustness where the run has one. Several: the comparison is printed as Markdown and written as HTML, a table
for each experiment among them; where a run holds several networks or learning rates, each has a row. Below it stand the
tables of a paper that compares corpora (pseudo_labelling), empty where a corpus was not run. Unfinished runs
among many are named on stderr and left out. Without --output each set of runs has a page of its own, named after them.

With --data_dir, runs whose results lack what simple systems reach on their folds (openSMILE with a linear SVM, say,
since its vectors were prepared later) get it first. That alone needs JAX.

With --ensemble, several runs on the same folds are asked together too: the mean of their posteriors of each utterance,
from their checkpoints, beside what each of them reaches alone (docs/comparing.md). It needs --data_dir and JAX.

    sejax report runs/functionals runs/images --ensemble --data_dir=data

With --calibrate each run's posteriors are brought to a temperature that its validation part chose before they are
averaged. A run with validation=0 has none: --calibrate_on names a run of the same config that holds one out.

    sejax report runs/functionals runs/images --ensemble --calibrate_on=runs/functionals-valid,runs/images-valid \\
        --data_dir=data

Below the tables stand paired differences over folds, with intervals and a test (docs/comparing.md): of all pairs where
they are few, else of each against the first, or against --baseline. The variants of one run are paired where one of
--baseline, --latex and --csv is given.
"""

import hashlib
import os
import sys
from pathlib import Path

from absl import flags

from sejax.core.files import write_text
from sejax.core.results import FILE, read_results
from sejax.core.stores import is_local, path_of
from sejax.errors import InputError
from sejax.experiments import report_of
from sejax.report import page, tables
from sejax.report.comparing import check_names, compared_runs, paired_section, paired_text, write_csv, write_latex
from sejax.report.drawing import write_picture
from sejax.report.html import write_report
from sejax.report.robustness import is_of, read_robustness, robustness_table
from sejax.report.score_figures import picture_of
from sejax.report.score_tables import comparison, headline, row_order

WORKDIR = flags.DEFINE_multi_string("workdir", [], "a run's folder, with its results.json; may be given many times")
OUTPUT = flags.DEFINE_string("output", None, "the comparison's HTML (default: named after the runs, where they lie)")
FIGURE = flags.DEFINE_string("figure", None, "also draw the comparison into this .svg or .png")
TAKES = "workdirs"
WRITTEN = (".html", ".svg", ".png", ".tex", ".csv")  # among `runs/*` from the second time on
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "prepared sets: what simple systems reach on a run's folds is added with them where it is missing"
)
BASELINE = flags.DEFINE_string("baseline", None, "a run among those given, or a variant: what others are compared with")
LATEX = flags.DEFINE_string("latex", None, "also write scores and paired differences into this .tex file, for booktabs")
CSV = flags.DEFINE_string("csv", None, "also write members' scores into this .csv, differences into NAME-paired.csv")
ENSEMBLE = flags.DEFINE_bool("ensemble", False, "also the runs' mean posterior of each utterance; needs --data_dir")
CALIBRATE = flags.DEFINE_bool("calibrate", False, "with --ensemble: at temperatures fitted to validation parts")
CALIBRATE_ON = flags.DEFINE_list(
    "calibrate_on", [], "--calibrate, with runs of the same config but a validation part, for those with validation=0"
)
GROUP_BY = flags.DEFINE_list("group_by", [], "a table for each value of these fields, such as protocol,trainable")


def main(arguments):
    """Report on one run, or compare several."""
    workdirs = [path_of(folder) for folder in [*WORKDIR.value, *arguments[1:]]]
    workdirs = [folder for folder in workdirs if folder.suffix not in WRITTEN or folder.is_dir()]
    if not workdirs:
        raise InputError("no run given; pass --workdir=RUN")
    check_names(LATEX.value, CSV.value)
    if ENSEMBLE.value and (len(workdirs) < 2 or not DATA_DIR.value):
        raise InputError("--ensemble asks several runs about the speech that they test; give them, and --data_dir=DIR")
    if (CALIBRATE.value or CALIBRATE_ON.value) and not ENSEMBLE.value:
        raise InputError("--calibrate is of posteriors that are averaged; give --ensemble too")
    if DATA_DIR.value:
        from sejax.experiments.anchors import add_anchors

        for folder in filter(is_finished, workdirs):
            add_anchors(folder if folder.is_dir() else folder.parent, path_of(DATA_DIR.value))
    if len(workdirs) == 1:
        report(workdirs[0])
    else:
        compare(workdirs)


def report(workdir):
    """Write report.html of one run and print its headline."""
    results = read_results(workdir)
    own, folder = report_of(results), workdir if workdir.is_dir() else workdir.parent
    asked = BASELINE.value or LATEX.value or CSV.value
    paired = pair([{"run": folder.absolute().name, **results}]) if asked else []
    path = write_report(folder, results, own)
    print(tables.plain_text(headline(results, own)))
    sys.stdout.flush()
    print("".join(f"warning: {text}\n" for text in own.warnings(results)), end="", file=sys.stderr)
    robustness = read_robustness(folder)
    if robustness and is_of(robustness, results):
        print(tables.plain_text(robustness_table(robustness, results, own)))
    if paired:
        print(paired_text(paired))
    print(f"report: {path}")


def compare(workdirs):
    """Print and write the comparison of the runs that have finished."""
    if FIGURE.value and Path(FIGURE.value).suffix not in (".svg", ".png"):
        raise InputError(f"--figure={FIGURE.value}: the name must end in .svg or .png")
    given = finished_runs(workdirs)
    runs = sorted(given, key=row_order)
    experiments = [
        [run for run in runs if run["experiment"] == name] for name in dict.fromkeys(run["experiment"] for run in runs)
    ]
    if FIGURE.value and len(experiments) > 1:
        names = ", ".join(group[0]["experiment"] for group in experiments)
        raise InputError(f"--figure draws runs of one experiment; these are of {names}: give those of one")
    try:
        grouped = [
            table
            for group in experiments
            for table in comparison(group, report_of(group[0]), group_by=GROUP_BY.value)
        ]
    except ValueError as error:
        raise InputError(f"--group_by: {error}") from None
    grouped += [table for group in experiments for table in report_of(group[0]).paper_tables(group)]
    if ENSEMBLE.value:
        finished = filter(is_finished, workdirs)
        grouped.append(ensemble([folder if folder.is_dir() else folder.parent for folder in finished]))
    paired = pair(given)
    print("\n".join([*map(tables.markdown, grouped), paired_text(paired, tables.markdown)]))
    output = path_of(OUTPUT.value or page_of([folder for folder in workdirs if is_finished(folder)]))
    write_text(output, comparison_page(experiments, grouped, paired))
    print(f"comparison: {output}", file=sys.stderr)
    if FIGURE.value:
        draw(path_of(FIGURE.value), runs)


def ensemble(folders):
    """The table of runs' mean posteriors, at temperatures of validation parts where --calibrate says so."""
    from sejax.experiments.calibration import calibrated_answers
    from sejax.experiments.ensembles import answers, ensemble_table

    data_dir = Path(DATA_DIR.value)
    if CALIBRATE.value or CALIBRATE_ON.value:
        return ensemble_table(calibrated_answers(folders, [path_of(each) for each in CALIBRATE_ON.value], data_dir))
    return ensemble_table([answers(folder, data_dir) for folder in folders])


def finished_runs(workdirs):
    """The results of the runs that have them, each with its folder's name; the others are named on stderr."""
    finished = [folder for folder in workdirs if is_finished(folder)]
    if not finished:
        raise InputError(f"none of the {len(workdirs)} runs has a {FILE}; give workdirs of finished runs")
    for folder in workdirs:
        if folder not in finished:
            print(f"left out: {folder} has no {FILE}, so it has not finished", file=sys.stderr)
    return [{"run": folder.name, **read_results(folder)} for folder in finished]


def is_finished(workdir):
    """Whether a workdir, or a file of results, has the results of a run."""
    return workdir.is_file() or (workdir / FILE).is_file()


def page_of(workdirs):
    """Where the comparison of some runs is written: `comparison-RUN1+RUN2.html` in the folder in which all of them lie.

    Of more than fit into a name the first is named, and a digest of all tells such pages apart. Where runs lie in a
    store, it is written where the command is called.
    """
    workdirs = [workdir if is_local(workdir) else Path(workdir.name) for workdir in workdirs]
    folder = Path(os.path.commonpath([workdir.absolute().parent for workdir in workdirs]))
    names = sorted({workdir.absolute().relative_to(folder).as_posix().replace("/", "_") for workdir in workdirs})
    runs = "+".join(names)
    if len(runs) > 80:
        digest = hashlib.blake2b("\0".join(names).encode(errors="surrogateescape"), digest_size=4).hexdigest()
        runs = f"{names[0][:60]}+{len(names) - 1}-more-{digest}"
    return folder / f"comparison-{runs}.html"


def pair(runs):
    """The paired differences of runs in the order given, by experiment; also written where --latex and --csv say."""
    paired = compared_runs(runs, report_of, baseline=BASELINE.value)
    if LATEX.value:
        write_latex(path_of(LATEX.value), paired)
        print(f"LaTeX: {LATEX.value}", file=sys.stderr)
    if CSV.value:
        for path in write_csv(path_of(CSV.value), paired):
            print(f"CSV: {path}", file=sys.stderr)
    return paired


def comparison_page(experiments, grouped, paired):
    """The comparison's tables, and a figure for the runs of each experiment, as one HTML page."""
    try:
        drawing = "".join(
            page.picture(*picture_of(runs, report_of(runs[0]), format="inline")) for runs in experiments
        )
    except ImportError as error:
        drawing = page.paragraph(f"No figure here: {error}.", "warning")
    sections = [page.Section("Table", "\n".join(map(tables.html, grouped))), page.Section("Figure", drawing)]
    sections += [page.Section("Paired differences", paired_section(paired))]
    lead = page.paragraph(f"{sum(map(len, experiments))} runs beside the figures of the paper.")
    return page.document("Runs beside the paper", lead, sections)


def draw(path, runs):
    """Draw the comparison into an .svg or .png file."""
    write_picture(path, lambda format: picture_of(runs, report_of(runs[0]), format=format)[0])
    print(f"figure: {path}", file=sys.stderr)
