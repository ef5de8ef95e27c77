"""Speech synthesis with eSpeak NG through ctypes (package espeakng-loader): samples and the time of every word.

eSpeak keeps hidden state (phases, flutter, noise) from one sentence to the next, which neither its reset nor its seed
clears. So every sentence gets the library freshly loaded, which takes 2 ms: the same text and voice then give the same
bytes in any order and in any process.
"""

import ctypes
import re
import threading
from dataclasses import dataclass

import numpy as np

from sejax.corpora.corpus import Word
from sejax.errors import InputError

_SYNCHRONOUS, _UTF8, _CHARACTERS = 2, 1, 1
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4  # espeak_PARAMETER
_END_OF_LIST, _WORD = 0, 1  # espeak_EVENT_TYPE
_SEED = 1
_LOCK = threading.Lock()  # the library has one set of global variables


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # characters, from 1
        ("length", ctypes.c_int),
        ("milliseconds", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("value", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class Prosody:
    """How a sentence is spoken: words per minute (80 to 450), pitch and range (0 to 100), volume (100 = normal)."""

    rate: int = 175
    pitch: int = 50
    range: int = 50
    volume: int = 100


def speak(text: str, voice: str, prosody: Prosody) -> tuple[np.ndarray, int, tuple[Word, ...]]:
    """Speak `text` (one sentence); returns int16[T], the sampling rate in Hz, and the words with their times.

    `voice` is a language with an optional variant, such as "en-us+f3". A word ends where the next one begins. Raises
    InputError for a voice that eSpeak does not have, or without the espeakng-loader package.
    """
    import _ctypes

    loader = _loader()
    pieces: list[np.ndarray] = []
    marks: list[tuple[int, int]] = []

    def collect(samples, count, events):
        if samples and count > 0:
            pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type != _END_OF_LIST:
            if events[index].type == _WORD:
                marks.append((events[index].text_position - 1, events[index].sample))
            index += 1
        return 0

    callback = _Callback(collect)
    with _LOCK:
        library = ctypes.CDLL(loader.get_library_path())
        try:
            rate = library.espeak_Initialize(_SYNCHRONOUS, 200, loader.get_data_path().encode(), 0)
            library.espeak_ng_SetRandSeed(ctypes.c_long(_SEED))
            library.espeak_SetSynthCallback(callback)
            _set_voice(library, voice, prosody)
            data = text.encode()
            library.espeak_Synth(data, len(data) + 1, 0, _CHARACTERS, 0, _UTF8, None, None)
            library.espeak_Synchronize()
            library.espeak_Terminate()
        finally:
            _ctypes.dlclose(library._handle)  # the next load begins with fresh global variables
    if not pieces:
        raise InputError(f"corpora/synthetic: eSpeak NG makes no sound of {text!r}; give it words")
    waveform = np.concatenate(pieces)
    return waveform, rate, _words(text, marks, len(waveform), rate)


def _loader():
    try:
        import espeakng_loader
    except ImportError as error:
        raise InputError(
            "corpora/synthetic: speech synthesis needs the espeakng-loader package;"
            " install it with `pip install 'sejax[synthetic]'`"
        ) from error
    return espeakng_loader


def _set_voice(library, voice: str, prosody: Prosody) -> None:
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise InputError(f"corpora/synthetic: eSpeak NG has no voice {voice!r}; use a name such as en-us+f3")
    values = {_RATE: prosody.rate, _VOLUME: prosody.volume, _PITCH: prosody.pitch, _RANGE: prosody.range}
    for parameter, value in values.items():
        library.espeak_SetParameter(parameter, value, 0)


def _words(text: str, marks: list[tuple[int, int]], length: int, rate: int) -> tuple[Word, ...]:
    """Join eSpeak's marks (character, sample) with the words of the text.

    eSpeak runs frequent pairs such as "in the" together and marks the first word alone: the words of a run share its
    time in proportion to their letters. Of a number it marks every word that is spoken ("25": three in English): the
    marks after the first lie inside it and begin no word of the text.
    """
    tokens = list(re.finditer(r"\S+", text))
    first, begins = [], []  # the token at which each marked run begins, and its first sample
    for position, sample in marks:
        inside = sum(token.start() <= position for token in tokens) - 1
        if first and tokens[inside].start() < position < tokens[inside].end() and inside <= first[-1]:
            continue
        first.append(max(inside, first[-1] + 1) if first else 0)
        begins.append(sample)
    begins.append(length)
    timed = []
    for run, (begin, end) in enumerate(zip(begins[:-1], begins[1:], strict=True)):
        until = first[run + 1] if run + 1 < len(first) else len(tokens)
        words = [token.group().strip(".,!?") for token in tokens[first[run] : until]]
        share = np.cumsum([0] + [len(word) for word in words]) / max(sum(map(len, words)), 1)
        times = (begin + share * (end - begin)) / rate
        timed += [Word(*word) for word in zip(words, times[:-1].tolist(), times[1:].tolist(), strict=True)]
    return tuple(timed)
