"""Waveforms of whole utterances, with transcripts and the times of words."""
