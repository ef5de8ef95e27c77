"""How the answers of a finished run hold when recordings are quieter, noisy, narrow or compressed.

    sejax robustness --workdir=runs/emodb --data_dir=data --corpus=emodb --source=DIR
    sejax robustness --workdir=runs/dcgan --data_dir=data --corpus=emodb --source=DIR --only=model=basic_cnn
    sejax robustness --workdir=runs/vam --data_dir=data --corpus=manifest --source=vam/manifest.csv

Of the original recordings of each member's own test part some are drawn, degraded and judged as sejax predict
does: 6 to 30 dB quieter, in white noise and in babble, sampled at 8 kHz, and through MP3. WORKDIR/robustness.json,
report.html and a printed table say how many answers are right, and how many are the same as of the untouched recording.
Where other parts of an utterance trained the member, the table says so. What was judged is kept: killed, the same
command goes on; finished, it prints the table.
"""

import sys

from absl import flags

from sejax import corpora
from sejax.audio.degradations import BABBLE
from sejax.core.results import read_results
from sejax.core.stores import path_of
from sejax.corpora import source_flags
from sejax.corpora.problems import shortened
from sejax.engine.command import progress_bar
from sejax.engine.compiling import Compiling
from sejax.engine.run import use_compilation_cache
from sejax.engine.workdir import only_run, read_claim
from sejax.errors import InputError
from sejax.experiments import report_of
from sejax.experiments.members import members_named
from sejax.experiments.robustness import (
    Recording,
    check_recordings,
    chosen,
    conditions,
    finished_robustness,
    judged,
    kept_answers,
    write_robustness,
)
from sejax.report import tables
from sejax.report.html import write_report
from sejax.report.robustness import FILE, robustness_table

WORKDIR = flags.DEFINE_string("workdir", None, "a finished run's folder", required=True)
DATA_DIR = flags.DEFINE_string("data_dir", "data", "folder that holds the prepared sets")
CORPUS = flags.DEFINE_multi_string(
    "corpus", None, "what the run tests on, as prepare takes it; several, in the run's order", required=True
)
SOURCE = flags.DEFINE_multi_string("source", [], "folder of each corpus's original files, or its CSV manifest")
LAYOUT = flags.DEFINE_string("layout", None, "the YAML that the corpus was prepared with, where it was one")
FILES = flags.DEFINE_integer("files", 12, "utterances of each test part", lower_bound=1)
SEED = flags.DEFINE_integer("seed", 0, "of the choice of utterances, and of the noise", lower_bound=0)
ONLY = flags.DEFINE_multi_string("only", [], "NAME=VALUE: only members called so, such as fold=0 or model=resnet50")


def main(argv):
    """Judge, write robustness.json and report.html, print the table."""
    del argv
    workdir, how = path_of(WORKDIR.value), {"files": FILES.value, "seed": SEED.value}
    use_compilation_cache(read_claim(workdir)["config"]["run"]["compilation_cache"])
    plan = chosen(workdir, path_of(DATA_DIR.value), only=members_named(ONLY.value, flag="only"), **how)
    with only_run(workdir):
        found = finished_robustness(workdir, plan)
        if found:
            print(f"{workdir / FILE} is finished; its table:")
        found = found or judge(workdir, plan)
        results = read_results(workdir)
        page = write_report(workdir, results, report_of(results))
    print(tables.plain_text(robustness_table(found, results, report_of(results))))
    print(f"table: {workdir / FILE}\nreport: {page}")


def recordings(plan):
    """The recordings of a plan by their ids, and waveforms to mix babble of: these, or more where they are few."""
    names = plan.corpus.split("+")
    given = list(zip(CORPUS.value, SOURCE.value or [""] * len(CORPUS.value), strict=False))
    if len(CORPUS.value) != len(names) or len(given) < len(names):
        each = " ".join(source_flags(name).replace(f" --name={name}", "") for name in names)
        raise InputError(f"the run tests on {plan.corpus}; give {each}")
    joined = all(one.startswith(tuple(f"{name}:" for name in names)) for one in plan.ids)  # whose names say the corpus
    speech, others = {}, []
    for name, (corpus, source) in zip(names, given, strict=True):
        opened = open_corpus(name, corpus, source)
        ids = {f"{name}:{one.id}" if joined else one.id: one for one in opened.recordings}
        wanted = [one for one in dict.fromkeys(plan.ids) if not joined or one.startswith(f"{name}:")]
        lacking = [one for one in wanted if one not in ids]
        if lacking:
            raise InputError(
                f"{source or corpus} has no {shortened(lacking)} of {name}, which the run tests: give the original "
                "files that it was trained on"
            )
        speech |= {one: recording(opened, ids[one]) for one in wanted}
        others += [(opened, ids[one]) for one in ids if one not in wanted][:BABBLE]
    talkers = [speech[name].waveform for name in sorted(speech)]
    lacking = max(BABBLE - len(talkers), 0)
    return speech, talkers + [recording(*other).waveform for other in others[:lacking]]


def open_corpus(name, corpus, source):
    """The original files of a run's corpus, without those that cannot be used."""
    if corpus not in (name, "layout", "manifest"):
        raise InputError(f"--corpus={corpus}: the run tests on {name}; give --corpus={name}, or its manifest")
    options = {"name": name} if corpus in ("layout", "manifest") else {}
    options |= {"layout": LAYOUT.value} if LAYOUT.value else {}
    options |= {} if corpus == "synthetic" else {"allow_partial": True}
    return corpora.open_corpus(corpus, source, **options)


def recording(opened, one):
    """An original recording as the networks take it."""
    decoded = opened.decode(one)
    return Recording(decoded.waveform, decoded.transcript)


def judge(workdir, plan):
    """Judge all recordings of a plan, with a line of progress; what robustness.json holds then."""
    speech, talkers = recordings(plan)
    changes = conditions(talkers)
    check_recordings(plan, speech)
    done = len(kept_answers(workdir, plan, changes)) * len(changes)
    total = len(plan.ids) * len(changes)
    with progress_bar("robustness", total, "recordings", done=done) as bar, Compiling(everywhere=True) as compiling:

        def report(done):
            bar.leave_out(compiling.seconds - bar.left_out)
            bar.update(done - bar.n)

        answers = judged(workdir, plan, speech, changes, report=report)
    return write_robustness(workdir, plan, changes, answers, {"command": " ".join(sys.argv)})
