"""Spectrograms of blocks of 1 s and of voiced chunks of 30 ms, each an image."""
