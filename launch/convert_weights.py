"""Convert ImageNet weights to a file that sejax.pretrained.load reads: `sejax convert`, sejax/commands/convert.py."""

from sejax.commands import run

if __name__ == "__main__":
    run("convert")
