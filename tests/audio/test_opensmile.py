"""openSMILE's sets: names and their order, emobase2010's three settings, and waveforms that have no functionals."""

import contextlib
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sejax.audio import opensmile as module
from sejax.audio.opensmile import Extractor, NoFeatures, changed
from sejax.data.vectors.load import PITCH
from sejax.errors import InputError

needs_opensmile = pytest.mark.skipif(
    not importlib.util.find_spec("opensmile"), reason="the package opensmile is not installed"
)

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = {"is10": "IS10", "compare2016": "ComParE_2016", "egemapsv02": "eGeMAPSv02"}  # the package's own names

# Lines of the configuration as the patch looks for them, with what it must leave alone around them.
CONFIGURATION = """
[pitchShs:cPitchShs]
voicingCutoff = 0.75
[pitchJitter:cPitchJitter]
copyInputName = 1
[mfcc:cMfcc]
; [not a section]
copyInputName = 0
[vo:cVectorOperation]
copyInputName = 0
[functL1:cFunctionals]
Extremes.norm = frame
Times.norm = segment
[functL1nz:cFunctionals]
Extremes.norm=frame
"""


def emobase2010(configuration):
    return changed(configuration, module._SETS["emobase2010"].changes, "emobase2010")


def vowel(seconds=1.5, rate=16000):
    """A gliding vowel with a pause, int16[T]."""
    time = np.arange(round(seconds * rate)) / rate
    pitch = 2 * np.pi * np.cumsum(130 + 40 * np.sin(4 * time)) / rate
    loud = 3000 * np.clip(np.sin(6 * time), 0, None)
    noise = np.random.default_rng(0).normal(0, 30, len(time))
    return (loud * sum(np.cos(k * pitch) / k for k in range(1, 15)) + noise).astype(np.int16)


def published_names(cepstral):
    """1582 names: 34 descriptors and their slopes, 21 functionals; 4 of the voice, 19 functionals; 2 of the turn."""
    shape = ("linregc1", "linregc2", "linregerrA", "linregerrQ", "stddev", "skewness", "kurtosis")
    quartiles = ("quartile1", "quartile2", "quartile3", "iqr1-2", "iqr2-3", "iqr1-3")
    first = ("maxPos", "minPos", "amean", *shape, *quartiles)
    levels = ("upleveltime75", "upleveltime90")
    every = (*first, "percentile1.0", "percentile99.0", "pctlrange0-1", *levels)
    voiced = (*first, "percentile99.0", *levels)
    numbered = [(cepstral, 15), ("logMelFreqBand", 8), ("lspFreq", 8)]

    def descriptors(slope):
        bands = [f"{name}_sma{slope}[{number}]" for name, count in numbered for number in range(count)]
        rest = [f"{name}_sma{slope}" for name in ("F0finEnv", "voicingFinalUnclipped")]
        return [f"pcm_loudness_sma{slope}", *bands, *rest]

    voice = ("F0final", "jitterLocal", "jitterDDP", "shimmerLocal")
    names = [f"{one}_{kind}" for slope in ("", "_de") for one in descriptors(slope) for kind in every]
    names += [f"{one}_sma{slope}_{kind}" for slope in ("", "_de") for one in voice for kind in voiced]
    return (*names, "F0final__Turn_numOnsets", "F0final__Turn_duration")


@pytest.fixture(scope="module")
def extractors(opensmile_installed):
    return {features: Extractor(features) for features in module.FEATURE_SETS}


@pytest.mark.parametrize(("features", "cepstral"), [("emobase2010", "pcm_fftMag_mfcc"), ("is10", "mfcc")])
def test_the_names_come_in_the_published_order(extractors, features, cepstral):
    names = extractors[features].names
    assert len(names) == len(set(names)) == 1582
    assert names == published_names(cepstral)


def test_positions_of_extremes_are_shares_of_the_utterance_in_emobase2010_alone(extractors):
    waveform = vowel()
    positions = [number for number, name in enumerate(extractors["is10"].names) if name.endswith(("maxPos", "minPos"))]
    assert len(positions) == 2 * (34 + 4) * 2
    share = extractors["emobase2010"](waveform, 16000)[positions]
    frame = extractors["is10"](waveform, 16000)[positions]
    assert share.min() >= 0 and 0.5 < share.max() <= 1
    assert frame.max() > 50


