"""Small trees of corpora in their original formats, and the counts that are right for them.

`TREES[corpus]` is (make, counts): `make(folder)` writes the tree, `counts` names the module's table of published counts
and the table that is true of the tree.
"""

import os
from pathlib import Path

import numpy as np
import soundfile
from ami_tree import COUNTS as AMI_COUNTS
from ami_tree import ami_tree
from paper_trees import PAPER_TREES
from trees import noise, write_bytes, write_text, write_wav

from sejax.corpora.folder import Audio
from sejax.corpora.savee import identifiers

# As in the release the means count what nobody gave: an empty rating as 0, and the 6 of a form left untouched.
IEMOCAP_TURNS = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 7.4901]\tSes01F_impro01_F000\tneu\t[2.5000, 1.0000, 2.5000]
C-E2:\tNeutral;\t()
C-E3:\tNeutral; Sadness;\t(a bit of both (mostly neutral))
C-E4:\tNeutral;\t()
C-F1:\tFrustration;\t(curious)
A-E3:\tval 3; act 2; dom  2;\t()
A-E4:\tval 2; act ; dom  3;\t(mildly aggravated but polite)
A-F1:\tval 4; act 2; dom  1;\t()

[10.0100 - 11.2100]\tSes01F_impro01_M002\tang\t[3.5000, 5.0000, 2.0000]
C-E2:\tAnger;\t()
A-E3:\tval 1; act 4; dom  4;\t()
A-E4:\tval 6; act 6; dom  ;\t()
A-M1:\tval 2; act 3; dom  4;\t()

"""
IEMOCAP_SECOND = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[0.5000 - 0.9000]\tSes0{n}M_script01_1b_F011\txxx\t[3.0000, 3.0000, 3.0000]
C-E1:\tOther;\t(résigné)

[1.0000 - 2.0000]\tSes0{n}M_script01_1b_M009\t{code}\t[4.5000, 4.0000, 3.0000]
C-E1:\tExcited;\t()
"""
IEMOCAP_WORDS = """Ses01F_impro01_F000 [006.2901-007.4901]: Excuse me, the forms.
Ses01F_impro01_MXX0 [008.3000-009.0000]: [LAUGHTER]
M: Yes.
Ses01F_impro01_M002 [010.0100-011.2100]: Do you have your forms?
"""
IEMOCAP_TIMES = """\t SFrm\t EFrm\t SegAScr\t Word
\t    0\t   24\t  -123456\t <s>
\t   25\t   49\t  -223456\t EXCUSE
\t   50\t   59\t   -23456\t <sil>
\t   60\t   79\t  -323456\t ME(2)
\t   80\t   89\t   -99999\t ++LAUGHTER++
\t   90\t   99\t   -12345\t </s>
 Total score: -706172
"""
IEMOCAP_CODES = {1: "exc", 2: "hap", 3: "sad", 4: "fru", 5: "neu"}


def iemocap_tree(folder: Path) -> Path:
    """Two dialogues in session 1, one in each other session: twelve turns; one alignment, of the first turn."""
    for session, code in IEMOCAP_CODES.items():
        labels = {f"Ses0{session}M_script01_1b": IEMOCAP_SECOND.format(n=session, code=code)}
        words = {f"Ses0{session}M_script01_1b": f"Ses0{session}M_script01_1b_M009 [001.0000-002.0000]: Oh, great!\n"}
        if session == 1:
            labels["Ses01F_impro01"], words["Ses01F_impro01"] = IEMOCAP_TURNS, IEMOCAP_WORDS
        root = folder / f"Session{session}"
        for dialogue, text in labels.items():
            write_text(root / "dialog" / "EmoEvaluation" / f"{dialogue}.txt", text, encoding="latin-1")
            write_text(root / "dialog" / "EmoEvaluation" / "Categorical" / f"{dialogue}_e1_cat.txt", "elsewhere\n")
            write_text(root / "dialog" / "transcriptions" / f"{dialogue}.txt", words[dialogue])
            for line in text.splitlines():
                if line.startswith("["):
                    start, _, end, name = line.replace("[", "").replace("]", "").split()[:4]
                    wav = root / "sentences" / "wav" / dialogue / f"{name}.wav"
                    write_wav(wav, noise(float(end) - float(start)))
    alignment = "Session1/sentences/ForcedAlignment/Ses01F_impro01/Ses01F_impro01_F000.wdseg"
    write_text(folder / alignment, IEMOCAP_TIMES)
    return folder


