"""Convert ImageNet weights to a safetensors file that sejax.pretrained.load reads.

    sejax convert --model=alexnet --source=torchvision \\
        --input=alexnet-owt-7be5be79.pth --output=alexnet.safetensors
    sejax convert --model=resnet50_keras --source=keras \\
        --input=resnet50_weights_tf_dim_ordering_tf_kernels.h5 --output=resnet50_keras.safetensors
    sejax convert --model=squeezenet1_1 --source=ndf --output=squeezenet.safetensors

third_party/ says where the originals come from. Reading a .pth file needs torch and reading Keras's files needs
h5py; nothing else does.
"""

from absl import flags

from sejax import models, pretrained
from sejax.pretrained.names import sources
from sejax.pretrained.sources import file_sha256

MODEL = flags.DEFINE_enum("model", None, models.names(), "Network that the weights are for.")
SOURCE = flags.DEFINE_enum("source", "torchvision", list(sources()), "Where the weights come from.")
INPUT = flags.DEFINE_string(
    "input",
    "",
    "Original file: .pth or .safetensors (torchvision), .h5, .weights.h5 or .keras (keras), .pkl (ndf; empty: the "
    "installed one).",
)
OUTPUT = flags.DEFINE_string("output", None, "The .safetensors file to write.")
NUM_CLASSES = flags.DEFINE_integer("num_classes", 1000, "Classes in the original's last layer.", 1)
flags.mark_flags_as_required(["model", "output"])


def main(_):
    """Convert, then print the parameter count and both files' digests."""
    metadata = pretrained.convert(
        MODEL.value, SOURCE.value, INPUT.value, OUTPUT.value, num_classes=NUM_CLASSES.value
    )
    print(f"{metadata['model']} from {metadata['source']}: {metadata['parameters']:,} parameters")
    print(f"input   sha256 {metadata['sha256']}")
    print(f"output  sha256 {file_sha256(OUTPUT.value)}  {OUTPUT.value}")
    print(f"images  preprocessing {metadata['preprocessing']!r}, {metadata['num_classes']} classes")
