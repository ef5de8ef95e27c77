"""Posteriors of audio files from a finished run: `sejax predict`, sejax/commands/predict.py."""

from sejax.commands import run

if __name__ == "__main__":
    run("predict")
