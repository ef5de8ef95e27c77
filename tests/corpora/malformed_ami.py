"""Malformed copies of the tree in `ami_tree`: (make, options, culprit, remedy) by name, as in `malformed_originals`."""

from malformed_cases import replace, truncate

_AMI = "ami_public_manual_1.6.2"
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
    "a segment that ends before it starts": (
        lambda d: replace(d / _AMI / "segments/ES2002a.A.segments.xml", '"1.7"', '"0.1"'),
        {},
        "segment 'ES2002a.A.sync.0' lasts from 0.15 s to 0.1 s",
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
    "a segment outside the meeting": (
        lambda d: replace(d / _AMI / "segments/IS1003b.A.segments.xml", '"0.65"', '"9.5"'),
        {},
        "lie outside the meeting (3.00 s)",
        "annotations 1.6.2 again",
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
