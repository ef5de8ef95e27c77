"""The option that XLA has to be given before JAX first touches a device, for its convolutions to be quick."""

import os
from importlib.metadata import version

_OPTION = "--xla_cpu_experimental_ynn_fusion_type"
_SHARED = f"{_OPTION}=-LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION"
_KNOWN_BY = ("0.10.", "0.11.", "0.12.")  # with an option that it does not know, XLA ends the process


def share_convolutions() -> None:
    """On a CPU, leaves each convolution to XLA, which shares it out to all cores and is quick with kernels' gradients.

    XLA hands single convolutions to YNNPACK, which in JAX 0.10 works on one with one thread, and up to 0.12 takes 4 to
    7 times as long for one with the large windows of a kernel's gradient; this puts into the environment's XLA_FLAGS
    that it is not to. Last bits of convolutions differ. Nothing where XLA_FLAGS has the option already
    (`=+LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION`, say, asks for what JAX does by itself), or with a JAX that may not
    know it. The commands call it; who imports sejax may, before the first array.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if version("jaxlib").startswith(_KNOWN_BY) and _OPTION not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_SHARED}".strip()


def asked_to_share() -> bool:
    """Whether XLA_FLAGS has what `share_convolutions` puts there; False with a JAX that may not know the option."""
    return _SHARED in os.environ.get("XLA_FLAGS", "")
