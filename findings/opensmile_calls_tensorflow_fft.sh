#!/usr/bin/env bash
# openSMILE's Python package, imported after TensorFlow, runs TensorFlow's Fourier transform instead of its own.
#
# Versions: opensmile 2.6.0 (its wheel's libSMILEapi.so), tensorflow-cpu 2.21.0, Linux x86_64 with glibc.
#
# Behaviour: both libraries hold Ooura's Fourier transform under the same exported C names (rdft, makewt, cftfsub ...):
# openSMILE's works on 32-bit floats, TensorFlow's on 64-bit ones. TensorFlow loads its libraries with RTLD_GLOBAL, and
# opensmile loads libSMILEapi.so with ctypes.cdll.LoadLibrary, that is without RTLD_DEEPBIND; so libSMILEapi.so's own
# calls of rdft are bound to libtensorflow_framework.so.2. In the other order, or where the library is loaded with
# RTLD_DEEPBIND first, they are bound to openSMILE's own.
#
# What comes of it (not run here): floats of 32 bits are transformed as if they had 64. Seen on Python 3.11 and 3.13: the
# process ended, or, where it lived, 300 to 349 of IS10's 1582 functionals of valid audio were not finite and some 1530
# wrong, without an error.
#
# Output seen:
#   TensorFlow first: rdft of libSMILEapi.so is that of libtensorflow_framework.so.2
#   openSMILE first: rdft of libSMILEapi.so is that of libSMILEapi.so
#   RTLD_DEEPBIND after TensorFlow: rdft of libSMILEapi.so is that of libSMILEapi.so
#   functionals, all finite, equal bits with RTLD_DEEPBIND after TensorFlow: 1582 True True
#
# Fails (exit status 1) where any of these lines is another one. PYTHON names the interpreter (3.10 to 3.13).
set -euo pipefail

TENSORFLOW_FIRST=${TENSORFLOW_FIRST:-libtensorflow_framework.so.2}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check opensmile==2.6.0 tensorflow-cpu==2.21.0
export TF_CPP_MIN_LOG_LEVEL=3

cat > load.py <<'PYTHON'
"""load.py ORDER [OUTPUT]: load both libraries in an order; functionals of a voice-like sound to OUTPUT."""

import ctypes
import importlib.util
import os
import sys
from pathlib import Path

order, *output = sys.argv[1:]
if order != "opensmile":
    import tensorflow  # noqa: F401
if order == "deepbind":
    package = Path(importlib.util.find_spec("opensmile").origin).parent
    (library,) = package.glob("core/bin/*/libSMILEapi.so")
    ctypes.CDLL(str(library), mode=os.RTLD_NOW | os.RTLD_DEEPBIND)
import opensmile

if output:
    import numpy as np

    time = np.arange(16000) / 16000
    sound = 0.1 * sum(np.cos(2 * np.pi * 160 * k * time) / k for k in range(1, 12))
    sound += np.random.default_rng(0).normal(0, 0.002, len(time))
    smile = opensmile.Smile(opensmile.FeatureSet.IS10, opensmile.FeatureLevel.Functionals)
    np.save(output[0], smile(sound.astype(np.float32), 16000).reshape(-1))
PYTHON

# The file name of the library whose rdft libSMILEapi.so calls, by what the dynamic linker tells.
rdft_of() {
  LD_DEBUG=bindings environment/bin/python load.py "$1" 2>&1 \
    | sed -n "s/.*binding file [^ ]*libSMILEapi\.so \[0\] to \([^ ]*\) \[0\]: normal symbol .rdft'.*/\1/p" \
    | xargs -n 1 basename | sort -u
}

failed=0
same() { # what, expected, found
  echo "$1 $3"
  [ "$2" = "$3" ] || { echo "  changed: expected $2"; failed=1; }
}

same "TensorFlow first: rdft of libSMILEapi.so is that of" "$TENSORFLOW_FIRST" "$(rdft_of tensorflow)"
same "openSMILE first: rdft of libSMILEapi.so is that of" libSMILEapi.so "$(rdft_of opensmile)"
same "RTLD_DEEPBIND after TensorFlow: rdft of libSMILEapi.so is that of" libSMILEapi.so "$(rdft_of deepbind)"

for order in opensmile deepbind; do environment/bin/python load.py $order $order.npy 2> /dev/null; done
found=$(environment/bin/python -c "
import numpy as np
first, deep = np.load('opensmile.npy'), np.load('deepbind.npy')
print(len(first), np.isfinite(first).all(), first.tobytes() == deep.tobytes())")
same "functionals, all finite, equal bits with RTLD_DEEPBIND after TensorFlow:" "1582 True True" "$found"
exit $failed
