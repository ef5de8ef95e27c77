"""What a run leaves for its reader: results.json, report.html, tables and figures beside the paper's.

`results` holds the numbers, `published` the papers', `run_tables` and `comparison` set both side by side, `figures`
names everything that draws, `pictures`, `html` and `page` put a report together. A run whose members are several
variants of an experiment (networks, learning rates, fusions) has `variants` and `variant_tables`. An experiment with
tables and figures of its own has a View in `views`: `cyclegan` and `augmentation` read its results, their `_tables`,
`_figures` and `_sections` show them. Nothing here imports JAX; matplotlib is imported when a figure is drawn.
"""
