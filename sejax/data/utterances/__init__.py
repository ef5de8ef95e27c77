"""Spectrograms of whole utterances, with ratings and the times of words."""
