"""What the generator makes of the same draws as training goes on, and the real speech that comes nearest to it."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sejax.core.results import pack
from sejax.data.crops import crop_data, evaluation_starts, read_crops
from sejax.data.folds import TRAIN

HELD_OUT = 64  # held-out crops whose own neighbours tell what a small distance is
LEVELS = 255  # 0 is -1, the floor; 255 is 1, the loudest


def first_gallery(networks, snapshots: int, samples: int) -> jax.Array:
    """An empty gallery u8[K, N, bands, width]; K and N are 0 for a model that generates nothing."""
    if not networks.generates:
        return jnp.zeros((0, 0, networks.bands, networks.width), jnp.uint8)
    return jnp.zeros((snapshots, samples, networks.bands, networks.width), jnp.uint8)


def levels(crops):
    """Crops in [-1, 1] as u8, numpy or jax."""
    xp = np if isinstance(crops, np.ndarray) else jnp
    return xp.round((xp.clip(crops, -1.0, 1.0) + 1.0) * (LEVELS / 2)).astype(xp.uint8)


def hung(gallery: jax.Array, crops: jax.Array, *, epoch: jax.Array) -> jax.Array:
    """The gallery after ``epoch`` i32[] (from 1): row k keeps the crops of epoch 2 ** k, the last row the latest."""
    if not gallery.shape[0]:
        return gallery
    row = jnp.arange(gallery.shape[0])
    here = (2**row == epoch) | (row == gallery.shape[0] - 1)
    return jnp.where(here[:, None, None, None], levels(crops), gallery)


def hung_epochs(snapshots: int, epochs: int) -> tuple[list[int], list[int]]:
    """Rows of a gallery that hold something after so many epochs, and the epoch of each; the latest is there once."""
    rows = [row for row in range(snapshots - 1) if 2**row < epochs]
    return [*rows, snapshots - 1], [*(2**row for row in rows), epochs]


def nearest(crops: np.ndarray, candidates: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """For every crop f32[N, bands, width] the nearest of the candidates, given in parts f32[C, bands, width].

    Returns:
      distance f32[N], the root mean square difference over pixels, and its number i64[N] over all parts.
    """
    flat = crops.reshape(len(crops), -1).astype(np.float32)
    best, place, first = np.full(len(crops), np.inf, np.float32), np.zeros(len(crops), np.int64), 0
    for part in candidates:
        others = np.asarray(part, np.float32).reshape(len(part), -1)
        squares = (flat**2).sum(1)[:, None] + (others**2).sum(1) - 2.0 * flat @ others.T
        found = squares.argmin(1)
        squares = squares[np.arange(len(flat)), found]
        better = squares < best
        best, place = np.where(better, squares, best), np.where(better, first + found, place)
        first += len(part)
    return np.sqrt(np.maximum(best, 0.0) / flat.shape[1]), place


class Wall:
    """Where a run's gallery hangs: the real speech that generated crops are held against, and how they are described.

    Args:
      sets: the labelled set, and those of unlabelled speech.
      part: i8[U], the labelled utterances' parts in the first fold, whose gallery is shown.
      width, dynamic_range: of the crops.
      most: crops of each set, at most, that are searched for neighbours, and held-out ones that are searched for.
    """

    def __init__(self, sets, part: np.ndarray, *, width: int, dynamic_range: float, most: int = 4096):
        self.sets, self.part, self.width, self.dynamic_range, self.most = sets, part, width, dynamic_range, most

    def describe(self, record: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
        """A member's gallery for results.json; None where it generates nothing or is not the one that is shown.

        Args:
          record: what the member's last iteration left: "gallery", "draw", "epochs".
        """
        gallery, epochs = record["gallery"], int(record["epochs"])
        if not gallery.size or int(record["draw"]) or not epochs:
            return None
        rows, at = hung_epochs(len(gallery), epochs)
        final = gallery[-1]
        parts, owners = zip(*(self._crops(number) for number in range(len(self.sets))), strict=True)
        distance, place = nearest(_values(final), parts)
        real = [crop for part in parts for crop in part]  # views: the parts together are large
        ids = [name for names in owners for name in names]
        others = np.flatnonzero(self.part > TRAIN)
        others = others[np.linspace(0, len(others) - 1, min(len(others), HELD_OUT)).astype(int)]  # of both speakers
        held_out = self._of(0, others, crops=1)[0]
        return {
            "epochs": at,
            "generated": pack(gallery[rows]),
            "neighbours": pack(levels(np.stack([real[number] for number in place]))),
            "neighbour_corpora": [ids[number][0] for number in place],
            "neighbour_ids": [ids[number][1] for number in place],
            "distance": distance.astype(float).round(4).tolist(),
            "distance_real": float(np.median(nearest(held_out, parts)[0])),
        }

    def _crops(self, number: int):
        """Crops of a set that training could see, and whose they are."""
        speech = self.sets[number]
        rows = np.flatnonzero(self.part == TRAIN) if number == 0 else np.arange(len(speech.label))
        crops = max(1, min(4, self.most // max(len(rows), 1)))
        rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), self.most)).astype(int)]
        return self._of(number, rows, crops=crops)

    def _of(self, number: int, rows: np.ndarray, *, crops: int):
        """Evenly spaced crops f32[rows * crops, bands, width] of a set's utterances, and (corpus, id) of each."""
        speech, data = self.sets[number], crop_data(self.sets[number])
        utterance = np.repeat(rows, crops)
        start = evaluation_starts(data["length"][rows], count=crops, width=self.width).reshape(-1)
        read = read_crops(data, utterance, start, width=self.width, dynamic_range=self.dynamic_range)
        return read, [(speech.corpus, speech.utterance_ids[row]) for row in utterance]


def _values(stored: np.ndarray) -> np.ndarray:
    """Crops in [-1, 1] from their levels."""
    return stored.astype(np.float32) * (2 / LEVELS) - 1
