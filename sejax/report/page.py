"""A self-contained HTML page: one style sheet for light and dark mode, phones and paper.

It has no scripts and refers to nothing outside itself.
"""

import html as markup
import re
from dataclasses import dataclass

_STYLE = """
:root {
  color-scheme: light dark;
  --surface: #fefefe; --ink: #1f2429; --muted: #5b6570; --rule: #d3d9df; --blue: #1668c4; --orange: #c4560a;
  --shade: #0b4c96; --green: #157a52; --violet: #8d3fc2; --panel: #f2f5f8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --surface: #12161b; --ink: #e4e9ee; --muted: #9aa6b2; --rule: #363e47; --blue: #62a8f5; --orange: #f0914a;
    --shade: #4d97ea; --green: #4cc38f; --violet: #c490f0; --panel: #1b2128;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1rem 1rem 4rem; max-width: 78rem; background: var(--surface); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap:
  anywhere;
}
h1 { font-size: 1.6rem; line-height: 1.25; margin: 1rem 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; padding-top: .75rem; border-top: 1px solid var(--rule); }
p { max-width: 46rem; margin: .5rem 0; }
header p { max-width: 68rem; }
a { color: var(--blue); }
nav { margin: .75rem 0; font-size: .9rem; }
nav a { display: inline-block; margin: 0 .9rem .2rem 0; }
code, pre { font: .85em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { background: var(--panel); padding: .7rem .9rem; border-radius: 6px; white-space: pre-wrap; }
figure { margin: 1rem 0; }
figcaption { font-weight: 600; margin-bottom: .4rem; max-width: 46rem; }
.row { display: flex; flex-wrap: wrap; gap: 1rem 1.75rem; align-items: flex-start; }
.row > figure { flex: 0 1 auto; min-width: 0; max-width: 100%; margin: .25rem 0; }
.scroll { overflow-x: auto; }
.scroll svg { display: block; max-width: 100%; height: auto; }
.scroll > input { position: absolute; opacity: 0; pointer-events: none; }
.scroll svg text { font-family: system-ui, -apple-system, "Segoe UI", sans-serif !important; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums;
  overflow-wrap: normal; }
th, td { text-align: left; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--rule); }
td { vertical-align: top; white-space: nowrap; }
td.long { white-space: normal; min-width: 12rem; }
table.wide { font-size: .77rem; }
table.wide td.text { white-space: normal; }
table.wide :is(th, td) { padding-right: .35rem; padding-left: 0; }
th { color: var(--muted); font-weight: 600; vertical-align: bottom; }
td.number, th.number { text-align: right; padding-left: .5rem; }
td.number strong { color: var(--blue); }
.note, .muted { color: var(--muted); font-size: .88rem; }
.warning { border-left: 4px solid var(--orange); padding: .3rem .9rem; background: var(--panel); }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .15rem 1.2rem; font-size: .9rem; }
dt { color: var(--muted); }
dd { margin: 0; }
summary { cursor: pointer; color: var(--blue); }
@media (max-width: 32rem) {
  dl { grid-template-columns: minmax(0, 1fr); }
  dd { margin: 0 0 .4rem; }
  h1 { margin-top: .25rem; }
  /* Whole and small; where that makes its words small, too, a touch shows a figure at its own size. */
  .scroll svg { min-width: 0 !important; }
  .scroll > input:checked ~ svg { max-width: none; }
  .enlarged::after { content: "touch to enlarge"; color: var(--muted); font-size: .75rem; }
  .enlarged:has(:checked)::after { content: "touch to see the whole"; }
  /* A row of a table that is too wide is a card: what tells it apart, then a name beside each value. */
  table.cards, table.cards :is(tbody, tr, td) { display: block; }
  table.cards thead { display: none; }
  table.cards tr { padding: .35rem 0; border-bottom: 1px solid var(--rule); }
  table.cards td { display: flex; justify-content: space-between; gap: 1rem; border: 0; padding: .05rem 0;
    white-space: normal; text-align: right; overflow-wrap: anywhere; min-width: 0; }
  table.cards td::before { content: attr(data-name); color: var(--muted); text-align: left; }
  td, th { white-space: normal; overflow-wrap: anywhere; }
  td.long { min-width: 0; }
}
@media print { body { max-width: none; } .scroll { overflow: visible; } }
"""
_LEGIBLE = 460  # pixels of a figure that a phone shows with words of a size that can be read


@dataclass(frozen=True)
class Section:
    """A heading and the HTML below it; a section without a body is left out of the page."""

    title: str
    body: str

    @property
    def anchor(self):
        """The heading as an element id."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.title.lower()).split())


def document(title, lead, sections):
    """The page's whole text: `title` is plain text, `lead` and the sections' bodies are HTML."""
    sections = [section for section in sections if section.body]
    links = " ".join(f'<a href="#{part.anchor}">{markup.escape(part.title)}</a>' for part in sections)
    bodies = "\n".join(
        f'<section id="{part.anchor}">\n<h2>{markup.escape(part.title)}</h2>\n{part.body}\n</section>'
        for part in sections
    )
    name = markup.escape(title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{name}</h1>\n{lead}\n<nav>{links}</nav>\n</header>\n<main>\n{bodies}\n</main>\n</body>\n</html>\n"
    )


def paragraph(text, kind=""):
    """A paragraph of plain text, escaped; `kind` is its CSS class."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<p{attribute}>{markup.escape(text)}</p>"


def folded(title, body):
    """HTML below a line that opens it; "" where there is none."""
    return f"<details><summary>{markup.escape(title)}</summary>\n{body}\n</details>" if body else ""


def preformatted(text):
    """Text as it stands, in a monospaced face."""
    return f"<pre>{markup.escape(text)}</pre>"


def picture(svg, caption=""):
    """An inline SVG, whole on any screen; on a phone a touch shows one that is much wider at its own size, and back."""
    title = f"<figcaption>{markup.escape(caption)}</figcaption>" if caption else ""
    named = svg.replace("<svg ", f'<svg aria-label="{markup.escape(caption)}" ', 1)
    width = re.search(r'style="width: (\d+)px', svg)
    if width and int(width[1]) > _LEGIBLE:
        touched = '<input type="checkbox" aria-label="show the figure at its own size">'
        return f'<figure>{title}<label class="enlarged"><div class="scroll">{touched}{named}</div></label></figure>'
    return f'<figure>{title}<div class="scroll">{named}</div></figure>'


def in_row(pictures):
    """Pictures side by side where there is room, below one another where there is not."""
    return f'<div class="row">{"".join(pictures)}</div>' if pictures else ""


def definitions(entries, name_of=None):
    """A nested mapping as a list of names and values.

    Inner names are joined by dots, as a config's fields are; with `name_of` {key -> its name in words} by commas.
    """
    found = flattened(entries)
    if name_of:
        found = [(", ".join(map(name_of, name.split("."))), value) for name, value in found]
    rows = "".join(f"<dt>{markup.escape(name)}</dt><dd>{markup.escape(value)}</dd>" for name, value in found)
    return f"<dl>{rows}</dl>" if rows else ""


def flattened(entries, prefix=""):
    """[(dotted name, value as text)] of a nested mapping, in its order."""
    rows = []
    for name, value in entries.items():
        if isinstance(value, dict) and value:
            rows += flattened(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            rows.append((f"{prefix}{name}", ", ".join(map(str, value)) or "none"))
        else:
            rows.append((f"{prefix}{name}", "none" if value is None else str(value)))
    return rows
