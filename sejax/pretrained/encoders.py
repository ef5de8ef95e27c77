"""Speech encoders as transformers saves them, and as they are kept here: names, layouts, converter and loader.

A folder of transformers holds config.json (sizes), preprocessor_config.json (whether recordings are standardised) and
the weights, model.safetensors or pytorch_model.bin.
"""

import json
import re
from pathlib import Path

import numpy as np

from sejax.errors import InputError, typed
from sejax.models import encoders
from sejax.models.encoders import SAMPLE_RATE, Architecture, DimensionalModel, Positions, Regularisation
from sejax.models.transformer import RelativeBias
from sejax.pretrained import names, sources
from sejax.pretrained.weights import check_output, read_converted, write

# What stands before a trunk's names in a model with a head, by the `model_type` of config.json.
FAMILIES = {"wav2vec2": "wav2vec2", "hubert": "hubert", "wavlm": "wavlm", "data2vec-audio": "data2vec_audio"}
WEIGHTS = ("model.safetensors", "pytorch_model.bin")

# Parts that only pre-training and other heads have, which a trunk does without: transformers' names for them.
LEFT_OUT = {
    "quantizer": "pre-training",
    "project_hid": "pre-training",
    "project_q": "pre-training",
    "lm_head": "transcription (CTC)",
    "projector": "classification",
    "classifier": "classification",
    "layer_weights": "classification",
}
_HEAD = ("classifier.dense.", "classifier.out_proj.")  # of a regression of emotional dimensions

# Fields of config.json that have one supported value.
_ONLY = {
    "hidden_act": "gelu",
    "feat_extract_activation": "gelu",
    "add_adapter": False,
    "adapter_attn_dim": None,
    "conv_pos_batch_norm": False,
}


def convert_encoder(path, output):
    """Convert an encoder that transformers saved to `output` (.safetensors), atomically; returns the metadata.

    path: its folder, or the .safetensors or .bin file in it; config.json and preprocessor_config.json lie beside. A
    head of emotional dimensions (classifier.dense, classifier.out_proj) is kept, parts named in LEFT_OUT are not.
    metadata: a dict with model (`model_type`), source, preprocessing, architecture, regularisation, dimensions
    (None without such a head), head_dropout, sha256 (of the weights), config_sha256, parameters, left_out (arrays by
    part) and fresh (what the file lacks and is 0).
    Raises InputError, writing nothing, for anything wrong with the input or output.
    """
    output = Path(output)
    check_output(output, path)
    flat, metadata = read_encoder(path)
    write(output, flat, metadata)
    return metadata


def read_encoder(path):
    """An encoder that transformers saved as (flat dict of our names to float32 arrays, metadata): `convert_encoder`.

    Names or shapes that differ from those of config.json raise InputError with a +/- list in transformers' names.
    """
    path = _weights_file(path)
    config, config_digest = _json(path.parent / "config.json")
    extractor, _ = _json(path.parent / "preprocessor_config.json")
    where = path.parent / "config.json"
    architecture, family = architecture_of(config, extractor, where)
    arrays, digest = sources.read(path, "transformers")
    arrays, left_out = _trunk(arrays, FAMILIES[family])
    dimensions = _dimensions(config, arrays, where)
    module = build(architecture, dimensions=dimensions)
    wanted = parameters(module)
    fresh = [p.name for p in wanted if p.name.endswith("mask_embedding") and p.source_name not in arrays]
    kept = [p for p in wanted if p.name not in fresh]
    lines = names.report(
        {p.source_name: p.source_shape for p in kept}, {name: tuple(array.shape) for name, array in arrays.items()}
    )
    if lines:
        raise InputError("\n".join([f"{path}: is not the {family} model that its config.json describes", *lines]))
    flat = {p.name: p.to_ours(arrays[p.source_name]) for p in kept}
    flat |= {p.name: np.zeros(p.shape, np.float32) for p in wanted if p.name in fresh}
    metadata = {
        "model": family,
        "source": "transformers",
        "preprocessing": "standardised" if architecture.normalise else "samples",
        "architecture": as_json(architecture),
        "regularisation": regularisation_of(config, where)._asdict(),
        "dimensions": list(dimensions) if dimensions else None,
        "head_dropout": _fraction(config, "final_dropout", 0.0, where),
        "sha256": digest,
        "config_sha256": config_digest,
        "parameters": sum(array.size for array in flat.values()),
        "left_out": left_out,
        "fresh": fresh,
    }
    return flat, metadata


