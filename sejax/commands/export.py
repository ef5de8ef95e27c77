"""A finished run's model as one file to carry, for `sejax.load`: docs/export.md.

    sejax export --workdir=runs/emodb --output=emodb.sejax
    sejax export --workdir=runs/emodb --output=fold-0.sejax --fold=0
    sejax export --workdir=runs/transfer --output=resnet50.sejax --member=model=resnet50
    sejax export --workdir=runs/emodb --output=emodb.onnx --format=onnx

It holds the mean of all members, or of those that --fold and --member name; of a run that compared several things,
those of the one that validated best (the first where none was validated).
"""

import sys

from absl import flags

WORKDIR = flags.DEFINE_string("workdir", None, "a finished run's folder", required=True)
OUTPUT = flags.DEFINE_string("output", None, "the file to write: .sejax, or .onnx with --format=onnx", required=True)
FORMAT = flags.DEFINE_enum("format", "sejax", ["sejax", "onnx"], "sejax: all in one file; onnx: the network alone")
FOLD = flags.DEFINE_multi_integer(
    "fold", [], "networks of these folds only (default: the mean of all)", lower_bound=-1
)
MEMBER = flags.DEFINE_multi_string("member", [], "NAME=VALUE: only members called so, such as seed=0 or model=resnet50")


def main(argv):
    """Write the file, and print what it holds and its digest."""
    del argv
    from sejax.core.stores import path_of
    from sejax.experiments import exporting
    from sejax.experiments.members import members_named

    output = path_of(OUTPUT.value)
    exporting.check_output(output, FORMAT.value)
    only = members_named([*(f"fold={fold}" for fold in FOLD.value), *MEMBER.value], flag="member")
    if FORMAT.value == "onnx":
        made, difference = exporting.export_onnx(path_of(WORKDIR.value), output, only=only)
        print(f"onnxruntime and JAX differ by {difference:.1e} at most", file=sys.stderr)
    else:
        made = exporting.export(path_of(WORKDIR.value), output, only=only)
    count = len(made.members)
    print(f"{output}: {count} member{'s' * (count > 1)}, {made.size / 1e6:.1f} MB")
    print(f"sha256 {made.sha256}")
