#!/usr/bin/env bash
# An audformat database that is stored as CSV does not give back the strings NA, nan, null and their kin, though its
# scheme lists them as labels.
#
# Versions: audformat 1.4.3, pandas 3.1.1, pyarrow 26.0.1, packaging 25.0 (which audformat imports to read pickles, and
# does not ask for).
#
# Behaviour: a column of strings, with a scheme that lists its labels, is saved in each of the three storage formats and
# loaded again. From CSV, which is the default, the cells "NA", "N/A", "n/a", "nan", "NaN", "null", "NULL" and "" come
# back as no value, without a word; the file holds all of them. From parquet and pickle they come back as they were.
# "None" comes back from all three.
#
# What comes of it: a speaker with the initials NA, or a label called null, is missing where a database went through CSV,
# as those of audb do. sejax reads such databases through the package, and names the cells that were lost in a note.
#
# Output seen: the lines of `expected` below.
#
# Fails (exit status 1) where any of them is another one. PYTHON names the interpreter.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check audformat==1.4.3 pandas==3.1.1 pyarrow==26.0.1 packaging==25.0

cat > expected <<'TEXT'
csv: lost ['NA', 'N/A', 'n/a', 'nan', 'NaN', 'null', 'NULL', ''], kept ['None', 'joy']
parquet: lost [], kept ['NA', 'N/A', 'n/a', 'nan', 'NaN', 'null', 'NULL', '', 'None', 'joy']
pkl: lost [], kept ['NA', 'N/A', 'n/a', 'nan', 'NaN', 'null', 'NULL', '', 'None', 'joy']
TEXT

cat > show.py <<'PYTHON'
import audformat

VALUES = ["NA", "N/A", "n/a", "nan", "NaN", "null", "NULL", "", "None", "joy"]
for storage in ("csv", "parquet", "pkl"):
    database = audformat.Database("example")
    database.schemes["speaker"] = audformat.Scheme(labels=VALUES)
    database["files"] = audformat.Table(audformat.filewise_index([f"{n}.wav" for n in range(len(VALUES))]))
    database["files"]["speaker"] = audformat.Column(scheme_id="speaker")
    database["files"]["speaker"].set(VALUES)
    database.save(storage, storage_format=storage)
    found = audformat.Database.load(storage)["files"].df["speaker"].isna().tolist()
    lost = [value for value, gone in zip(VALUES, found) if gone]
    kept = [value for value, gone in zip(VALUES, found) if not gone]
    print(f"{storage}: lost {lost}, kept {kept}")
PYTHON

environment/bin/python -W ignore show.py > seen
diff expected seen
echo "as described"