def build(architecture, *, dimensions=None, head_dropout=0.0, **options):
    """The module of an architecture: `Encoder`, or with `dimensions` a `DimensionalModel` around it."""
    encoder = encoders.create(architecture, **options)
    return DimensionalModel(encoder, tuple(dimensions), head_dropout) if dimensions else encoder


def load_encoder(path, **options):
    """(module, variables) from a file that `convert_encoder` wrote: an `Encoder`, or a `DimensionalModel`.

    options: fields of the Encoder: frozen, dtype, and regularisation in the place of the original's. variables:
    {"params": float32 jax arrays}. `sejax.pretrained.describe` says what else the file holds.
    Raises InputError where the file is missing, damaged or no encoder.
    """
    import jax

    flat, metadata = read_converted(path)
    if metadata.get("model") not in FAMILIES:
        raise InputError(f"{path}: holds no speech encoder; {typed('convert')} --source=transformers makes one")
    options = {"regularisation": Regularisation(**metadata["regularisation"])} | options
    head = {"dimensions": metadata["dimensions"], "head_dropout": metadata["head_dropout"]}
    module = build(from_json(metadata["architecture"]), **head, **options)
    lines = names.report(_expected(module), {name: tuple(array.shape) for name, array in flat.items()})
    if lines:
        raise InputError("\n".join([f"{path}: does not fit its own description; convert the original again", *lines]))
    return module, names.unflatten(jax.device_put(dict(flat)))


def parse_encoder(text):
    """(name, layers) of "NAME:LAYERS" or "NAME", with "encoder:" in front or not.

    LAYERS is 9, 6-9 or all, and all where it is left out. layers: the numbers of hidden states in `Encoded.hidden`,
    (9,) or (6, 7, 8, 9), () for all of them; 0 is what enters the first layer, k what the k-th leaves.
    Raises InputError for another text.
    """
    found = _ENCODER.fullmatch(text)
    first, last = (found["first"], found["last"] or found["first"]) if found else (None, None)
    if not found or (first and int(first) > int(last)):
        raise InputError(f"{text!r} names no encoder; give encoder:NAME:LAYERS with LAYERS such as 9, 6-9 or all")
    return found["name"], tuple(range(int(first), int(last) + 1)) if first else ()


_ENCODER = re.compile(
    r"(?:encoder:)?(?P<name>[A-Za-z0-9][\w.-]*)(?::(?:all|(?P<first>\d{1,4})(?:-(?P<last>\d{1,4}))?))?", re.ASCII
)


def check_named(field, value, *, others):
    """Raise InputError where a config's text, or one in its list, is neither of `others` nor names an encoder."""
    for text in (value,) if isinstance(value, str) else value:
        if text not in others:
            if not text.startswith("encoder:"):
                raise InputError(f"config: {field}={text}; give {', '.join(others)}, or encoder:NAME:LAYERS")
            try:
                parse_encoder(text)
            except InputError as error:
                raise InputError(f"config: {field}: {error}") from None