MSP_LABELS = """UTD-IMPROV-S01A-F01-P-FM01.avi; N; A:2.800000; V:3.000000; D:3.100000 ; N:4.200000;
ID1-p1; Neutral; Neutral,Happy; A:3.000000; V:3.000000; D:3.000000; N:4.000000;
ID1-p1; Neutral; Neutral,Happy; A:3.000000; V:3.000000; D:3.000000; N:4.000000;
ID2-p1; Angry; Angry; A:2.000000; V:NaN; D:3.000000; N:5.000000;

UTD-IMPROV-S08H-M02-T-MF12.avi; H; A:3.5; V:4.5; D:NaN ; N:NaN;
ID1-p1; Happy; Happy; A:3; V:5; D:2; N:4;

UTD-IMPROV-S03S-F06-R-FM01.avi; S; A:1.5; V:1.5; D:2.0 ; N:4.0;

UTD-IMPROV-S02A-M01-S-FM02.avi; A; A:4.5; V:1.5; D:4.0 ; N:4.0;

UTD-IMPROV-S05N-M01-R-FM03.avi; O; A:4.5; V:1.5; D:4.0 ; N:4.0;

UTD-IMPROV-S05N-F01-S-FM04.avi; X; A:NaN; V:NaN; D:NaN ; N:NaN;
"""


def msp_improv_tree(folder: Path) -> Path:
    """Six turns: one of each letter. A rater's line stands twice."""
    write_text(folder / "Evalution.txt", MSP_LABELS)
    for line in MSP_LABELS.splitlines():
        if line.startswith("UTD"):
            name = line.partition(".avi")[0].replace("UTD", "MSP")
            _, _, sentence, speaker, scenario, _ = name.split("-")
            write_wav(folder / f"session{speaker[2]}" / sentence / scenario / f"{name}.wav")
    return folder


STM = {
    "train/stm/AaronHuey_2010X.stm": [
        "AaronHuey_2010X 1 AaronHuey_2010X 0.50 1.25 <o,f0,male> i 'm here for(2) <sil> {NOISE} you",
        "AaronHuey_2010X 1 AaronHuey_2010X 1.25 2.00 <o,f0,male> ignore_time_segment_in_scoring",
        "AaronHuey_2010X 1 AaronHuey_2010X 2.00 2.90 <o,f0,male> thank you",
    ],
    "train/stm/AdaLovelace_2011.stm": ["AdaLovelace_2011 1 AdaLovelace_2011 0.00 1.00 <o,f0,female> good morning"],
    "dev/stm/AlGore_2009.stm": [
        ";; a comment",
        "AlGore_2009 1 Al_Gore 0.10 0.60 <F0_M> last year (AlGore_2009-10-60-M)",
        "AlGore_2009 1 inter_segment_gap 0.60 0.90 <o,,unknown> ignore_time_segment_in_scoring",
    ],
}


def tedlium_tree(folder: Path) -> Path:
    """Two talks of three seconds in train, one in dev; four segments."""
    for number, (name, lines) in enumerate(STM.items()):
        path = write_text(folder / name, "\n".join(lines) + "\n")
        sph = path.parent.parent / "sph" / f"{path.stem}.sph"
        sph.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(sph, noise(3.0, seed=number), 16000, format="NIST", subtype="PCM_16")
    return folder


