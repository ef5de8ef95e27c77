"""Utterances to prepared sets (a room for each kind, one store), and from there to folds, labels, words and batches."""
