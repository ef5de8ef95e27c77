#!/usr/bin/env bash
# What jax.export writes names the files of the machine that wrote it, wants a package that jax does not bring along, and
# cannot be mapped.
#
# Versions: jax and jaxlib 0.10.2, numpy 2.3.5, flatbuffers 25.9.23.
#
# Behaviour: (1) after "pip install jax" jax.export.export works, and serialising what it returns raises an ImportError:
# flatbuffers, with which it is written and read, is no dependency of jax. (2) The serialised program holds the absolute
# path of every source file that its operations come from: the same function in two folders gives two different
# artifacts, each with the path of its folder, a user's name where that is part of it. (3) A deserialised function works
# under jax.jit; under jax.vmap it raises NotImplementedError, even where its batch is symbolic.
#
# What comes of it: artifacts that are passed on tell where they were made, and equal ones do not compare equal; a package
# that only loads them cannot name jax as all it needs. sejax exports with jax_traceback_in_locations_limit=0 (after
# jax.clear_caches(): what was traced before keeps its paths), requires flatbuffers, and maps by
# jax.custom_batching.custom_vmap, which makes one larger batch of a batch of batches.
#
# Output seen: the lines of `expected` below.
#
# Fails (exit status 1) where any of them is another one. LIMIT is the number of frames of a location that are kept
# (LIMIT=0: no path is left, and the script fails at that line); PYTHON names the interpreter.
set -euo pipefail

LIMIT=${LIMIT:-10}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2 numpy==2.3.5

cat > expected <<'TEXT'
without flatbuffers: ImportError: Please install 'flatbuffers' in order to use Exported serialization
paths of its source in the artifact: True
the same function in two folders gives equal bytes: False
without locations: path False, equal bytes True
called: 10.0, under jit: 10.0, under vmap: NotImplementedError: Batching rule for 'call_exported' not implemented
under custom_vmap: [10.0, 20.0]
TEXT

mkdir -p one two
cat > one/network.py <<'PYTHON'
import jax.numpy as jnp


def network(x):
    return jnp.sum(jnp.tanh(x) * 0 + x, axis=-1)
PYTHON
cp one/network.py two/network.py

cat > write.py <<'PYTHON'
import sys

import jax
import jax.export
import numpy as np

sys.path.insert(0, sys.argv[1])
jax.config.update("jax_traceback_in_locations_limit", int(sys.argv[3]))
from network import network

rows = jax.export.symbolic_shape("rows")[0]
made = jax.export.export(jax.jit(network))(jax.ShapeDtypeStruct((rows, 4), np.float32))
try:
    content = bytes(made.serialize())
except ImportError as error:
    print(f"without flatbuffers: ImportError: {error}")
    sys.exit()
open(sys.argv[2], "wb").write(content)
PYTHON

cat > look.py <<'PYTHON'
import os

import jax
import jax.export
import numpy as np

one, two, bare, bare_two = (open(name, "rb").read() for name in ("one.bin", "two.bin", "bare.bin", "bare_two.bin"))
path = os.path.realpath("one/network.py").encode()
print("paths of its source in the artifact:", path in one)
print("the same function in two folders gives equal bytes:", one == two)
print(f"without locations: path {path in bare}, equal bytes {bare == bare_two}")
call = jax.export.deserialize(bytearray(one)).call
x = np.array([[1, 2, 3, 4]], np.float32)
try:
    jax.vmap(call)(np.stack([x, 2 * x]))
    mapped = "works"
except NotImplementedError as error:
    mapped = f"NotImplementedError: {error}"
print(f"called: {float(call(x)[0])}, under jit: {float(jax.jit(call)(x)[0])}, under vmap: {mapped}")
folded = jax.custom_batching.custom_vmap(call)


@folded.def_vmap
def rule(size, batched, x):
    return folded(x.reshape(-1, *x.shape[2:])).reshape(size, -1), True


print("under custom_vmap:", jax.vmap(folded)(np.stack([x, 2 * x]))[:, 0].tolist())
PYTHON

real=$(cd "$folder" && pwd -P)
{
  environment/bin/python write.py "$real/one" one.bin "$LIMIT"
  environment/bin/pip install --quiet --disable-pip-version-check flatbuffers==25.9.23
  environment/bin/python write.py "$real/one" one.bin "$LIMIT"
  environment/bin/python write.py "$real/two" two.bin "$LIMIT"
  environment/bin/python write.py "$real/one" bare.bin 0
  environment/bin/python write.py "$real/two" bare_two.bin 0
  environment/bin/python look.py
} | tee found
diff expected found
