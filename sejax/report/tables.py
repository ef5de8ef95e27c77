"""One table, four texts: plain text for a terminal, Markdown for docs, HTML for the report, LaTeX for a paper."""

import html as markup
import re
from dataclasses import dataclass

from sejax.core.results import is_finite
from sejax.report.terms import MISSING

FEW = 3  # columns that a phone shows beside each other
MANY = 12  # rows that a page shows before it folds them away, where they are details


class Strong(str):
    """A cell to stand out: bold in Markdown and HTML, followed by * in plain text."""


@dataclass(frozen=True)
class Table:
    """A caption, column names, rows of text and notes below; the first `stubs` columns are left-aligned."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    stubs: int = 1

    def __post_init__(self):
        wrong = [row for row in self.rows if len(row) != len(self.columns)]
        if wrong:
            raise ValueError(f"table {self.caption!r}: {len(self.columns)} columns, but row {wrong[0]!r}")


def number(value, digits=3):
    """A finite number with `digits` decimals, from 100,000 on as 7.8e+07; a dash for anything else."""
    if not is_finite(value):
        return MISSING
    return f"{value:.{digits}f}" if abs(value) < 1e5 else f"{value:.1e}"


def mean_std(entry, digits=3):
    """A summary's entry as `mean ± std`, the mean alone where n = 1, a dash where there is none."""
    if not entry or not is_finite(entry.get("mean")):
        return MISSING
    if entry.get("n") == 1 or not is_finite(entry.get("std")):
        return number(entry["mean"], digits)
    return f"{number(entry['mean'], digits)} ± {number(entry['std'], digits)}"


def percent(entry, digits=2):
    """A summary's entry of shares in %: `59.48 ± 0.71`."""
    scaled = {**entry, "mean": 100 * entry["mean"], "std": 100 * entry["std"]} if entry else None
    return mean_std(scaled, digits)


def signed(text):
    """A cell's text with its sign, `+` before what is not negative; a dash stays one."""
    return text if text.startswith(("-", MISSING)) else f"+{text}"


def against(entry, paper, *, lower=False):
    """`mean_std(entry)`, marked Strong where the mean is at least the paper's figure; at most, for `lower`."""
    cell = mean_std(entry)
    beaten = cell != MISSING and is_finite(paper) and (entry["mean"] <= paper if lower else entry["mean"] >= paper)
    return Strong(cell) if beaten else cell


def plain_text(table):
    """The table in columns of spaces, with a rule under the column names."""
    rows = [[cell + " *" if isinstance(cell, Strong) else cell for cell in row] for row in table.rows]
    widths = [max(map(len, column)) for column in zip(table.columns, *rows, strict=True)]

    def line(cells):
        placed = [
            cell.ljust(width) if index < table.stubs else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  ".join(placed).rstrip()

    lines = [table.caption, "", line(table.columns), "  ".join("-" * width for width in widths)]
    lines += [line(row) for row in rows]
    return "\n".join(lines + [""] * bool(table.notes) + list(table.notes)) + "\n"


def markdown(table):
    """The table in GitHub's Markdown: the caption as a paragraph, the table, a line for each note."""

    def line(cells):
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    rule = ["---" if index < table.stubs else "---:" for index in range(len(table.columns))]
    rows = [[f"**{cell}**" if isinstance(cell, Strong) else cell for cell in row] for row in table.rows]
    lines = [table.caption, "", line(table.columns), line(rule), *map(line, rows)]
    for note in table.notes:
        lines += ["", note]
    return "\n".join(lines) + "\n"


def details(table):
    """The table as HTML, folded away below its caption where it has many rows."""
    if len(table.rows) <= MANY:
        return html(table)
    title = markup.escape(f"{table.caption}: {len(table.rows)} rows")
    return f"<details><summary>{title}</summary>\n{html(table)}</details>"


def html(table):
    """The table as an HTML figure, whose rows are cards on a phone where they are many cells; every text is escaped."""

    named = len(table.columns) > FEW

    def cells(row, tag):
        out = []
        for index, cell in enumerate(row):
            text = markup.escape(cell)
            text = f"<strong>{text}</strong>" if isinstance(cell, Strong) else text
            kind = "number" if index >= table.stubs else "long" if len(cell) > 24 else "text"
            scope = ' scope="col"' if tag == "th" else ""
            # The name stands beside the value where a phone shows rows as cards.
            name = f' data-name="{markup.escape(table.columns[index])}"' if named and tag == "td" else ""
            out.append(f'<{tag}{scope} class="{kind}"{name}>{text}</{tag}>')
        return "<tr>" + "".join(out) + "</tr>"

    kinds = ["cards"] * named + ["wide"] * (len(table.columns) > 10)
    wide = f' class="{" ".join(kinds)}"' if kinds else ""
    body = "\n".join(cells(row, "td") for row in table.rows)
    notes = "".join(f'<p class="note">{markup.escape(note)}</p>' for note in table.notes)
    return (
        f'<figure class="table"><figcaption>{markup.escape(table.caption)}</figcaption>\n'
        f'<div class="scroll"><table{wide}>\n<thead>{cells(table.columns, "th")}</thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table></div>{notes}</figure>"
    )


# Of what tables write; other characters stay as they are, which LaTeX has read as UTF-8 since 2018.
_LATEX = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\n": " "}
    | {"<": "$<$", ">": "$>$", "|": r"\textbar{}", "[": "{[}", "]": "{]}", "*": "{*}"}  # \\[ and \\* mean something
    | {"±": r"$\pm$", "−": "$-$", "–": "--", "×": r"$\times$", "λ": r"$\lambda$", "ρ": r"$\rho$"}
)
_NEGATIVE = re.compile(r"(?<![\w.)-])-(?=\d)")  # of a number, no hyphen


def latex_text(text):
    """Plain text as LaTeX: what has a meaning there is escaped, a minus is one."""
    return _NEGATIVE.sub("−", text).translate(_LATEX)


def latex(table, label=""):
    """The table for a paper, in the style of booktabs (`\\usepackage{booktabs}`): Strong cells bold, notes below.

    `label`: what `\\ref` calls it. The caption says what the table's says, protocol and n among it.
    """

    def cell(text):
        written = latex_text(text)
        return f"\\textbf{{{written}}}" if isinstance(text, Strong) else written

    def line(cells):
        return "    " + " & ".join(map(cell, cells)) + r" \\"

    alignment = "".join("l" if index < table.stubs else "r" for index in range(len(table.columns)))
    lines = [r"\begin{table}", r"  \centering", f"  \\caption{{{latex_text(table.caption)}}}"]
    lines += [f"  \\label{{{label}}}"] * bool(label)
    lines += [f"  \\begin{{tabular}}{{{alignment}}}", r"    \toprule", line(table.columns), r"    \midrule"]
    lines += [*map(line, table.rows), r"    \bottomrule", r"  \end{tabular}"]
    notes = [note.replace("Bold (* in plain text)", "Bold") for note in table.notes]
    lines += [r"  \par\smallskip", r"  {\footnotesize"] * bool(notes)
    lines += [f"  {latex_text(note)}\\par" for note in notes] + ["  }"] * bool(notes)
    return "\n".join([*lines, r"\end{table}"]) + "\n"
