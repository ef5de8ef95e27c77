#!/usr/bin/env bash
# Versions: orbax-checkpoint 0.12.8, etils 1.15.0, fsspec 2026.9.0, jax and jaxlib 0.10.2, Python 3.11; CPU.
#
# Where a run's folder is a URL, three things that the names of the functions do not tell:
# 1. An epath of a store is an os.PathLike, and pathlib.Path makes a local path of it that is none of the URL's:
#    /s3/bucket/run. Seen: that path, without a word.
# 2. orbax makes its folder at s3:// (through etils and fsspec) and refuses at the first save, as "Checkpoint path should
#    be absolute": of all stores its arrays go to gs:// alone. Here s3:// is fsspec's file system in memory. Seen: a
#    ValueError with these words.
# 3. fsspec's isfile and exists say no, rather than raise, of a URL whose host cannot be reached (here a port on which
#    nobody listens): "not there, compute it again" follows from a network that failed. Seen: False, False.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet orbax-checkpoint==0.12.8 etils==1.15.0 fsspec==2026.9.0 \
  jax==0.10.2 jaxlib==0.10.2 aiohttp==3.14.5
cat > "$folder/stores.py" <<'PYTHON'
import logging
import pathlib
import socket

import fsspec
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from fsspec.implementations.memory import MemoryFileSystem

logging.disable(logging.CRITICAL)
fsspec.register_implementation("s3", type("InMemory", (MemoryFileSystem,), {"protocol": "s3"}), clobber=True)
said = [str(pathlib.Path(epath.Path("s3://bucket/run")))]
try:
    manager = ocp.CheckpointManager("s3://bucket/run")
    manager.save(1, args=ocp.args.StandardSave({"weights": np.arange(3.0)}))
    manager.wait_until_finished()
    said.append("saved")
except Exception as error:
    said.append("refused" if "Checkpoint path should be absolute" in str(error) else f"{type(error).__name__}: {error}")
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
store, url = fsspec.filesystem("http"), f"http://127.0.0.1:{port}/results.json"
said += [str(store.isfile(url)), str(store.exists(url))]
print(*said, flush=True)
PYTHON
found="$(JAX_PLATFORMS=cpu timeout 300 "$folder/env/bin/python" "$folder/stores.py" 2> "$folder/errors" | tail -n 1 || true)"
echo "found: $found"
if [ "$found" != "/s3/bucket/run refused False False" ]; then
  echo "changed: expected '/s3/bucket/run refused False False'" >&2
  tail -n 20 "$folder/errors" >&2
  exit 1
fi
echo "as described"
