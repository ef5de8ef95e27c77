#!/usr/bin/env bash
# XLA on a CPU: jax 0.12.0.1 takes several times as long for a convolution's gradient by its kernel as it takes without YNNPACK.
#
# Versions: jax 0.12.0.1, jaxlib 0.12.0.1, numpy 2.4.6.
#
# Behaviour: XLA hands single convolutions to the library YNNPACK. One thread a convolution, as in jax 0.10, is no longer what it
# gives; but a convolution with windows as large as an image, which a kernel's gradient is, still takes 4 to 7 times as long there
# as in XLA's own code, while the forward pass takes as long in both. The flag of jax 0.10, which takes convolutions out of what XLA hands over,
#   XLA_FLAGS=--xla_cpu_experimental_ynn_fusion_type=-LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION
# is still known, and still helps. So it is in jax 0.11.2 (JAX=0.11.2) and 0.10.2, where the forward pass gains too: it has one thread there.
#
# Output seen (64 images of 56 x 56, 64 channels, 3 x 3, two cores of an AMD EPYC with AVX2: 1281 and 187 ms; forward pass 158 and 136 ms):
#   gradient of the kernel: more than twice as long with YNNPACK
#
# Fails (exit status 1) where the line is another one. PYTHON names the interpreter (3.12 or 3.13).
set -euo pipefail

JAX=${JAX:-0.12.0.1}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check "jax==$JAX" "jaxlib==$JAX" numpy==2.4.6

cat > gradient.py <<'PYTHON'
"""Seconds of the gradient of a 3 x 3 convolution by its kernel, the fastest of five calls."""

import time

import jax
import jax.numpy as jnp


@jax.jit
def gradient(x, kernel, cotangent):
    layout = ("NHWC", "HWIO", "NHWC")
    convolve = lambda kernel: jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=layout)
    return jax.vjp(convolve, kernel)[1](cotangent)[0]


x, kernel = jnp.ones((64, 56, 56, 64)), jnp.ones((3, 3, 64, 64))
taken = []
for _ in range(6):
    began = time.perf_counter()
    jax.block_until_ready(gradient(x, kernel, x))
    taken.append(time.perf_counter() - began)
print(min(taken[1:]))
PYTHON

without=--xla_cpu_experimental_ynn_fusion_type=-LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION
with_it=$(XLA_FLAGS= environment/bin/python gradient.py 2> log) || { cat log; exit 1; }
without_it=$(XLA_FLAGS=$without environment/bin/python gradient.py 2> log) || { cat log; exit 1; }
echo "with YNNPACK $with_it s, without $without_it s"
environment/bin/python - "$with_it" "$without_it" > seen <<'PYTHON'
import sys

slow, fast = map(float, sys.argv[1:])
print("gradient of the kernel:", "more than twice as long" if slow > 2 * fast else "about as long", "with YNNPACK")
PYTHON
echo "gradient of the kernel: more than twice as long with YNNPACK" | diff - seen
echo "as stated"
