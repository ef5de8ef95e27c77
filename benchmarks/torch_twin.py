"""Pseudo-labelling of a frozen trunk's features as one would write it in PyTorch: loops over folds and iterations.

The same method as sejax.experiments.pseudo_labelling, number for number: standardised features, dropout,
one linear layer, balanced class weights, Adam, plateau, early stopping, best weights restored, pseudo-labels
re-computed after every iteration.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn


@dataclass
class Twin:
    """The method's numbers, as `sejax.experiments.pseudo_labelling.algorithm.Settings`."""

    num_classes: int
    batch_size: int
    epochs: int
    learning_rate: float
    minimum_rate: float
    factor: float
    plateau_patience: int
    stop_patience: int
    threshold: float
    weight_decay: float
    dropout: float
    gain: float
    iterations: int


def run_fold(twin: Twin, features, label, part, labelled) -> tuple[np.ndarray, int, list[int]]:
    """One fold: posteriors f32[I, C] after the last iteration, updates done, epochs per iteration.

    features f32[I, D], label i64[I], part i8[I] (0 training, 1 validation, 2 test), labelled bool[I], as tensors.
    """
    training = features[part == 0]
    scale = torch.rsqrt(training.var(0, correction=0) + 1e-2 * training.var(0, correction=0).mean() + 1e-12)
    scale *= twin.gain / features.shape[1] ** 0.5
    features = (features - training.mean(0)) * scale
    current, active, updates, epochs = label.clone(), labelled.clone(), 0, []
    for _ in range(twin.iterations):
        network, done, passed = _train(twin, features, current, active, label, part)
        updates, epochs = updates + done, [*epochs, passed]
        network.eval()
        with torch.no_grad():
            posterior = network(features).softmax(-1)
        confidence, predicted = posterior.max(-1)
        unlabelled = (part == 0) & ~labelled
        current = torch.where(labelled, label, predicted)
        active = labelled | (unlabelled & (confidence >= twin.threshold))
    return posterior.numpy(), updates, epochs


def _train(twin: Twin, features, current, active, label, part):
    network = nn.Sequential(nn.Dropout(twin.dropout), nn.Linear(features.shape[1], twin.num_classes))
    optimizer = torch.optim.AdamW(network.parameters(), lr=twin.learning_rate, weight_decay=twin.weight_decay)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="max", factor=twin.factor, patience=twin.plateau_patience, min_lr=twin.minimum_rate
    )
    counts = torch.bincount(current[active], minlength=twin.num_classes).float()
    weight = torch.where(counts > 0, counts.sum() / ((counts > 0).sum() * counts.clamp(min=1)), 0.0)
    objective = nn.CrossEntropyLoss(weight=weight)
    rows, valid = torch.nonzero(active)[:, 0], part == 1
    best, best_weights, bad, updates, epochs = -1.0, None, 0, 0, 0
    while epochs < twin.epochs and bad <= twin.stop_patience:
        network.train()
        for batch in rows[torch.randperm(len(rows))].split(twin.batch_size):
            optimizer.zero_grad()
            objective(network(features[batch]), current[batch]).backward()
            optimizer.step()
            updates += 1
        network.eval()
        with torch.no_grad():
            accuracy = (network(features[valid]).argmax(-1) == label[valid]).float().mean().item()
        plateau.step(accuracy)
        epochs += 1
        if accuracy > best * (1 + 1e-4):
            best, bad = accuracy, 0
            best_weights = {name: value.clone() for name, value in network.state_dict().items()}
        else:
            bad += 1
    network.load_state_dict(best_weights)
    return network, updates, epochs
