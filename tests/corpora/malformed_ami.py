"""Malformed copies of the tree in `ami_tree`: (make, options, culprit, remedy) by name, as in `malformed_originals`."""

from ami_tree import write_nxt
from malformed_cases import replace, truncate
from trees import noise, write_wav

_AMI = "ami_public_manual_1.6.2"


def cut(folder):
    """A headset of 0.2 s and five segments behind its end, one more than a slip of the annotations would be."""
    name = "IS1003b.D"
    words, segments = "", ""
    for number in range(5):
        start, end, word = 1.3 + number, 1.4 + number, f"{name}.words{number}"
        words += f'  <w nite:id="{word}" starttime="{start}" endtime="{end}">Hello</w>\n'
        times = f'transcriber_start="{start}" transcriber_end="{end}"'
        segments += f'  <segment nite:id="{name}.sync.{number}" {times}>\n'
        segments += f'    <nite:child href="{name}.words.xml#id({word})"/>\n  </segment>\n'
    write_nxt(folder / _AMI / f"words/{name}.words.xml", words)
    write_nxt(folder / _AMI / f"segments/{name}.segments.xml", segments)
    write_wav(folder / "amicorpus/IS1003b/audio/IS1003b.Headset-3.wav", noise(0.2))


AMI = {
    "a missing words file": (
        lambda d: (d / _AMI / "words/ES2002a.A.words.xml").unlink(),
        {},
        "ES2002a.A.words.xml: no such file",
        "annotations 1.6.2 again",
    ),
    "broken XML": (
        lambda d: replace(d / _AMI / "segments/ES2002a.A.segments.xml", "</nite:root>", ""),
        {},
        "ES2002a.A.segments.xml: is not XML",
        "annotations 1.6.2 again",
    ),
    "a segment without an end": (
        lambda d: replace(d / _AMI / "segments/ES2002a.A.segments.xml", 'transcriber_end="1.7"', ""),
        {},
        "segment 'ES2002a.A.sync.0' lasts from 0.15 s to None s",
        "annotations 1.6.2 again",
    ),
    "a words file without its words": (
        lambda d: write_nxt(d / _AMI / "words/ES2002a.A.words.xml", ""),
        {},
        "refers to 'ES2002a.A.words0', which no word has",
        "annotations 1.6.2 again",
    ),
    "a segments file without its segments": (
        lambda d: write_nxt(d / _AMI / "segments/ES2002a.A.segments.xml", ""),
        {},
        "7 of 9 segments, 5 of 6 segments with a word",
        "annotations 1.6.2 again",
    ),
    "a words file too few": (
        lambda d: (d / _AMI / "words/ES2002a.E.words.xml").unlink(),
        {},
        "4 of 5 words files",
        "annotations 1.6.2 again",
    ),
    "a segments file too few": (
        lambda d: (d / _AMI / "segments/ES2002a.E.segments.xml").unlink(),
        {},
        "4 of 5 segments files",
        "annotations 1.6.2 again",
    ),
    "a speaker too few": (
        lambda d: replace(d / _AMI / "corpusResources/meetings.xml", ' nxt_agent="D"', ' nxt_agent="A"'),
        {},
        "3 of 4 speakers in meetings.xml",
        "annotations 1.6.2 again",
    ),
    "a reference that nobody understands": (
        lambda d: replace(d / _AMI / "segments/IS1003b.A.segments.xml", "#id(", "#xpointer("),
        {},
        "refers to 'IS1003b.A.words.xml#xpointer(",
        "annotations 1.6.2 again",
    ),
    "a word that is not there": (
        lambda d: replace(d / _AMI / "segments/ES2002a.A.segments.xml", "words9)", "words99)"),
        {},
        "refers to 'ES2002a.A.words99', which no word has",
        "annotations 1.6.2 again",
    ),
    "a headset that was cut": (
        cut,
        {},
        "1.3 s to 1.4 s lie outside the meeting (0.20 s)",
        "get the headset again",
    ),
    "another sampling rate": (
        lambda d: write_wav(d / "amicorpus/IS1003b/audio/IS1003b.Headset-0.wav", noise(3, rate=48000), rate=48000),
        {},
        "1 of 4 files: not sampled at 16000 Hz as published: IS1003b.Headset-0.wav (48000 Hz)",
        "not the original files",
    ),
    "a headset of a meeting without distant microphones": (
        lambda d: (d / "amicorpus/IS1003b/audio/IS1003b.Headset-3.wav").unlink(),
        {},
        "missing IS1003b.Headset-3.wav",
        "get the individual headsets",
    ),
    "a speaker whom nobody knows": (
        lambda d: replace(d / _AMI / "corpusResources/meetings.xml", 'nxt_agent="B"', 'nxt_agent="C"'),
        {},
        "does not say who is B of ES2002a",
        "annotations 1.6.2 again",
    ),
    "a speaker without a headset": (
        lambda d: replace(d / _AMI / "corpusResources/meetings.xml", 'channel="1"', 'channel=""'),
        {},
        "a speaker has nxt_agent='A', global_name='MEE006', channel=''",
        "annotations 1.6.2 again",
    ),
    "a truncated headset": (
        lambda d: truncate(d / "amicorpus/ES2002a/audio/ES2002a.Headset-1.wav"),
        {},
        "ES2002a.Headset-1.wav: truncated",
        "copy it again",
    ),
    "an unknown part": (lambda d: None, {"part": ("XY",)}, "part=XY: no meeting", "--part=ES2002a,IS"),
}
