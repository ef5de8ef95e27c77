"""RAVDESS's songs: 1012 recordings of two sung sentences in six emotions by 23 of the 24 actors.

Layout and names are those of the speech part (`sejax.corpora.ravdess`) with the channel 02: `03-02-06-01-02-01-12.wav`.
Nobody sings disgust or surprise, and actor 18 does not sing.
"""

from dataclasses import replace
from pathlib import Path

from sejax.corpora.corpus import Corpus
from sejax.corpora.folder import Audio
from sejax.corpora.ravdess import ABOUT as SPEECH
from sejax.corpora.ravdess import ACTORS, Channel, open_channel

CHANNEL = Channel(
    *("ravdess_song", "03-02-", ("01", "02", "03", "04", "05", "06"), tuple(a for a in ACTORS if a != "18"), 1012, 44),
    *("Audio_Song_Actors_01-24", "speech"),
)
AUDIO = Audio(48000)  # their length together is not known
ABOUT = replace(SPEECH, description="Ryerson Audio-Visual Database of Emotional Speech and Song: the audio-only songs.")


def open_corpus(source: Path, *, allow_partial: bool = False) -> Corpus:
    """Look through the songs under `source`, at any depth; raises InputError unless all 1012 files are usable.

    They must also be at 48 kHz. `allow_partial` goes on with what is there.
    """
    return open_channel(CHANNEL, source, AUDIO, ABOUT, allow_partial=allow_partial)
