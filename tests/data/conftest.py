"""Beside the tests of each room lie the recordings and kills that they share; pytest puts this folder on the path."""
