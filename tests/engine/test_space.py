"""What a sweep may try: the grammar, its types, and what is refused before anything is trained."""

import math

import pytest
from ml_collections import ConfigDict

from sejax.engine.space import parse_space
from sejax.errors import InputError

MEMBERS = {"learning_rate": "rates"}


@pytest.fixture
def config():
    return ConfigDict(
        {
            "experiment": "toy",
            "batch_size": 32,
            "width": 64,
            "side": 4,
            "depth": 2,
            "dropout": 0.5,
            "whole": True,
            "loss": "logits",
            "hidden": (8, 4),
            "rates": (1e-4,),
            "nothing": None,
            "image": {"level": 20.0, "size": 224},
            "run": {"backend": "scan"},
        }
    )


def values_of(text, config, name=None):
    space = parse_space(text, config, MEMBERS)
    return [values[name or next(iter(space.domains))] for values in space.all()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("batch_size=64|128", [64, 128]),
        ("learning_rate=1e-3|0.1", [1e-3, 0.1]),
        ("image.level=10|20", [10.0, 20.0]),
        ("whole=yes|no", [True, False]),
        ("loss=logits|clipped", ["logits", "clipped"]),
        ("hidden=8+4|16", [(8, 4), (16,)]),
        ("width=32..90:20", [32, 52, 72]),
        (" width = -1..1 ", [-1, 0, 1]),
        ("side=2..width/16", [2, 3, 4]),
        ("side=width/32..depth*2", [2, 3, 4]),
    ],
)
def test_a_domain_holds_what_is_written_in_the_type_of_the_config(config, text, expected):
    found = values_of(text, config)
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


def test_a_range_follows_the_field_that_it_refers_to_wherever_that_stands(config):
    space = parse_space("side=2..width/16,width=32|64", config)
    assert space.order == ("width", "side") and list(space.domains) == ["side", "width"]
    found = [(values["width"], values["side"]) for values in space.all()]
    assert found == [(32, 2), (64, 2), (64, 3), (64, 4)]


def test_references_may_be_chained_and_only_what_can_occur_must_not_be_empty(config):
    found = values_of("depth=1..2,side=1..depth,batch_size=side..depth", config, "batch_size")
    assert found == [1, 1, 2, 2]


def test_real_numbers_are_uniform_or_uniform_in_their_logarithm(config):
    domains = parse_space("dropout=0.1~0.5,learning_rate=log:1e-5~1e-1", config, MEMBERS).domains
    assert [domains["dropout"].value(u) for u in (0.0, 0.5, 0.99999)] == [0.1, 0.3, 0.5]
    assert [domains["learning_rate"].value(u) for u in (0.0, 0.5)] == [1e-5, 1e-3]
    assert domains["learning_rate"].value(1 / 3) == float(f"{math.exp(math.log(1e-5) + math.log(1e4) / 3):.4g}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing to sweep"),
        ("batch_size", "no FIELD=DOMAIN"),
        ("batch=1|2", "no field 'batch'; known are batch_size.*learning_rate"),
        ("image.depth=1|2", "no field 'image.depth'; known are image.level, image.size"),
        ("batch_size.x=1", "no field 'batch_size.x'; known are none"),
        ("image=1|2", "image is a section; sweep one of image.level, image.size"),
        ("nothing=1|2", "nothing is None"),
        ("experiment=toy|transfer", "experiment says what is run"),
        ("run.backend=scan|loop", "run.backend says what is run"),
        ("batch_size=64|many", "not all of these are like 32"),
        ("batch_size=64|128|64", "each value once"),
        ("learning_rate=1e-3|0.001", "each value once"),
        ("dropout=0.1|nan", "finite"),
        ("batch_size=1|2,batch_size=3|4", "batch_size is there twice"),
        ("batch_size=1~2", "real numbers where the config has 32"),
        ("dropout=1..2", "whole numbers where the config has 0.5"),
        ("whole=0..1", "whole numbers where the config has True"),
        ("dropout=0.5~0.1", "is empty"),
        ("dropout=log:0~0.1", "LOW above 0"),
        ("batch_size=9..3", "batch_size=9..3 is empty; give LOW"),
        ("side=9..width/16", "side=9..width/16 is empty where width=64"),
        ("width=16|64,side=2..width/16", "is empty where width=16"),
        ("side=2..width/0", "no bound"),
        ("side=2..width-1", "no bound"),
        ("side=2..9:0", "step '0'"),
        ("side=2..9:x", "step 'x'"),
        ("side=2..where", "no field 'where'"),
        ("side=2..dropout", "dropout, which does not hold whole numbers"),
        ("side=2..dropout,dropout=0.1~0.5", "dropout, which does not hold whole numbers"),
        ("side=1..width,width=1..side", "side, width refer to each other in a circle"),
    ],
)
def test_what_cannot_be_swept_is_refused_with_its_name(config, text, message):
    with pytest.raises(InputError, match=message):
        parse_space(text, config, MEMBERS)
