"""Pseudo-labelling and transfer learning on spectrogram images (Venkateswaran et al.).

`algorithm` holds the method as pure functions, `networks` what is trained, `assembly` builds both from a config and
prepared data and turns a run's arrays into figures, `report` shows these beside `published`.
"""
