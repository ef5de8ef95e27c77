"""From samples to network inputs.

Pure jnp, for any device: `spectrogram` (transform, bands, decibels) and `image` (colours, resize, normalisation),
on numpy tables, those of `filterbanks` among them. On the host: `voice_activity`, and blocks of equal length in it.
"""
