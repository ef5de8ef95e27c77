#!/usr/bin/env bash
# tensorboardX, which promises TensorBoard without a framework, imports torch wherever it is installed.
#
# Versions: tensorboardX 2.6.5, torch 2.13.0, numpy 2.3.5.
#
# Behaviour: tensorboardX/writer.py tries `import torch` to know its tensors' type. A JAX program that writes nothing but
# scalars through it pays torch's import (2 to 3 s of processor time and some 200 MB on two cores) in every process, as
# soon as some other tool has installed torch beside it. Where importing torch fails, the same scalars are written.
#
# Output seen:
#   tensorboardX imported, torch imported too: True
#   torch hidden, torch imported too: False
#   scalars, both ways: [(0, 1.5), (1, 0.25)]
#
# Fails (exit status 1) where any of these lines is another one. PYTHON names the interpreter (3.10 to 3.13).
set -euo pipefail

IMPORTED=${IMPORTED:-True}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check tensorboardX==2.6.5 torch==2.13.0 numpy==2.3.5

cat > scalars.py <<'PYTHON'
"""scalars.py FOLDER [hide]: write two scalars; say whether torch was imported; read them back on standard error."""

import sys
from pathlib import Path

folder, *hide = sys.argv[1:]
if hide:
    sys.modules["torch"] = None
from tensorboardX import SummaryWriter

if hide:
    del sys.modules["torch"]
with SummaryWriter(folder) as board:
    board.add_scalar("loss", 1.5, 0)
    board.add_scalar("loss", 0.25, 1)
print(f"{'torch hidden' if hide else 'tensorboardX imported'}, torch imported too: {'torch' in sys.modules}")

from tensorboardX.proto.event_pb2 import Event

found = []
for file in Path(folder).iterdir():
    content, place = file.read_bytes(), 0
    while place < len(content):
        length = int.from_bytes(content[place : place + 8], "little")
        event = Event.FromString(content[place + 12 : place + 12 + length])
        found += [(event.step, value.simple_value) for value in event.summary.value]
        place += length + 16
print(found, file=sys.stderr)
PYTHON

environment/bin/python scalars.py plain 2> plain.txt > seen
environment/bin/python scalars.py hidden hide 2> hidden.txt >> seen
cmp plain.txt hidden.txt
echo "scalars, both ways: $(tail -n 1 plain.txt)" >> seen
cat > expected <<EXPECTED
tensorboardX imported, torch imported too: $IMPORTED
torch hidden, torch imported too: False
scalars, both ways: [(0, 1.5), (1, 0.25)]
EXPECTED
diff expected seen
echo "as stated"
