"""What is asked of XLA before JAX touches a device."""

import os
import subprocess
import sys

import pytest

from sejax.core import xla
from sejax.core.xla import share_convolutions

OPTION = "--xla_cpu_experimental_ynn_fusion_type"


@pytest.mark.parametrize("jaxlib", ["0.10.2", "0.11.2", "0.12.0.1"])
def test_the_option_joins_the_flags_that_are_there_once(monkeypatch, jaxlib):
    monkeypatch.setattr(xla, "version", lambda package: jaxlib)
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=here")
    share_convolutions()
    share_convolutions()
    expected = f"--xla_dump_to=here {OPTION}=-LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION"
    assert os.environ["XLA_FLAGS"] == expected


def test_a_jaxlib_that_may_not_know_the_option_is_not_given_it(monkeypatch):
    monkeypatch.setattr(xla, "version", lambda package: "0.13.0")
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    share_convolutions()
    assert "XLA_FLAGS" not in os.environ


def test_what_a_person_asked_for_stays(monkeypatch):
    monkeypatch.setattr(xla, "version", lambda package: "0.10.2")
    asked = f"{OPTION}=+LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION"
    monkeypatch.setenv("XLA_FLAGS", asked)
    share_convolutions()
    assert os.environ["XLA_FLAGS"] == asked


def test_a_command_asks_before_jax_touches_a_device():
    program = (
        "import os, sys\n"
        "import sejax.commands, sejax.engine.command\n"
        "def begun(main, **options):\n"
        "    from jax._src import xla_bridge\n"
        "    print(xla_bridge.backends_are_initialized(), os.environ.get('XLA_FLAGS', ''))\n"
        "sejax.engine.command.run_command = begun\n"
        "sejax.commands.run('train')\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("False") and OPTION in done.stdout


def test_the_jaxlib_that_is_installed_knows_the_option():
    program = "from sejax.core.xla import share_convolutions; share_convolutions(); import jax; print(jax.devices())"
    subprocess.run([sys.executable, "-c", program], env=os.environ | {"XLA_FLAGS": ""}, check=True)  # or ends with 1
