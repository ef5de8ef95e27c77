"""N parallel CycleGANs that turn unlabelled feature vectors into emotional ones (Bao, Neumann and Vu 2019).

`networks` says what is trained, `algorithm` has the two stages as pure functions, with the equations of their losses,
`stage` what these share, which vectors an update sees among it, `members` the folds with their normalisers; `assembly`
builds all of it from a config and prepared vectors, `results` says how far synthetic vectors lie from the target's,
`report` shows it beside `published`, and `synthesis` applies trained generators:
``transfer(load_generators(workdir, fold=0), vectors)``.
"""
