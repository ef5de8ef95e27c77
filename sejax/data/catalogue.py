"""Which prepared set a config means: looked up by corpus and settings, so that nobody types hashes."""

import json
from pathlib import Path
from typing import Any

from sejax.audio.opensmile import check_features
from sejax.data.features import Spectrograms, load
from sejax.data.settings import FEATURES
from sejax.data.utterance_spectrograms import UtteranceSpectrograms
from sejax.data.utterance_spectrograms import load as load_utterances
from sejax.data.vectors import Vectors
from sejax.data.vectors import load as load_vectors
from sejax.data.waveforms import Waveforms
from sejax.data.waveforms import load as load_waveforms
from sejax.errors import InputError


def find(
    data_dir: Path, corpus: str, *, scale: str, voice_activity: str, features: str = "spectrograms"
) -> Spectrograms:
    """The finished set of a corpus with these settings, of all that `sejax.data.features.prepare` left.

    Args:
      data_dir: as given to launch/prepare.py.
      corpus: its name.
      scale: "log" or "mel".
      voice_activity: "0" to "3", or "none".
      features: "spectrograms" (blocks of 1 s) or "chunks" (of 30 ms), see `sejax.data.settings.FEATURES`.

    Raises:
      InputError: no such set (the command that makes it is named), or several that differ in settings
        not named here.
    """
    usual = FEATURES[features]().as_dict()
    wanted = {"scale": scale, "voice_activity": None if voice_activity == "none" else int(voice_activity)}
    wanted["block_length"] = usual["block_length"]
    asked = f"corpus={corpus}, features={features}, scale={scale}, voice_activity={voice_activity}"
    given = "" if features == "spectrograms" else f"--features={features} "
    missing = (
        f"no prepared set for {asked} under {data_dir}; make it with python launch/prepare.py --corpus={corpus} "
        f"--source=DIR {given}--scale={scale} --voice_activity={voice_activity} --data_dir={data_dir}"
    )
    found = _with_settings(finished_sets(data_dir, corpus), wanted)
    return load(_only(found, missing, f"prepared sets fit {asked}"))


def finished_sets(data_dir: Path, corpus: str) -> list[Path]:
    """settings.json of every finished set of a corpus."""
    return _finished(data_dir, corpus, "spectrograms")


def find_vectors(data_dir: str | Path, corpus: str, features: str = "emobase2010") -> Vectors:
    """The finished set of feature vectors of a corpus.

    Args:
      data_dir: as given to launch/prepare.py.
      corpus: its name.
      features: "emobase2010" or "is10".

    Raises:
      InputError: an unknown feature set, no such set of vectors (the command that makes it is named), or several (of
        other files or another openSMILE).
    """
    check_features(features)
    missing = (
        f"no prepared {features} vectors of {corpus} under {data_dir}; make them with python launch/prepare.py"
        f" --corpus={corpus} --source=DIR --features={features} --data_dir={data_dir}"
    )
    found = [path.parent for path in _finished(data_dir, corpus, features)]
    return load_vectors(_only(found, missing, f"prepared sets of {features} vectors of {corpus}"))


def find_utterance_spectrograms(data_dir: str | Path, corpus: str, *, scale: str = "log") -> UtteranceSpectrograms:
    """The finished set of whole-utterance spectrograms of a corpus.

    Args:
      data_dir: as given to launch/prepare.py.
      corpus: its name.
      scale: "log" or "mel".

    Raises:
      InputError: no such set (the command that makes it is named), or several that differ in other settings.
    """
    missing = (
        f"no prepared utterance spectrograms of {corpus} with scale={scale} under {data_dir}; make them with python"
        f" launch/prepare.py --corpus={corpus} --source=DIR --features=utterance_spectrograms --scale={scale}"
        f" --data_dir={data_dir}"
    )
    found = _with_settings(_finished(data_dir, corpus, "utterance_spectrograms"), {"scale": scale})
    return load_utterances(_only(found, missing, f"prepared sets of utterance spectrograms of {corpus}"))


def find_waveforms(data_dir: str | Path, corpus: str) -> Waveforms:
    """The finished set of waveforms with transcripts of a corpus.

    Args:
      data_dir: as given to launch/prepare.py.
      corpus: its name.

    Raises:
      InputError: no such set (the command that makes it is named), or several (of other files).
    """
    missing = (
        f"no prepared waveforms of {corpus} under {data_dir}; make them with python launch/prepare.py"
        f" --corpus={corpus} --source=DIR --features=waveforms --data_dir={data_dir}"
    )
    found = [path.parent for path in _finished(data_dir, corpus, "waveforms")]
    return load_waveforms(_only(found, missing, f"prepared sets of waveforms of {corpus}"))


def _only(found: list[Path], missing: str, several: str) -> Path:
    """The one folder that was found; InputError for none and for more."""
    if not found:
        raise InputError(missing)
    if len(found) > 1:
        raise InputError(f"{len(found)} {several}: {', '.join(map(str, found))}; delete or move all but one")
    return found[0]


def _finished(data_dir: str | Path, corpus: str, kind: str) -> list[Path]:
    found = Path(data_dir, corpus).glob(f"{kind}-*/settings.json")
    return sorted(path for path in found if path.parent.suffix != ".unfinished")


def _with_settings(found: list[Path], wanted: dict[str, Any]) -> list[Path]:
    """Folders of the sets whose settings.json says so."""
    said = {path.parent: json.loads(path.read_text())["settings"] for path in found}
    return [folder for folder in said if all(said[folder].get(name) == value for name, value in wanted.items())]
