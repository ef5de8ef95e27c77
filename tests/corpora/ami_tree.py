"""A small tree of the AMI corpus in its original format: two meetings, four speakers who speak.

It has what the release has: empty files of an agent whom meetings.xml does not know, segments that end before they
begin (one with a word, one without), and one that lies beyond its recording.
"""

from pathlib import Path

from trees import noise, write_text, write_wav

_HEAD = '<?xml version="1.0" encoding="ISO-8859-1" standalone="yes"?>\n'
_ROOT = '<nite:root nite:id="{name}" xmlns:nite="http://nite.sourceforge.net/">\n{body}</nite:root>\n'

MEETINGS = """  <meeting nite:id="meet_1" observation="ES2002a" duration="4.00" type="scenario" visual_type="remote">
    <speaker nite:id="s1" nxt_agent="A" camera="Closeup1" role="PM" global_name="MEE006" channel="1"/>
    <speaker nite:id="s2" nxt_agent="B" camera="Closeup2" role="ME" global_name="FEE005" channel="0"/>
  </meeting>
  <meeting nite:id="meet_2" observation="IS1003b" duration="3.00" type="scenario">
    <speaker nite:id="s3" nxt_agent="A" camera="Closeup1" role="PM" global_name="MIO020" channel="0"/>
    <speaker nite:id="s4" nxt_agent="D" camera="Closeup2" role="ID" global_name="FIE037" channel="3"/>
  </meeting>
"""
PARTICIPANTS = """  <participant nite:id="p1" global_name="MIO020" sex="F" age_at_collection="25"/>
  <participant nite:id="p2" global_name="FEE005" sex="F" age_at_collection="30"/>
"""
WORDS = {
    "ES2002a.A": """  <vocalsound nite:id="ES2002a.A.words0" starttime="0.20" endtime="0.40" type="cough"/>
  <w nite:id="ES2002a.A.words1" starttime="0.50" endtime="0.80">Caf\xe9</w>
  <w nite:id="ES2002a.A.words2" starttime="0.80" endtime="0.80" punc="true">,</w>
  <w nite:id="ES2002a.A.words3" starttime="0.85" endtime="1.10" trunc="true">remo</w>
  <disfmarker nite:id="ES2002a.A.words4" starttime="1.10" endtime="1.10"/>
  <w nite:id="ES2002a.A.words5" starttime="1.15" endtime="1.60">controls</w>
  <w nite:id="ES2002a.A.words6" starttime="1.60" endtime="1.60" punc="true">.</w>
  <w nite:id="ES2002a.A.words7">Um</w>
  <gap nite:id="ES2002a.A.words8" starttime="2.00" endtime="2.10"/>
  <w nite:id="ES2002a.A.words9" starttime="2.30" endtime="2.70">Right</w>
""",
    "ES2002a.B": """  <vocalsound nite:id="ES2002a.B.words0" starttime="1.00" endtime="1.40" type="laugh"/>
  <w nite:id="ES2002a.B.words1">Okay</w>
  <w nite:id="ES2002a.B.words2" punc="true">.</w>
  <w nite:id="ES2002a.B.words3" starttime="2.20" endtime="2.30">Hm</w>
  <vocalsound nite:id="ES2002a.B.words4" starttime="2.80" endtime="2.90" type="cough"/>
""",
    "ES2002a.E": "",
    "IS1003b.A": """  <w nite:id="IS1003b.A.words0" starttime="0.10" endtime="0.60">Thanks</w>
""",
    "IS1003b.D": """  <w nite:id="IS1003b.D.words0" starttime="0.70" endtime="0.90">Hello</w>
  <w nite:id="IS1003b.D.words1" starttime="4.10" endtime="4.40">Bye</w>
""",
}
# Speaker, start, end, what the segment refers to: numbers of words, (first, last) or one.
SEGMENTS = {
    "ES2002a.A": [(0.15, 1.70, [(0, 6)]), (1.80, 2.60, [7, (8, 9)])],
    "ES2002a.B": [(0.90, 1.50, [0]), (2.00, 2.50, [(1, 2)]), (2.70, 2.60, [3]), (2.95, 2.85, [4])],
    "ES2002a.E": [],
    "IS1003b.A": [(0.05, 0.65, [0])],
    "IS1003b.D": [(0.65, 0.95, [0]), (4.05, 4.45, [1])],
}
COUNTS = {
    **{"meetings": 2, "segments files": 5, "words files": 5, "speakers in meetings.xml": 4},
    **{"segments": 9, "segments with a word": 6},  # with the two that end before they begin, and without
}


def ami_tree(folder: Path) -> Path:
    """Four headsets of four and three seconds."""
    annotations = folder / "ami_public_manual_1.6.2"
    resources = {"meetings": MEETINGS, "participants": PARTICIPANTS}
    for name, body in resources.items():
        write_nxt(annotations / "corpusResources" / f"{name}.xml", body)
    for name, body in WORDS.items():
        write_nxt(annotations / "words" / f"{name}.words.xml", body)
        write_nxt(annotations / "segments" / f"{name}.segments.xml", segments(name))
    for number, (name, seconds) in enumerate({"ES2002a.0": 4, "ES2002a.1": 4, "IS1003b.0": 3, "IS1003b.3": 3}.items()):
        meeting, channel = name.split(".")
        path = folder / "amicorpus" / meeting / "audio" / f"{meeting}.Headset-{channel}.wav"
        write_wav(path, noise(seconds, seed=number))
    return folder


def segments(name: str) -> str:
    """The body of a segments file, as `SEGMENTS` lists them."""
    rows = []
    for number, (start, end, ranges) in enumerate(SEGMENTS[name]):
        times = f'transcriber_start="{start}" transcriber_end="{end}"'
        rows.append(f'  <segment nite:id="{name}.sync.{number}" channel="0" {times}>\n')
        for each in ranges:
            first, last = each if isinstance(each, tuple) else (each, None)
            to = "" if last is None else f"..id({name}.words{last})"
            rows.append(f'    <nite:child href="{name}.words.xml#id({name}.words{first}){to}"/>\n')
        rows.append("  </segment>\n")
    return "".join(rows)


def write_nxt(path: Path, body: str) -> Path:
    """An NXT file in Latin-1 around the elements `body`."""
    return write_text(path, _HEAD + _ROOT.format(name=path.stem, body=body), encoding="latin-1")
