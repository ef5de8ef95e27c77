"""Trained models in one file each: `archive` (the file and its guards), `tensors`, `audio`, and `model`, which loads.

Loading needs jax, numpy and flatbuffers, audio what the model hears with. `sejax.experiments.exporting` makes files.
"""
