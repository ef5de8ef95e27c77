#!/usr/bin/env bash
# Versions: jax and jaxlib 0.10.2, Python 3.11; CPU, two processes on one machine.
#
# jax.device_put of a numpy array onto devices of several processes compares the processes' arrays first, as it says.
# It compares values, and NaN is not equal to itself: an array that is the same on both, but for holding NaN (a history
# that is not filled yet, a missing rating), is refused with "not the same on each process". Seen: AssertionError for an
# array with NaN, none for one without. jax.make_array_from_callback makes the same array of both.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet jax==0.10.2 jaxlib==0.10.2
cat > "$folder/two.py" <<'PYTHON'
import sys

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

jax.distributed.initialize(f"127.0.0.1:{sys.argv[2]}", 2, int(sys.argv[1]))
mesh = jax.make_mesh((2,), ("member",))
sharding = NamedSharding(mesh, PartitionSpec("member"))
said = []
for array in (np.array([0.0, 1.0]), np.array([0.0, np.nan])):
    try:
        jax.device_put(array, sharding)
        said.append("put")
    except AssertionError as error:
        said.append("refused" if "not the same on each process" in str(error) else "another error")
jax.make_array_from_callback((2,), sharding, lambda part: np.array([0.0, np.nan])[part])
print(*said, "made", flush=True)
PYTHON
port="$(python3.11 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
export JAX_PLATFORMS=cpu
"$folder/env/bin/python" "$folder/two.py" 1 "$port" > "$folder/second" 2>&1 &
"$folder/env/bin/python" "$folder/two.py" 0 "$port" > "$folder/first" 2>&1 || true
wait || true
found="$(grep -h -E '^put|^refused|^another' "$folder/first" || true)"
echo "first process: $found"
if [ "$found" != "put refused made" ]; then
  echo "changed: expected 'put refused made'" >&2
  cat "$folder/first" >&2
  exit 1
fi
echo "as described"
