"""Pre-trained networks compared on spectrogram images of 30 ms chunks (Kapoor and Kumar).

`algorithm` holds the method as pure functions, `networks` what is trained, `split` which chunks train,
validate and test, `assembly` builds all of it from a config and prepared data, `results` turns a run's arrays
into figures.
"""