def librispeech_tree(folder: Path) -> Path:
    """Two chapters in dev-clean (three utterances), one in train-clean-100 (one utterance)."""
    header = "; comments\n;ID  |SEX| SUBSET           |MINUTES| NAME\n"
    write_text(folder / "SPEAKERS.TXT", header + "84   | F | dev-clean  | 8.02  | A Reader\n19 | M | x | 1 | B | C\n")
    chapters = {"dev-clean/84/121123": 2, "dev-clean/84/121550": 1, "train-clean-100/19/198": 1}
    for place, count in chapters.items():
        names = [f"{'-'.join(place.split('/')[1:])}-{number:04}" for number in range(count)]
        for number, name in enumerate(names):
            path = folder / place / f"{name}.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, noise(0.2, seed=number), 16000)
        lines = [f"{name} GO DO YOU HEAR" for name in names]
        write_text(folder / place / f"{names[0][:-5]}.trans.txt", "\n".join(lines) + "\n")
    return folder


NEMO_ROWS = [
    ("WR0", "surprised", "64", "Ucho wykrywa dźwięki o różnej częstotliwości.", "male"),
    ("EB0", "neutral", "13", "Interesuje mnie historia Polski.", "female"),
    ("KS0", "anger", "38", "„Ród smoka” to serial telewizyjny.", "male"),
]


def nemo_tree(folder: Path) -> Path:
    """Three recordings at 24 kHz; the speaker's column is padded with blanks, as in the original."""
    lines = ["file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage"]
    for speaker, emotion, sentence, text, sex in NEMO_ROWS:
        name = f"{speaker}_{emotion}_{sentence}.wav"
        write_wav(folder / "samples" / name, noise(0.1, rate=24000), rate=24000)
        lines.append("\t".join([name, emotion, text, text.lower(), f"        {speaker}", sex, "23"]))
    write_text(folder / "data.tsv", "\n".join(lines) + "\n")
    return folder


def savee_tree(folder: Path) -> Path:
    """All 480 recordings in the layout of the original, AudioData/DC/a01.wav, as links to one file of 44.1 kHz."""
    original = write_wav(folder / "original", noise(0.1, rate=44100), rate=44100)
    for name in identifiers():
        speaker, _, rest = name.partition("_")
        path = folder / "AudioData" / speaker / f"{rest}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(original, path)
    return folder


CREMA_D_NAMES = ["1001_DFA_ANG_XX", "1002_IEO_HAP_HI", "1040_ITH_SAD_X", "1076_MTI_SAD_XX", "1091_TSI_NEU_XX"]


def crema_d_tree(folder: Path) -> Path:
    """Five recordings, one of them the silent one, and the actors' sexes."""
    for name in CREMA_D_NAMES:
        write_wav(folder / "AudioWAV" / f"{name}.wav", noise() * (name != "1076_MTI_SAD_XX"))
    actors = {1001: "Male", 1002: "Female", 1040: "Male", 1076: "Female", 1091: "Female"}
    rows = [f'{actor},51,"{sex}","Caucasian","Not Hispanic"' for actor, sex in actors.items()]
    write_text(folder / "VideoDemographics.csv", "\n".join(['"ActorID","Age","Sex","Race","Ethnicity"', *rows]) + "\n")
    return folder


def emovo_tree(folder: Path) -> Path:
    """All 588 recordings as links to one file of 48 kHz and two channels."""
    original = write_wav(folder / "original", np.stack([noise(0.1, rate=48000)] * 2, 1), rate=48000)
    for actor in ("f1", "f2", "f3", "m1", "m2", "m3"):
        (folder / actor).mkdir()
        for emotion in ("dis", "gio", "neu", "pau", "rab", "sor", "tri"):
            for sentence in ("b1", "b2", "b3", "d1", "d2", "l1", "l2", "l3", "l4", "n1", "n2", "n3", "n4", "n5"):
                os.link(original, folder / actor / f"{emotion}-{actor}-{sentence}.wav")
    return folder


