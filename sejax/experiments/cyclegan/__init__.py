"""N parallel CycleGANs that turn unlabelled feature vectors into emotional ones (Bao, Neumann and Vu 2019).

`losses` holds the equations, `networks` what is trained, `pretraining` and `algorithm` the two stages as pure
functions, `stage` what these share, `batches` which vectors an update sees, `members` the folds with their normalisers,
`comparison` how far synthetic vectors lie from the target's, `assembly` builds all of it from a config and prepared
vectors, `results` turns a run's arrays into figures, and `synthesis` applies trained generators:
``transfer(load_generators(workdir, fold=0), vectors)``.
"""
