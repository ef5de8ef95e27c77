#!/usr/bin/env bash
# XLA on a CPU: jax.random.bits of 4 x 4 x 8 numbers compiles many times longer than of 128 numbers in a row, which are the same numbers.
#
# Versions: jax 0.10.2, jaxlib 0.10.2, numpy 2.4.6.
#
# Behaviour: threefry's rounds are a loop in XLA's program, whose body is an elementwise kernel over the shape that is asked for.
# Over the short axes of u32[4, 4, 8] LLVM makes 935 KB of text of that one kernel (xla_dump_to, ir-with-opt), and takes 2 to 4 s of processor time;
# in a row it is an ordinary kernel. Draw in a row and reshape: with jax_threefry_partitionable, the default, the numbers are the same.
#
# Output seen (processor time of compiling, two cores of an AMD EPYC with AVX2: 3.3 s and 0.35 s):
#   4 x 4 x 8: more than three times as long as 128 in a row; the same numbers
#
# Fails (exit status 1) where the line is another one. PYTHON names the interpreter (3.11 to 3.13).
set -euo pipefail

JAX=${JAX:-0.10.2}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check "jax==$JAX" "jaxlib==$JAX" numpy==2.4.6

cat > compiling.py <<'PYTHON'
"""Processor time of compiling the same draw in two shapes."""

import time

import jax


def compiled(shape):
    lowered = jax.jit(lambda key: jax.random.bits(key, shape)).lower(jax.random.key(0))
    start = time.process_time()
    program = lowered.compile()
    return time.process_time() - start, program(jax.random.key(0))


compiled((3,))  # what the first program of a process takes besides
row, numbers = compiled((128,))
axes, same = compiled((4, 4, 8))
print("4 x 4 x 8:", "more" if axes > 3 * row else "not more", "than three times as long as 128 in a row;", end=" ")
print("the same numbers" if (numbers == same.reshape(-1)).all() else "other numbers")
PYTHON

seen=$(environment/bin/python compiling.py)
echo "$seen"
[ "$seen" = "4 x 4 x 8: more than three times as long as 128 in a row; the same numbers" ]
