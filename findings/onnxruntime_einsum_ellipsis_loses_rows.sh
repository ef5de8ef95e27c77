#!/usr/bin/env bash
# onnxruntime takes the rows of an Einsum with a broadcast "..." for those of its first operand, and loses the others.
#
# Versions: onnx 1.23.2, onnxruntime 1.32.0, numpy 2.3.5.
#
# Behaviour: Einsum "...ij,...jk->...ik" of arrays [1, 3, 4] and [rows, 4, 2] gives [rows, 3, 2]. The shape that onnx infers
# is [1, 3, 2]: the axes of "..." are those of the first operand, without broadcasting. onnxruntime folds what depends on
# the inferred shape into constants, so that Shape behind the Einsum says 1 whatever comes in, and a Slice up to that
# shape keeps the first row alone. No error, no warning; with optimisations off all is right. With the operands the other
# way round (b, a) the inferred shape has all rows.
#
# What comes of it: jax2onnx 0.17.1 writes such a graph of jnp.einsum("Hh,...hw->...Hw", matrix, x) and a slice behind it, as
# in resizing a batch of images before a network that pools: one image is answered rightly, and of several the first
# stands in for all. sejax compares onnxruntime with JAX in batches of several sizes before it writes a file, and has
# members asked inside a loop, where no shape is known before the graph runs.
#
# Output seen: the lines of `expected` below.
#
# Fails (exit status 1) where any of them is another one. ORDER=2 puts the operand that is broadcast second (no row is
# lost, and the lines differ); PYTHON names the interpreter.
set -euo pipefail

ORDER=${ORDER:-1}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.3.5

cat > expected <<'TEXT'
inferred shape of the Einsum: [1, 3, 2]
optimised, 5 rows: Einsum gives [5, 3, 2], Shape says [1, 3, 2], the slice has [1, 2, 2]
not optimised, 5 rows: Einsum gives [5, 3, 2], Shape says [5, 3, 2], the slice has [5, 2, 2]
TEXT

cat > show.py <<'PYTHON'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

names = ["matrix", "x"] if sys.argv[1] == "1" else ["x", "matrix"]
equation = "...ij,...jk->...ik" if sys.argv[1] == "1" else "...jk,...ij->...ik"


def constant(name, values):
    return numpy_helper.from_array(np.array(values), name)


nodes = [
    helper.make_node("Einsum", names, ["y"], equation=equation),
    helper.make_node("Shape", ["y"], ["shape"]),
    helper.make_node("Gather", ["shape", "zero"], ["rows"]),
    helper.make_node("Concat", ["rows", "two"], ["ends"], axis=0),
    helper.make_node("Slice", ["y", "starts", "ends", "axes"], ["slice"]),
]
constants = [constant("matrix", np.ones((1, 3, 4), np.float32)), constant("zero", [0]), constant("two", [2])]
constants += [constant("starts", [0, 0]), constant("axes", [0, 1])]
given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 4, 2])]
made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("y", "slice")]
made.append(helper.make_tensor_value_info("shape", TensorProto.INT64, None))
graph = helper.make_graph(nodes, "graph", given, made, constants)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
inferred = onnx.shape_inference.infer_shapes(model)
shape = next(value for value in inferred.graph.output if value.name == "y").type.tensor_type.shape
print("inferred shape of the Einsum:", [side.dim_value or side.dim_param for side in shape.dim])
for told, level in (("optimised", "ORT_ENABLE_ALL"), ("not optimised", "ORT_DISABLE_ALL")):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    y, rows, said = session.run(["y", "slice", "shape"], {"x": np.ones((5, 4, 2), np.float32)})
    print(f"{told}, 5 rows: Einsum gives {list(y.shape)}, Shape says {said.tolist()}, the slice has {list(rows.shape)}")
PYTHON

environment/bin/python show.py "$ORDER" | tee found
diff expected found
