"""The option that XLA has to be given before JAX first touches a device, for its convolutions to use all cores."""

import os
from importlib.metadata import version

_OPTION = "--xla_cpu_experimental_ynn_fusion_type"
_SHARED = f"{_OPTION}=-LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION"


def share_convolutions() -> None:
    """On a CPU, lets all cores work on each convolution, which JAX 0.10 would give to one.

    XLA hands single convolutions to YNNPACK, which works on one with one thread; this puts into the environment's
    XLA_FLAGS that it is not to. Last bits of convolutions differ. Nothing where XLA_FLAGS has the option already
    (`=+LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION`, say, asks for what JAX does by itself), or with another JAX. The
    commands call it; who imports sejax may, before the first array.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if version("jaxlib").startswith("0.10.") and _OPTION not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_SHARED}".strip()


def asked_to_share() -> bool:
    """Whether XLA_FLAGS has what `share_convolutions` puts there; False with a JAX that does not know the option."""
    return _SHARED in os.environ.get("XLA_FLAGS", "")
