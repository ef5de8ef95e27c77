"""The members of a model: folds x seeds x learning rates, with the utterances that each trains on."""

from typing import Any

import numpy as np

from sejax.data.crops import oversampled
from sejax.data.folds import TRAIN, pair_folds
from sejax.data.ratings import POINTS, Ratings
from sejax.data.utterances.load import UtteranceSpectrograms
from sejax.errors import InputError


def make_members(
    config, speech: UtteranceSpectrograms, ratings: Ratings
) -> tuple[tuple[dict[str, Any], ...], dict[str, np.ndarray]]:
    """Names of the members, and their arrays: part i8[M, U], rows i32[M, L], count, draw i32[M], learning_rate f32[M].

    Members of one fold and seed share first weights and crops, whatever their learning rate.

    Raises:
      InputError: folds that the corpus does not allow, learning rates that are not above 0.
    """
    parts = pair_folds(speech, rated_by(ratings), folds=config.folds, seed=config.seed, swap=config.swap)
    if not config.learning_rates or min(config.learning_rates) <= 0:
        raise InputError(f"config: learning_rates={tuple(config.learning_rates)}; give some, all above 0")
    tables = [training_rows(part, ratings, balance=config.balance) for part in parts]
    length = max(map(len, tables))
    names, arrays = [], []
    for fold, (part, rows) in enumerate(zip(parts, tables, strict=True)):
        for seed in range(config.seeds):
            for rate in config.learning_rates:
                name = {"model": config.model, "fold": fold, "seed": seed}
                names.append(name | ({"learning_rate": rate} if len(config.learning_rates) > 1 else {}))
                arrays.append(
                    {
                        "part": part,
                        "rows": np.resize(rows, length).astype(np.int32),
                        "count": np.int32(len(rows)),
                        "draw": np.int32(fold * config.seeds + seed),
                        "learning_rate": np.float32(rate),
                    }
                )
    return tuple(names), {field: np.stack([member[field] for member in arrays]) for field in arrays[0]}


def rated_by(ratings: Ratings) -> np.ndarray:
    """bool[U], the utterances with ratings."""
    return ~np.isnan(ratings.values).any(-1)


def training_rows(part: np.ndarray, ratings: Ratings, *, balance: float) -> np.ndarray:
    """The utterances of an epoch, i32[L]: the training part's, rare valences repeated.

    Valences are binned by their nearest point, the upper one of a perfect split.
    """
    trains = np.flatnonzero(part == TRAIN)
    valence = np.clip(ratings.values[trains, 0], 1, POINTS)
    return trains[oversampled(np.floor(valence + 0.5).astype(np.int32) - 1, balance=balance)].astype(np.int32)