def test_the_sets_differ_in_positions_and_what_hangs_on_voicing(extractors):
    waveform = vowel()
    names = extractors["is10"].names
    differ = {
        names[i]
        for i in np.flatnonzero(extractors["is10"](waveform, 16000) != extractors["emobase2010"](waveform, 16000))
    }
    of_pitch = ("F0", "voicing", "jitter", "shimmer")
    assert {name for name in differ if not name.startswith(of_pitch)} <= {
        name for name in names if name.endswith(("maxPos", "minPos"))
    }
    assert len(differ) > 100


@pytest.mark.parametrize(("features", "size"), [("compare2016", 6373), ("egemapsv02", 88)])
def test_the_newer_sets_have_their_published_sizes(extractors, features, size):
    assert len(set(extractors[features].names)) == module.size(features) == size


@pytest.mark.parametrize("features", ["compare2016", "egemapsv02"])
def test_a_voice_has_pitch_and_noise_has_none(extractors, features):
    (place,) = (number for number, name in enumerate(extractors[features].names) if name in PITCH)
    noise = np.random.default_rng(0).normal(0, 300, 16000).astype(np.int16)
    assert extractors[features](vowel(), 16000)[place] > 0 and extractors[features](noise, 16000)[place] == 0


@pytest.mark.parametrize("features", ["emobase2010", "is10"])
def test_every_real_position_lies_in_the_unit_interval(extractors, emodb_source, features):
    extractor = extractors[features]
    positions = [number for number, name in enumerate(extractor.names) if name.endswith(("maxPos", "minPos"))]
    files = sorted((emodb_source / "wav").glob("*.wav"))[::60]
    found = np.stack([extractor(*soundfile.read(path, dtype="int16")) for path in files])
    assert np.isfinite(found).all()
    inside = (found[:, positions] >= 0).all() and (found[:, positions] <= 1).all()
    assert inside == (features == "emobase2010")


@pytest.mark.parametrize("features", module.FEATURE_SETS)
def test_values_and_names_equal_the_packages_own_class_reading_the_file(extractors, features, tmp_path):
    import opensmile

    soundfile.write(tmp_path / "vowel.wav", vowel(), 16000)
    shipped, made = SHIPPED.get(features), str(extractors[features].configuration)
    known = opensmile.FeatureSet[shipped] if shipped else made
    expected = opensmile.Smile(known).process_file(tmp_path / "vowel.wav")
    assert tuple(expected.columns) == extractors[features].names
    np.testing.assert_array_equal(extractors[features](vowel(), 16000), expected.to_numpy()[0])


def test_what_came_before_does_not_matter(extractors):
    extractor = extractors["emobase2010"]
    first = extractor(vowel(), 16000)
    for before, rate in ((vowel(0.7)[::-1].copy(), 16000), (vowel()[:900], 16000), (vowel(0.5, rate=8000), 8000)):
        with contextlib.suppress(NoFeatures):
            extractor(before, rate)
        np.testing.assert_array_equal(extractor(vowel(), 16000), first)


def test_another_rate_is_told_to_opensmile(extractors, tmp_path):
    import opensmile

    expected = opensmile.Smile(opensmile.FeatureSet.IS10)(vowel(rate=8000) / np.float32(32768), 8000)
    np.testing.assert_array_equal(extractors["is10"](vowel(rate=8000), 8000), expected.reshape(-1))


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.zeros(16000, np.int16), "silent: 1.000 s of one value"),
        (np.full(16000, 7, np.int16), "silent"),
        (np.array([5], np.int16), "silent: 0.000 s"),
        (np.array([], np.int16), "silent"),
        (vowel()[:900], r"too short for openSMILE \(0.056 s\)"),
    ],
)
def test_waveforms_without_functionals_are_told_with_a_remedy(extractors, waveform, message):
    with pytest.raises(NoFeatures, match=f"{message}.*leave it out"):
        extractors["emobase2010"](waveform, 16000)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_results_that_are_not_finite_are_refused_by_name(extractors, monkeypatch, value):
    found = np.ones(1582, np.float32)
    found[[3, 5]] = value
    monkeypatch.setattr(extractors["is10"], "_run", lambda waveform, rate: [found])
    with pytest.raises(NoFeatures, match="2 features are not finite, pcm_loudness_sma_linregc1 the first"):
        extractors["is10"](vowel(), 16000)


def test_an_error_inside_opensmile_belongs_to_the_waveform_alone(extractors, monkeypatch):
    extractor = extractors["is10"]
    before = extractor(vowel(), 16000)

    def broken():
        raise extractor._library.OpenSmileException(1, "no")

    with monkeypatch.context() as patch:
        patch.setattr(extractor._smile, "run", broken)
        with pytest.raises(NoFeatures, match=r"openSMILE stops"):
            extractor(vowel(), 16000)
    np.testing.assert_array_equal(extractor(vowel(), 16000), before)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the process's memory from /proc")