def architecture_of(config, extractor, where):
    """(Architecture, family) of what config.json and preprocessor_config.json hold; `where` names the first in errors.

    Raises InputError for a family or a setting that is not supported.
    """
    family = config.get("model_type")
    if family not in FAMILIES:
        raise InputError(f"{where}: model_type {family!r} is not supported; supported are {', '.join(FAMILIES)}")
    for field, only in _ONLY.items():
        if config.get(field, only) not in (only, None):
            raise InputError(f"{where}: {field}={config[field]!r} is not supported, only {only!r} is")
    if extractor.get("sampling_rate", SAMPLE_RATE) != SAMPLE_RATE:
        raise InputError(f"{where}: sampling_rate {extractor['sampling_rate']!r}; encoders here hear {SAMPLE_RATE} Hz")
    if not isinstance(extractor.get("do_normalize"), bool):
        raise InputError(f"{where.with_name('preprocessor_config.json')}: do_normalize is neither true nor false")

    def number(field, otherwise):
        value = config.get(field, otherwise)
        if type(value) is not int or not 1 <= value <= 100_000:
            raise InputError(f"{where}: {field}={value!r}; a whole number from 1 to 100000 is wanted")
        return value

    standard = Architecture()
    sizes = [config.get(field) for field in ("conv_dim", "conv_kernel", "conv_stride")]
    if all(size is None for size in sizes):
        sizes = list(zip(*standard.convolutions, strict=True))
    if not all(isinstance(size, list | tuple) and all(type(n) is int and n > 0 for n in size) for size in sizes):
        raise InputError(f"{where}: conv_dim, conv_kernel and conv_stride are not lists of whole numbers")
    if len({len(size) for size in sizes}) != 1 or not sizes[0]:
        raise InputError(f"{where}: conv_dim, conv_kernel and conv_stride are not equally long")
    groups = number("num_conv_pos_embedding_groups", 16)
    if family == "data2vec-audio":
        kernel, depth = number("conv_pos_kernel_size", 19), number("num_conv_pos_embeddings", 5)
        kind = {"positions": Positions(kernel, groups, depth, norm="layer"), "convolution_norm": "layer"}
    else:
        kind = {
            "positions": Positions(number("num_conv_pos_embeddings", 128), groups),
            "convolution_norm": config.get("feat_extract_norm", "group"),
            "pre_norm": bool(config.get("do_stable_layer_norm", False)),
        }
    if family == "wavlm":
        kind["relative"] = RelativeBias(number("num_buckets", 320), number("max_bucket_distance", 800))
    architecture = Architecture(
        convolutions=tuple(zip(*sizes, strict=True)),
        convolution_bias=bool(config.get("conv_bias", False)),
        projection_norm=family != "hubert" or bool(config.get("feat_proj_layer_norm", True)),
        width=number("hidden_size", standard.width),
        layers=number("num_hidden_layers", standard.layers),
        heads=number("num_attention_heads", standard.heads),
        feed_forward=number("intermediate_size", standard.feed_forward),
        epsilon=_fraction(config, "layer_norm_eps", standard.epsilon, where),
        normalise=extractor["do_normalize"],
        **kind,
    )
    try:
        encoders.check_architecture(architecture)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return architecture, family


def regularisation_of(config, where):
    """What config.json has training draw at random: Regularisation, by transformers' defaults where it is mute."""
    rates = {
        "projection": _fraction(config, "feat_proj_dropout", 0.0, where),
        "hidden": _fraction(config, "hidden_dropout", 0.1, where),
        "attention": _fraction(config, "attention_dropout", 0.1, where),
        "activation": _fraction(config, "activation_dropout", 0.1, where),
        "layer_drop": _fraction(config, "layerdrop", 0.1, where),
    }
    if config.get("apply_spec_augment", True):
        rates["mask_share"] = _fraction(config, "mask_time_prob", 0.05, where)
    spans = {"mask_length": config.get("mask_time_length", 10), "least_masks": config.get("mask_time_min_masks", 2)}
    for field, value in spans.items():
        if type(value) is not int or value < (field == "mask_length"):
            raise InputError(f"{where}: {field} is {value!r} by mask_time_length or mask_time_min_masks; give frames")
    return Regularisation(**rates, **spans)


def as_json(architecture):
    """An Architecture as dicts, lists and numbers, that `from_json` reads."""
    relative = architecture.relative and architecture.relative._asdict()
    nested = {"positions": architecture.positions._asdict(), "relative": relative}
    return architecture._asdict() | nested | {"convolutions": [list(sizes) for sizes in architecture.convolutions]}


def from_json(value):
    """The Architecture of `as_json`."""
    relative = value["relative"] and RelativeBias(**value["relative"])
    nested = {"positions": Positions(**value["positions"]), "relative": relative}
    return Architecture(**value | nested | {"convolutions": tuple(map(tuple, value["convolutions"]))})


def parameters(module):
    """Every array that transformers has for an `Encoder` or a `DimensionalModel`: list of names.Parameter.

    Names of the trunk have no prefix, and those of weight normalisation are the newer ones, of parametrizations.
    """
    return [_parameter(name, shape, module) for name, shape in _expected(module).items()]


def _expected(module):
    return {name: tuple(leaf.shape) for name, leaf in names.flatten(encoders.shapes(module)).items()}


_LAYER_NAMES = {
    "attention_norm": "layer_norm",
    "feed_forward_norm": "final_layer_norm",
    "feed_forward_hidden": "feed_forward.intermediate_dense",
    "feed_forward_output": "feed_forward.output_dense",
    "query": "attention.q_proj",
    "key": "attention.k_proj",
    "value": "attention.v_proj",
    "output": "attention.out_proj",
    "gate": "attention.gru_rel_pos_linear",
}
_TOP_NAMES = {
    "norm": "encoder.layer_norm",
    "projection_norm": "feature_projection.layer_norm",
    "projection": "feature_projection.projection",
}
_WEIGHTS = {"kernel": "weight", "scale": "weight", "bias": "bias"}


