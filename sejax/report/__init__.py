"""What a run leaves for its reader: results.json, report.html, tables and figures beside the paper's.

`results` holds the numbers, `published` the papers', `run_tables` and `comparison` set both side by side, `figures`
names everything that draws, `pictures`, `html` and `page` put a report together. A run whose members are several
variants of an experiment (networks, learning rates, fusions) has `variants` and `variant_tables`. An experiment with
tables and figures of its own has a View in `views`: `cyclegan`, `augmentation`, `dcgan` and `audio_text` read its
results, their `_tables`, `_figures` and `_sections` show them; `paired` and `metric_panels` are what several of them
share, `utterance` draws one explained utterance, for launch/predict.py too. Nothing here imports JAX; matplotlib is
imported when a figure is drawn.
"""
