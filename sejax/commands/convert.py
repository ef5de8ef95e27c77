"""Convert ImageNet weights, or a speech encoder, to a safetensors file that sejax.pretrained reads.

    sejax convert --model=alexnet --source=torchvision \\
        --input=alexnet-owt-7be5be79.pth --output=alexnet.safetensors
    sejax convert --model=resnet50_keras --source=keras \\
        --input=resnet50_weights_tf_dim_ordering_tf_kernels.h5 --output=resnet50_keras.safetensors
    sejax convert --model=squeezenet1_1 --source=ndf --output=squeezenet.safetensors
    sejax convert --source=transformers --input=wavlm-base-plus --output=wavlm.safetensors

Of transformers' folder config.json says which encoder it is (docs/encoders.md). third_party/ says where the originals
come from. Reading a .pth or .bin file needs torch and reading Keras's files needs h5py; nothing else does.
"""

from absl import flags

from sejax import models, pretrained
from sejax.errors import InputError
from sejax.pretrained.names import sources
from sejax.pretrained.sources import file_sha256

MODEL = flags.DEFINE_enum("model", None, models.names(), "Network that the weights are for (not with transformers).")
SOURCE = flags.DEFINE_enum("source", "torchvision", [*sources(), "transformers"], "Where the weights come from.")
INPUT = flags.DEFINE_string(
    "input",
    "",
    "Original file: .pth or .safetensors (torchvision), .h5, .weights.h5 or .keras (keras), .pkl (ndf; empty: the "
    "installed one); with transformers its folder, or the .safetensors or .bin file in it.",
)
OUTPUT = flags.DEFINE_string("output", None, "The .safetensors file to write.")
NUM_CLASSES = flags.DEFINE_integer("num_classes", 1000, "Classes in the original's last layer.", 1)
flags.mark_flags_as_required(["output"])


def main(_):
    """Convert, then print the parameter count and both files' digests."""
    if SOURCE.value == "transformers":
        convert_encoder()
        return
    if MODEL.value is None:
        raise InputError(f"--source={SOURCE.value} needs --model; known are {', '.join(models.names())}")
    metadata = pretrained.convert(
        MODEL.value, SOURCE.value, INPUT.value, OUTPUT.value, num_classes=NUM_CLASSES.value
    )
    print(f"{metadata['model']} from {metadata['source']}: {metadata['parameters']:,} parameters")
    print(f"input   sha256 {metadata['sha256']}")
    print(f"output  sha256 {file_sha256(OUTPUT.value)}  {OUTPUT.value}")
    print(f"images  preprocessing {metadata['preprocessing']!r}, {metadata['num_classes']} classes")


def convert_encoder():
    """Convert what transformers saved, and print what was left out and what was not there too."""
    if MODEL.value is not None:
        raise InputError(f"--model={MODEL.value}: with --source=transformers config.json says which; leave it out")
    metadata = pretrained.convert_encoder(INPUT.value, OUTPUT.value)
    sizes = metadata["architecture"]
    print(f"{metadata['model']}, {sizes['layers']} layers of {sizes['width']}: {metadata['parameters']:,} parameters")
    if metadata["dimensions"]:
        print(f"head    {', '.join(metadata['dimensions'])}")
    for part, arrays in metadata["left_out"].items():
        print(f"left    {part}, {arrays} arrays: {pretrained.encoders.LEFT_OUT[part]} alone needs them")
    for name in metadata["fresh"]:
        print(f"fresh   {name} is not in the input; it is 0")
    print(f"input   sha256 {metadata['sha256']}")
    print(f"output  sha256 {file_sha256(OUTPUT.value)}  {OUTPUT.value}")
    print(f"sound   16 kHz, preprocessing {metadata['preprocessing']!r}")
