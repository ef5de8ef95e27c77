"""Folders of prepared sets keep their names: sets and runs of earlier versions are found, and nothing is made anew."""

import pytest

from sejax.audio import voice_activity
from sejax.data.blocks import prepare as blocks
from sejax.data.blocks.load import BlockSettings
from sejax.data.utterances import prepare as utterances
from sejax.data.utterances.load import UtteranceSettings
from sejax.data.vectors import prepare as vectors

CASES = [
    (blocks, blocks.prepare_blocks, {}, "spectrograms-7b5f12eaff"),
    (blocks, blocks.prepare_blocks, {"settings": BlockSettings.chunks()}, "spectrograms-3d176f25d0"),
    (
        *(blocks, blocks.prepare_blocks),
        *({"settings": BlockSettings(voice_activity=None, level="rms")}, "spectrograms-9cb442efab"),
    ),
    (blocks, blocks.prepare_blocks, {"settings": BlockSettings(frame_ms=10)}, "spectrograms-1287ca3fc0"),
    (utterances, utterances.prepare_utterances, {}, "utterance_spectrograms-b9b30b3272"),
    (
        *(utterances, utterances.prepare_utterances),
        *({"settings": UtteranceSettings(voice_activity=None)}, "utterance_spectrograms-365af13f8b"),
    ),
    (vectors, vectors.prepare_vectors, {}, "emobase2010-3b3324daa4"),
    (vectors, vectors.prepare_vectors, {"features": "is10", "level": "peak"}, "is10-79744a270c"),
]


def name_of(module, prepare, given, monkeypatch):
    """The folder's name that a preparation with these arguments would have, of utterances called utterances-x."""
    named = []
    monkeypatch.setattr(module, "prepare_set", lambda preparation, *rest, **how: named.append(preparation))
    monkeypatch.setattr(vectors, "version", lambda: "2.6.0")
    prepare("emodb", **given)
    return named[0].folder_name("utterances-x")


@pytest.mark.parametrize(("module", "prepare", "given", "name"), CASES)
def test_a_set_with_the_settings_of_earlier_versions_has_their_name(module, prepare, given, name, monkeypatch):
    assert name_of(module, prepare, given, monkeypatch) == name


def test_another_detector_and_another_version_of_it_make_other_sets(monkeypatch):
    asked = [
        (blocks, blocks.prepare_blocks, {"settings": BlockSettings(voice_activity="silero")}),
        (utterances, utterances.prepare_utterances, {"settings": UtteranceSettings(voice_activity="silero")}),
        (vectors, vectors.prepare_vectors, {"trim": "silero"}),
        (vectors, vectors.prepare_vectors, {"trim": "0"}),
        (vectors, vectors.prepare_vectors, {"trim": "3"}),
    ]
    monkeypatch.setattr(voice_activity, "_silero", lambda: None)
    monkeypatch.setattr(voice_activity.importlib.metadata, "version", lambda package: "3.4.0")
    first = [name_of(*case, monkeypatch) for case in asked]
    monkeypatch.setattr(voice_activity.importlib.metadata, "version", lambda package: "3.5.0")
    second = [name_of(*case, monkeypatch) for case in asked]
    assert len({*first, *second, *(case[-1] for case in CASES)}) == len(CASES) + 2 * 3 + 2
    assert first[3:] == second[3:]  # WebRTC's has always been taken as it is installed
