"""Members over one axis of the devices, batches over the other: the same results as on one device."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from same_bits import named_leaves
from toy import member_alone, start, toy_assembly, train

from sejax.engine.ensemble import make_mesh, place

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def two_devices(tmp_path_factory):
    """What a process with two emulated CPU devices came to."""
    folder = tmp_path_factory.mktemp("two_devices")
    flags = [os.environ.get("XLA_FLAGS", ""), "--xla_force_host_platform_device_count=2"]  # compiled as here
    environment = os.environ | {
        "XLA_FLAGS": " ".join(flags),
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join(map(str, (HERE.parents[1], HERE.parent, HERE))),
    }
    command = [sys.executable, str(HERE / "two_devices.py"), str(folder / "found.npz"), str(folder / "checkpoints")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = dict(np.load(folder / "found.npz"))
    assert found.pop("devices") == 2
    return found


def _expected(segment, assembly):
    carry = train(segment, assembly)
    return named_leaves((carry.state.replace(key=None), carry.history, carry.records))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "members", "axes", "replicated"),
    [
        ("member_scan", {"rates": (0.05, 0.1), "limits": (3, 2)}, (2, 1), False),
        ("data_scan", {"rates": (0.2,), "limits": (3,)}, (1, 2), True),
        ("data_streamed", {"rates": (0.2,), "limits": (3,)}, (1, 2), True),
    ],
)
def test_two_devices_come_to_what_one_comes_to(two_devices, segments, name, members, axes, replicated):
    about = {key: two_devices[f"{name}/about/{key}"] for key in ("devices", "member", "data", "spread", "replicated")}
    assert (about["member"], about["data"]) == axes
    assert about["devices"] == about["spread"] == 2 and bool(about["replicated"]) is replicated
    backend = "loop" if "streamed" in name else "scan"
    for key, expected in _expected(segments(backend, "vmap"), toy_assembly(**members)).items():
        np.testing.assert_allclose(two_devices[f"{name}/{key}"], expected, rtol=1e-5, err_msg=key)


def test_the_old_pmap_maps_the_pure_step_over_members(two_devices, segments):
    assembly = toy_assembly(rates=(0.05, 0.1), limits=(3, 2))
    segment = segments("scan", "vmap")
    carry = segment.advance(assembly.data, start(segment, assembly), 3)
    np.testing.assert_allclose(two_devices["pmap/slope"], carry.state.slope, rtol=1e-5)


def test_the_driver_spreads_members_over_the_devices_by_itself(two_devices):
    for row, loss in enumerate(two_devices["run/loss"]):
        _, records, _ = member_alone(toy_assembly(rates=(0.05, 0.1), limits=(3, 2)), row)
        np.testing.assert_allclose(loss, records[-1]["loss"], rtol=1e-5)


def test_one_device_holds_everything_and_leaves_batches_alone():
    placed = place(3, 2, jax.devices()[:1])
    assert placed.description == {"devices": 1, "member": 1, "data": 1}
    batch = {"x": np.ones((2, 4))}
    assert placed.constrain(batch) is batch


@pytest.mark.parametrize(
    ("members", "batch_size", "devices", "member", "data", "copies"),
    [
        (5, 32, 5, 5, 1, 0),
        (6, 32, 4, 2, 2, 0),
        (4, 32, 8, 4, 2, 0),
        (6, 9, 9, 3, 3, 0),
        (15, 32, 8, 8, 1, 1),  # one copy costs less than adding up gradients
        (5, 32, 4, 2, 2, 1),
        (3, 32, 2, 1, 2, 0),  # one copy of three costs more
        (3, 5, 2, 2, 1, 1),
        (1, 7, 2, 1, 1, 0),
    ],
)
def test_members_take_the_devices_that_pay_and_batches_what_is_left(
    monkeypatch, members, batch_size, devices, member, data, copies
):
    meshes = []
    monkeypatch.setattr("sejax.engine.ensemble.make_mesh", lambda used, **axes: meshes.append((len(used), axes)))
    placed = place(members, batch_size, list(range(devices)))
    axes = {"devices": member * data, "member": member, "data": data}
    assert placed.description == axes | ({"copies": copies} if copies else {})
    assert placed.rows == members + copies
    assert meshes == ([(member * data, {"member": member, "data": data})] if member * data > 1 else [])


def test_the_mesh_has_auto_axes():
    mesh = make_mesh(jax.devices()[:1], member=1, data=1)
    assert mesh.axis_names == ("member", "data")
    assert all(kind == jax.sharding.AxisType.Auto for kind in mesh.axis_types)
