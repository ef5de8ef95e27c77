"""Classifiers of real vectors, synthetic ones and both (Bao, Neumann and Vu 2019, sections 4.3 and 4.4).

`algorithm` holds the paper's sizes and schedules, which vectors an update sees and the training as pure functions,
`members` folds, repeats and normalisers, and the linear support vector machine that always stands beside; `assembly`
builds all of it from a config, prepared vectors and a synthetic set, `report` shows it beside `published`.
"""
