#!/usr/bin/env bash
# XLA on a CPU: which bfloat16 products are multiplied as bfloat16, which are widened to float32 first, and which fail.
#
# Versions: jax 0.10.2, jaxlib 0.10.2, numpy 2.4.6; or JAX=0.11.2, JAX=0.12.0.1 (Python 3.13), whose lines are others.
#
# Behaviour: a product x[M, K] @ w[K, N] of bfloat16 is one of bfloat16 where its sum is asked for in float32; with AVX512-BF16 it runs with
# the processor's bfloat16 instructions (twice float32's rate for large ones). The same with a bfloat16 result, JAX's default and what
# flax.linen.Dense(dtype=bfloat16) asks for, is widened in 0.10.2: both factors are converted to float32 in memory, multiplied there, and the
# sum is rounded, which takes longer than float32 from the start; 0.11.2 and 0.12.0.1 compute it without widening. A sum over the left
# factor's first axis, the gradient of a dense layer's kernel, is widened in all three. A left factor that is transposed and then changed
# (leaky ReLU here) is not widened in 0.10.2, and fails when it runs, with an error of the runtime: the program compiles. Concatenating the
# transposed factor from its parts makes it run there, in bfloat16. 0.11.2 and 0.12.0.1 see through that, take the rows themselves and the
# sum over their first axis after they have widened what they widen, and fail. Parts that are transposed one by one run in all three.
# 0.11.2 and 0.12.0.1 run the transposed and changed factor where there is AVX2 alone; with AVX512-BF16 0.12.0.1 was once seen to fail on it
# and to run the concatenated one.
#
# Output seen with 0.10.2, with AVX2 alone and, but for the line of parts transposed by themselves, which is newer, with AVX512-BF16:
#   float32 sum: bf16 x bf16
#   bfloat16 sum: f32 x f32
#   sum over the first axis: f32 x f32
#   sum over the first axis, float32 sum, left factor put together: bf16 x bf16
#   the same of parts transposed by themselves: bf16 x bf16
#   transposed, then leaky ReLU: Unsupported element type for DotThunk::Execute: BF16 x BF16 = F32
# and with 0.11.2 and 0.12.0.1, with AVX2 alone:
#   float32 sum: bf16 x bf16
#   bfloat16 sum: bf16 x bf16
#   sum over the first axis: f32 x f32
#   sum over the first axis, float32 sum, left factor put together: Unsupported element type for DotThunk::Execute: BF16 x BF16 = F32
#   the same of parts transposed by themselves: bf16 x bf16
#   transposed, then leaky ReLU: bf16 x bf16
#
# Fails (exit status 1) where any of these lines is another one. PYTHON names the interpreter (3.11 to 3.13; 3.12 or 3.13 for the newer two).
set -euo pipefail

JAX=${JAX:-0.10.2}
RUNS="bf16 x bf16"
FAILS="Unsupported element type for DotThunk::Execute: BF16 x BF16 = F32"
case $JAX in
    0.10.*) narrow="f32 x f32" together=$RUNS leaky=$FAILS ;;
    *) narrow=$RUNS together=$FAILS leaky=$RUNS ;;
esac

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check "jax==$JAX" "jaxlib==$JAX" numpy==2.4.6

cat > dots.py <<'PYTHON'
"""What the optimised programs of six products multiply, or what running them says."""

import re

import jax
import jax.numpy as jnp

HALF = jnp.bfloat16
SUM = {"preferred_element_type": jnp.float32}
x, w, g = (jnp.ones(shape, HALF) for shape in ((4, 64, 1582), (4, 1582, 1000), (4, 64, 1000)))


def put_together(rows):
    across = jnp.swapaxes(rows, 1, 2)
    return jnp.concatenate([across[:, :1], across[:, 1:]], axis=1)


def of_parts(rows):
    return jnp.concatenate([jnp.swapaxes(rows[..., :1], 1, 2), jnp.swapaxes(rows[..., 1:], 1, 2)], axis=1)


def leaky(rows):
    return jnp.where(rows > 0, rows, 0.2 * rows).astype(HALF)


PRODUCTS = {
    "float32 sum": (lambda x, w: jnp.einsum("bmk,bkn->bmn", x, w, **SUM), x, w),
    "bfloat16 sum": (lambda x, w: jnp.einsum("bmk,bkn->bmn", x, w), x, w),
    "sum over the first axis": (lambda x, g: jnp.einsum("bmk,bmn->bkn", x, g, **SUM), x, g),
    "sum over the first axis, float32 sum, left factor put together": (
        lambda x, g: jnp.einsum("bkm,bmn->bkn", put_together(x), g, **SUM), x, g),
    "the same of parts transposed by themselves": (lambda x, g: jnp.einsum("bkm,bmn->bkn", of_parts(x), g, **SUM), x, g),
    "transposed, then leaky ReLU": (
        lambda x, g: jnp.einsum("bkm,bmn->bkn", leaky(jnp.swapaxes(x, 1, 2)), g, **SUM), x, g),
}
for name, (product, left, right) in PRODUCTS.items():
    compiled = jax.jit(product).lower(left, right).compile()
    try:
        jax.block_until_ready(compiled(left, right))
    except jax.errors.JaxRuntimeError as error:
        print(f"{name}: {str(error).split(': ', 1)[1]}")
        continue
    lines = compiled.as_text().splitlines()
    place = next(number for number, line in enumerate(lines) if " dot(" in line)
    factors = re.search(r" dot\((\S+), (\S+)\)", lines[place]).groups()
    made = [next(x for x in reversed(lines[:place]) if x.strip().startswith(f"{factor} = ")) for factor in factors]
    print(f"{name}: " + " x ".join(re.search(r" = (\w+)\[", line).group(1) for line in made))
PYTHON

environment/bin/python dots.py > seen 2> log || { cat log; exit 1; }
cat > expected <<EXPECTED
float32 sum: bf16 x bf16
bfloat16 sum: $narrow
sum over the first axis: f32 x f32
sum over the first axis, float32 sum, left factor put together: $together
the same of parts transposed by themselves: bf16 x bf16
transposed, then leaky ReLU: $leaky
EXPECTED
diff expected seen
echo "as stated"