def tess_tree(folder: Path) -> Path:
    """All 2800 recordings as links to one file, one of them misnamed, one at 96 kHz."""
    original = write_wav(folder / "original", noise(0.1, rate=24414), rate=24414)
    words = ["back", "bite", *(f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(198))]
    for speaker in ("OAF", "YAF"):
        for emotion in ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad"):
            inner = folder / f"{speaker}_{emotion.capitalize() if speaker == 'OAF' else emotion}"
            inner.mkdir()
            for word in words:
                os.link(original, inner / f"{speaker}_{word}_{emotion}.wav")
    (folder / "OAF_Neutral/OAF_bite_neutral.wav").rename(folder / "OAF_Neutral/OA_bite_neutral.wav")
    write_wav(folder / "YAF_sad/YAF_back_sad.wav", noise(0.1, rate=96000), rate=96000)
    return folder


MELD_ROWS = {
    "train": [
        '1,"Well, it\x92s me",Monica,joy,positive,0,0',
        "2,No.,Ross,anger,negative,0,1",
        "3,Mute.,Joey,neutral,neutral,125,3",
    ],
    "dev": ["1,Hi.,Ross,neutral,neutral,0,0", "2,Gone.,Joey,neutral,neutral,110,7"],
    "test": ["1,Oh!,Monica,surprise,positive,0,0"],
}


def meld_tree(folder: Path) -> Path:
    """Four utterances in the layout of the original, and the two that nobody has in the tables alone."""
    inner = {"train": "train/train_splits", "dev": "dev/dev_splits_complete", "test": "output_repeated_splits_test"}
    for number, (part, rows) in enumerate(MELD_ROWS.items()):
        header = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID"
        write_text(folder / f"{part}_sent_emo.csv", "\n".join([header, *rows]) + "\n")
        for utterance in range(2 if part == "train" else 1):
            write_wav(folder / inner[part] / f"dia0_utt{utterance}.wav", noise(seed=2 * number + utterance))
    write_wav(folder / "output_repeated_splits_test" / "final_videos_testdia0_utt0.wav")
    return folder


def mesd_tree(folder: Path) -> Path:
    """All 862 recordings of the fifth version and two of its changed voices, as links to one file of 24 bits."""
    folder.mkdir(parents=True, exist_ok=True)
    original = write_wav(folder / "original", noise(0.1, rate=48000), rate=48000, subtype="PCM_24")
    inner = folder / "Mexican Emotional Speech Database (MESD)"
    inner.mkdir()
    words = {"A": ["basta_ya", *(f"a{chr(97 + n)}" for n in range(23))], "B": [f"b{chr(97 + n)}" for n in range(24)]}
    for emotion in ("Anger", "Disgust", "Fear", "Happiness", "Neutral", "Sadness"):
        for voice in "FMC":
            for name, each in words.items():
                for word in each:
                    os.link(original, inner / f"{emotion}_{voice}_{name}_{word}.wav")
    for name in ("Anger_C_A_aa", "Neutral_C_A_aa"):
        (inner / f"{name}.wav").unlink()
    reduced = folder / "Speaker-embedded naturalness-reduced female voices"
    reduced.mkdir()
    for level in (1, 2):
        os.link(original, reduced / f"Anger_F_B_{level}_ba.wav")
    return folder


ESD_SEX = {
    "mandarin": {"0001": "female", "0003": "female"},
    "english": {"0011": "male", "0012": "male", "0015": "female", "0016": "female", "0018": "female"},
}
ESD_TEXT = {  # language: a sentence, and what its emotions are called
    "mandarin": ("打远一看，它们的确很是美丽，", ("中立", "生气", "快乐", "伤心", "惊喜")),
    "english": ("The nine the eggs, I keep.", ("Neutral", "Angry", "Happy", "Sad", "Surprise")),
}
ESD_ENCODING = {"0001": "gb2312", "0003": "utf-16", "0012": "utf-16-le", "0016": "gb2312", "0018": "latin-1"}


