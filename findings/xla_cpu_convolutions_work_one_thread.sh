#!/usr/bin/env bash
# XLA on a CPU: a float32 convolution of jax 0.10.2 is worked on by one thread, however many cores there are; a matrix product by all.
#
# Versions: jax 0.10.2, jaxlib 0.10.2, numpy 2.4.6.
#
# Behaviour: in one call of a jitted 3 x 3 convolution (256 images of 56 x 56 with 64 channels, 59e9 operations) or of its gradient
# with regard to the images, one thread of the process does nearly all of the work. In one call of a matrix product with as many operations,
# as a convolution over patches is, each thread of XLA's pool does a share. So a convolution network gains less from cores than its
# products do. XLA hands single convolutions to the library YNNPACK; with them taken out of what it hands over,
# XLA_FLAGS=--xla_cpu_experimental_ynn_fusion_type=-LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION, several threads work on each.
# jax 0.12.0.1 shares convolutions out without a flag (JAX=0.12.0.1, Python 3.13: "several" on each line).
#
# Output seen (threads with more than a tenth of a call's processor time):
#   convolution: one
#   gradient of its images: one
#   matrix product: several
# and with the flag
#   convolution: several
#   gradient of its images: several
#   matrix product: several
#
# Fails (exit status 1) where a line is another one; exit status 2 with one core. PYTHON names the interpreter (3.11 to 3.13).
set -euo pipefail

[ "$(nproc)" -gt 1 ] && [ -d /proc/self/task ] || { echo "not checked: it takes two cores, and /proc"; exit 2; }

JAX=${JAX:-0.10.2}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check "jax==$JAX" "jaxlib==$JAX" numpy==2.4.6

cat > threads.py <<'PYTHON'
"""How many threads work in one call of a convolution, of its gradient, and of a matrix product."""

from pathlib import Path

import jax
import jax.numpy as jnp


def ticks():
    """Processor time of each thread of this process, in ticks of the kernel's clock."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
        found[task.name] = int(fields[11]) + int(fields[12])
    return found


def convolve(x, kernel):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def gradient(x, kernel, cotangent):
    return jax.vjp(lambda x: convolve(x, kernel), x)[1](cotangent)[0]


x, kernel = jnp.ones((256, 56, 56, 64)), jnp.ones((3, 3, 64, 64))
a, b = jnp.ones((8192, 2048)), jnp.ones((2048, 1764))
CALLS = {
    "convolution": (convolve, x, kernel),
    "gradient of its images": (gradient, x, kernel, x),
    "matrix product": (jnp.matmul, a, b),
}
for name, (function, *arguments) in CALLS.items():
    call = jax.jit(function)
    jax.block_until_ready(call(*arguments))
    before = ticks()
    jax.block_until_ready(call(*arguments))
    spent = [after - before.get(thread, 0) for thread, after in ticks().items()]
    busy = sum(one > 0.1 * sum(spent) for one in spent)
    print(f"{name}: {'one' if busy == 1 else 'several'}")
PYTHON

without=--xla_cpu_experimental_ynn_fusion_type=-LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION
environment/bin/python threads.py > seen 2> log || { cat log; exit 1; }
XLA_FLAGS=$without environment/bin/python threads.py >> seen 2> log || { cat log; exit 1; }
cat > expected <<'EXPECTED'
convolution: one
gradient of its images: one
matrix product: several
convolution: several
gradient of its images: several
matrix product: several
EXPECTED
diff expected seen
echo "as stated"
