"""Pre-trained networks compared on spectrogram images of 30 ms chunks (Kapoor and Kumar).

`algorithm` holds what is trained and how, as pure functions, `split` which chunks train, validate and test; `assembly`
builds all of it from a config and prepared data and turns a run's arrays into figures, `report` shows these beside
`published`.
"""