def esd_tree(folder: Path) -> Path:
    """Three recordings of each speaker and emotion, one in each part; texts in all encodings, blank lines in them."""
    folder.mkdir(parents=True, exist_ok=True)
    original = write_wav(folder / "original", noise(0.1))
    inner = folder / "Emotion Speech Dataset"
    for language, speakers in ESD_SEX.items():
        sentence, names = ESD_TEXT[language]
        for speaker in speakers:
            lines = []
            for block, (emotion, name) in enumerate(zip(ESD_TEXT["english"][1], names, strict=True)):
                for place, part in ((1, "evaluation"), (21, "test"), (51, "train")):
                    number = f"{speaker}_{350 * block + place:06}"
                    (inner / speaker / emotion / part).mkdir(parents=True, exist_ok=True)
                    os.link(original, inner / speaker / emotion / part / f"{number}.wav")
                    lines += [f"{number}\t{sentence}\t{name}", ""]
            if speaker == "0015":  # spaces in place of one tab, of both, and a line that says no number
                lines[0] = lines[0].replace("\t", " ", 1)
                lines[2] = lines[2].replace("\t", " ")
                lines[4] = "cut off\tNeutral"
            if speaker == "0016":  # a quotation mark as Chinese programs write it
                lines[0] = f"{speaker}_000001\tIt’s here.\tNeutral"
            if speaker == "0018":
                lines[0] = f"{speaker}_000001\tA café.\tNeutral"
            text = "\n".join(lines) + "\n"
            write_bytes(inner / speaker / f"{speaker}.txt", text.encode(ESD_ENCODING.get(speaker, "utf-8")))
    write_text(inner / "ReadMe.txt", "0001: Chinese Female\n")
    return folder


_SESSIONS = {f"ang/hap/exc/neu/sad in session {number}": count for number, count in enumerate((3, 1, 1, 0, 1), start=1)}
TREES = {
    "ami": (ami_tree, {"COUNTS": AMI_COUNTS}),
    "iemocap": (
        iemocap_tree,
        {"TURNS": {"turns": 12, "ang": 1, "exc": 1, "hap": 1, "sad": 1, "fru": 1, "neu": 2, "xxx": 5, **_SESSIONS}},
    ),
    "msp_improv": (msp_improv_tree, {"TURNS": {"turns": 6, "A": 1, "H": 1, "N": 1, "S": 1, "O": 1, "X": 1}}),
    "tedlium": (tedlium_tree, {"COUNTS": {"train": {"segments": 3, "talks": 2}, "dev": {"segments": 1, "talks": 1}}}),
    "librispeech": (librispeech_tree, {"PARTS": {"dev-clean": 3, "dev-other": 9, "train-clean-100": 1}}),
    "nemo": (
        nemo_tree,
        {"RECORDINGS": {"rows": 3, "anger": 1, "neutral": 1, "surprised": 1}, "AUDIO": Audio(24000, 3, 0.3)},
    ),
    "emovo": (emovo_tree, {"AUDIO": Audio(48000, 588, 58.8)}),
    "tess": (tess_tree, {}),
    "meld": (
        meld_tree,
        {
            "COUNTS": {
                **{"joy in train": 1, "anger in train": 1, "neutral in train": 1},
                **{"neutral in dev": 2, "surprise in test": 1},
            }
        },
    ),
    "mesd": (mesd_tree, {}),
    "esd": (esd_tree, {"EACH": 3, "SPEAKERS": ESD_SEX}),
    "savee": (savee_tree, {"AUDIO": Audio(44100, 480, 48.0)}),
    "crema_d": (
        crema_d_tree,
        {"RECORDINGS": {"files": 5, "ANG": 1, "HAP": 1, "NEU": 1, "SAD": 2}, "AUDIO": Audio(16000, 4, 0.4)},
    ),
    **PAPER_TREES,
}