def test_memory_does_not_grow_with_the_number_of_waveforms(extractors):
    def kilobytes():
        return int(re.search(r"VmRSS:\s*(\d+) kB", Path("/proc/self/status").read_text())[1])

    sizes = []
    for number in range(120):
        extractors["is10"](vowel(0.2), 16000)
        if number % 40 == 39:
            sizes.append(kilobytes())
    assert sizes[2] - sizes[0] < 2000  # 25 to a waveform


@needs_opensmile
def test_the_packages_table_tools_are_not_imported():
    script = (
        "import sys; from sejax.audio.opensmile import Extractor; Extractor('is10'); print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
@needs_opensmile
@pytest.mark.parametrize("before", ["tensorflow", "opensmile", "tensorflow, opensmile", "opensmile, tensorflow"])
def test_what_the_process_has_loaded_before_does_not_change_the_functionals(extractors, tmp_path, before):
    if "tensorflow" in before:
        pytest.importorskip("tensorflow")
    np.save(tmp_path / "vowel.npy", vowel())
    script = (
        f"import sys, {before}, numpy as np; from sejax.audio.opensmile import Extractor; extract = Extractor('is10');"
        "found = [extract(np.load(sys.argv[1]), 16000) for _ in range(3)]; np.save(sys.argv[2], found[-1])"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "vowel.npy"), str(tmp_path / "found.npy")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    np.testing.assert_array_equal(np.load(tmp_path / "found.npy"), extractors["is10"](vowel(), 16000))


def test_where_no_copy_of_the_library_can_be_made_the_error_says_what_to_do(extractors, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.shutil, "copytree", full)
    monkeypatch.setattr(module, "_is_loaded", lambda path: True)
    with pytest.raises(InputError, match=r"cannot be loaded from .*No space left on device.*; set TMPDIR to"):
        module._library.__wrapped__()


def test_floating_point_samples_are_refused(extractors):
    with pytest.raises(InputError, match="float32.*give int16"):
        extractors["is10"](vowel().astype(np.float32), 16000)


@needs_opensmile
def test_exactly_four_lines_of_the_installed_configuration_change():
    before = Extractor("is10").configuration.read_text(encoding="utf-8")
    after = emobase2010(before)
    changed = [(old, new) for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new]
    assert changed == [
        ("voicingCutoff = 0.75", "voicingCutoff = 0.70"),
        ("copyInputName = 0", "copyInputName = 1"),
        ("Extremes.norm = frame", "Extremes.norm = segment"),
        ("Extremes.norm = frame", "Extremes.norm = segment"),
    ]


@needs_opensmile
def test_each_setting_changes_in_its_own_section_alone():
    after = emobase2010(CONFIGURATION)
    assert after.count("Extremes.norm") == 2 and "frame" not in after
    assert after.index("copyInputName = 1", after.index("[mfcc")) < after.index("[vo:")
    assert after.index("copyInputName = 0") > after.index("[vo:")
    assert "[pitchShs:cPitchShs]\nvoicingCutoff = 0.70\n" in after and "Extremes.norm=segment\n" in after


@needs_opensmile
@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("voicingCutoff = 0.75", "voicingCutoff = 0.65", r"1 sections \[pitchShs\] and in them 0 lines"),
        ("voicingCutoff = 0.75", "voicingCutoff = 0.75\nvoicingCutoff = 0.75", "2 lines voicingCutoff = 0.75"),
        ("voicingCutoff = 0.75", "voicingCutoff = 0.755", "0 lines voicingCutoff"),
        ("[mfcc:cMfcc]", "[mfccs:cMfcc]", r"0 sections \[mfcc\]"),
        ("[functL1nz:", "[functL1:", r"2 sections \[functL1\]"),
        ("[vo:cVectorOperation]\n", "", "2 lines copyInputName = 0"),
    ],
)
def test_another_configuration_is_refused_with_what_was_found(old, new, found):
    assert old in CONFIGURATION
    with pytest.raises(InputError, match=f"{found}.*install opensmile==2.6.0"):
        emobase2010(CONFIGURATION.replace(old, new))


def test_an_unknown_set_is_refused():
    with pytest.raises(InputError, match="features='gemaps'.*emobase2010, is10, compare2016, egemapsv02"):
        Extractor("gemaps")


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(module.importlib.metadata, "version", missing)
    with pytest.raises(InputError, match=r"pip install 'sejax\[data\]'"):
        Extractor("is10")