def _parameter(name, shape, module):
    """The Parameter for our flat `name` of `shape`."""
    path = name.split("/")[1:]
    path = path[path[0] == "encoder" :]
    *layers, kind = path
    if kind == "mask_embedding":
        return names.Parameter(name, shape, "masked_spec_embed", shape)
    if kind == "relative_positions":
        return names.Parameter(name, shape, "encoder.layers.0.attention.rel_attn_embed.weight", shape)
    if kind == "gate_scale":
        number = layers[0].removeprefix("layer_")
        return names.Parameter(
            name, shape, f"encoder.layers.{number}.attention.gru_rel_pos_const", (1, *shape, 1, 1)
        )
    weight_norm = _architecture(module).positions.norm == "weight"
    layer = _source_layer(layers, weight_norm)
    source = f"{layer}.{_WEIGHTS[kind]}"
    if layers[0].startswith("positions") and kind != "bias" and weight_norm:
        source = f"{layer}.parametrizations.weight.original{int(kind == 'kernel')}"
        if kind == "scale":
            return names.Parameter(name, shape, source, (1, 1, *shape))
    axes = tuple(reversed(range(len(shape)))) if kind == "kernel" else None
    return names.Parameter(name, shape, source, shape[::-1] if axes else shape, axes)


def _source_layer(layers, weight_norm):
    """transformers' module for our layer, a path of names."""
    first, *rest = layers
    part, _, number = first.rpartition("_")
    if part == "layer":
        return f"encoder.layers.{number}.{_LAYER_NAMES[rest[-1]]}"
    if part == "positions":
        return "encoder.pos_conv_embed.conv" if weight_norm else f"encoder.pos_conv_embed.layers.{number}.conv"
    if first == "convolutions":
        number = rest[0].rpartition("_")[2]
        return f"feature_extractor.conv_layers.{number}.{'layer_norm' if rest[1:] else 'conv'}"
    return _TOP_NAMES.get(first) or {"hidden": "classifier.dense", "output": "classifier.out_proj"}[first]


def _architecture(module):
    return (module.encoder if isinstance(module, DimensionalModel) else module).architecture


def _trunk(arrays, prefix):
    """(the arrays of a trunk and of a head of dimensions by their names without prefix, {part: arrays left out})."""
    renamed = {}
    for name, array in arrays.items():
        name = name.removeprefix(f"{prefix}.")
        if name.startswith("encoder.pos_conv_embed."):
            for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
                name = name.replace(f".conv.{old}", f".conv.parametrizations.weight.{new}")
        renamed[name] = array
    left_out = {}
    for name in list(renamed):
        part = name.split(".")[0]
        if part in LEFT_OUT and not name.startswith(_HEAD):
            del renamed[name]
            left_out[part] = left_out.get(part, 0) + 1
    return renamed, left_out


def _dimensions(config, arrays, where):
    """The names of what a head of dimensions gives, by config.json's labels; None without such a head."""
    bias = arrays.get("classifier.out_proj.bias")
    if bias is None:
        return None
    labels = config.get("id2label")
    if not isinstance(labels, dict) or set(labels) != {str(i) for i in range(len(bias))}:
        raise InputError(f"{where}: id2label does not name the {len(bias)} outputs of the head; name them there")
    return tuple(str(labels[str(i)]) for i in range(len(bias)))


def _weights_file(path):
    """The file of weights that `path` is, or that lies in the folder `path`."""
    if not path:
        raise InputError("pretrained: no input; give the folder, or the file, that transformers saved")
    path = Path(path)
    if not path.is_dir():
        if not path.is_file():
            raise InputError(f"{path}: no such file or folder; give what transformers saved")
        return path
    found = [path / name for name in WEIGHTS if (path / name).is_file()]
    if found:
        return found[0]
    if any((path / f"{name}.index.json").is_file() for name in WEIGHTS):
        raise InputError(f"{path}: the weights are in several files; save them in one (max_shard_size='20GB')")
    raise InputError(f"{path}: holds neither {' nor '.join(WEIGHTS)}; give the folder that transformers saved")


def _json(path):
    """(the object in a JSON file, the file's sha256)."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give weights with the one that transformers saves beside them")
    digest = sources.file_sha256(path)
    try:
        value = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path}: is no JSON ({error}); get the file again") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: holds no settings; get the file again")
    return value, digest


def _fraction(config, field, otherwise, where):
    value = config.get(field, otherwise)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise InputError(f"{where}: {field}={value!r}; a number from 0 to 1 is wanted")
    return float(value)
