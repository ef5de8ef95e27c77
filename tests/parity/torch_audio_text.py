"""Lima and Bak's network (SPML 2018) as one would write it in PyTorch, number for number sejax.models.audio_text's.

`Twin` in two ways with the same weights: `alone` takes every utterance by itself, without any padding, and joins the
real samples of all for batch normalisation: no mask that could be wrong. `forward` takes a padded batch with masks, as
training does; the tests hold it against `alone`, the benchmark times it.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

ATTENTIONS = ("att_s_1", "att_d_1", "att_s_n", "att_d1_n", "att_d2_n")


class Twin(nn.Module):
    """The network with `fusion`; the other arguments are those of AudioText."""

    def __init__(
        self,
        fusion,
        num_classes,
        vocabulary,
        *,
        embedding=150,
        kernels=(25, 5),
        channels=(4, 8),
        strides=(4, 2),
        pool=200,
        gru=32,
        widths=(3, 5),
        maps=200,
        hidden=96,
        dropout=0.55,
        pool_padding=False,
        shared_attention=True,
    ):
        super().__init__()
        self.fusion, self.strides, self.pool, self.widths = fusion, strides, pool, widths
        self.pool_padding, self.dropout = pool_padding, dropout
        n = maps * len(widths)
        if fusion != "text":
            first, second = channels
            self.conv_1 = nn.Conv1d(1, first, kernels[0], strides[0], kernels[0] // 2, bias=False)
            self.norm_1 = nn.BatchNorm1d(first)
            self.conv_2 = nn.Conv1d(first, second, kernels[1], strides[1], kernels[1] // 2, bias=False)
            self.norm_2 = nn.BatchNorm1d(second)
            self.project = nn.Conv1d(1, second, 1, strides[0] * strides[1], bias=False)
            self.norm_3 = nn.BatchNorm1d(second)
            self.gru = nn.GRU(second, gru, batch_first=True)
            self.scale = nn.Linear(gru, n)
        if fusion != "audio":
            self.embed = nn.Embedding(vocabulary, embedding)
            self.convs = nn.ModuleDict({str(width): nn.Conv1d(embedding, maps, width) for width in widths})
        if fusion in ATTENTIONS:
            names = ("both",) if shared_attention else ("audio", "text")
            self.attend_1 = nn.ModuleDict({name: _attention(n, 1 if fusion == "att_s_1" else n) for name in names})
        if fusion in ("att_d_1", "att_d2_n"):
            self.attend_2 = nn.ModuleDict({name: _attention(n, 1 if fusion == "att_d_1" else n) for name in names})
        self.hidden = nn.Linear(2 * n if fusion == "concatenation" else n, hidden)
        self.output = nn.Linear(hidden, num_classes)

    def alone(self, waveforms, words):
        """As `forward`, of a list of waveforms f32[T_b], T_b >= 1, and one of words i64[W_b]: no padding at all."""
        audio = self._audio_alone(waveforms) if self.fusion != "text" else None
        text = torch.stack([self._sentence(row) for row in words]) if self.fusion != "audio" else None
        return self.fuse(audio, text)

    def _audio_alone(self, waveforms):
        rows = [row[None, None] for row in waveforms]
        middle = _joined([self.conv_1(row) for row in rows], lambda x: F.relu(self.norm_1(x)))
        last = _joined([self.conv_2(row) for row in middle], self.norm_2)
        beside = _joined([self.project(row) for row in rows], self.norm_3)
        pooled = [F.adaptive_max_pool1d(F.relu(a + b), self.pool) for a, b in zip(last, beside, strict=True)]
        return self._scaled(torch.cat(pooled))

    def _scaled(self, pooled):
        return self.scale(self.gru(pooled.transpose(1, 2))[1][0])

    def _sentence(self, words):
        found = []
        for width, conv in zip(self.widths, self.convs.values(), strict=True):
            x = F.pad(self.embed(words).T, (0, max(0, width - len(words))))
            found.append(F.relu(conv(x[None]))[0].amax(1))
        return torch.cat(found)

    def forward(self, waveform, length, words, word_count):
        """{"logits", "attention", "audio", "text"} of a padded batch: f32[B, T], list of B lengths, i64[B, W], i64[B].

        Every length is at least 1.
        """
        audio = self._audio(waveform, length) if self.fusion != "text" else None
        text = self._text(words, word_count) if self.fusion != "audio" else None
        return self.fuse(audio, text)

    def _audio(self, waveform, length):
        if self.pool_padding:
            length = [waveform.shape[1]] * len(waveform)
        stride, then = self.strides
        real = _real([-(-n // stride) for n in length], -(-waveform.shape[1] // stride), waveform)
        y = F.relu(masked_norm(self.norm_1, self.conv_1(waveform[:, None]), real)) * real
        length = [-(-n // (stride * then)) for n in length]
        real = _real(length, -(-waveform.shape[1] // (stride * then)), waveform)
        y = masked_norm(self.norm_2, self.conv_2(y), real)
        y = F.relu(y + masked_norm(self.norm_3, self.project(waveform[:, None]), real))
        pooled = [F.adaptive_max_pool1d(row[:, :n], self.pool) for row, n in zip(y, length, strict=True)]
        return self._scaled(torch.stack(pooled))

    def _text(self, words, word_count):
        x = self.embed(words) * (torch.arange(words.shape[1], device=words.device) < word_count[:, None])[..., None]
        x = F.pad(x.transpose(1, 2), (0, max(0, max(self.widths) - words.shape[1])))
        found = []
        for width, conv in zip(self.widths, self.convs.values(), strict=True):
            y = conv(x)
            inside = torch.arange(y.shape[2], device=y.device) <= (word_count[:, None] - width).clamp(min=0)
            found.append(F.relu(y.masked_fill(~inside[:, None], -torch.inf).amax(2)))
        return torch.cat(found, 1)

    def fuse(self, audio, text):
        """Section 3.3 and the two dense layers behind it."""
        attention = None
        if self.fusion == "concatenation":
            y = torch.cat([text, audio], 1)
        elif self.fusion == "addition":
            y = text + audio
        elif self.fusion in ATTENTIONS:
            scores = torch.stack([self._score(audio, "audio"), self._score(text, "text")])
            share = scores.softmax(0)
            y = share[0] * audio + share[1] * text
            attention = share.mean(-1).T
        else:
            y = audio if self.fusion == "audio" else text
        hidden = F.dropout(F.relu(self.hidden(y)), self.dropout, self.training)
        return {"logits": self.output(hidden), "attention": attention, "audio": audio, "text": text}

    def _score(self, x, name):
        name = name if name in self.attend_1 else "both"
        inner = F.relu(self.attend_1[name](x))
        if self.fusion == "att_d1_n":
            return self.attend_1[name](inner)
        return self.attend_2[name](inner) if hasattr(self, "attend_2") else inner


def _attention(features, scores):
    return nn.Linear(features, scores, bias=False)


def _joined(rows, function):
    """`function` of rows [1, C, T_b] one after the other in time; the rows of what it gives."""
    return function(torch.cat(rows, 2)).split([row.shape[2] for row in rows], 2)


def _real(length, longest, like):
    """1 at the first length[b] of `longest` positions of row b, 0 beyond: [B, 1, longest], of the type of `like`."""
    length = torch.tensor(length, device=like.device)
    return (torch.arange(longest, device=like.device) < length[:, None])[:, None].to(like.dtype)


def masked_norm(norm, x, real):
    """What BatchNorm1d `norm` makes of x [B, C, T] where `real` [B, 1, T] is 1; its statistics move in training."""
    if not norm.training:
        return norm(x)
    count = real.sum()
    mean = (x * real).sum((0, 2)) / count
    centred = x - mean[:, None]
    var = (centred * real).square().sum((0, 2)) / count
    with torch.no_grad():
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(var * count / (count - 1), norm.momentum)
    return centred * (torch.rsqrt(var + norm.eps) * norm.weight)[:, None] + norm.bias[:, None]


_LAYERS = {"hidden_layer": "hidden", "shortcut": "norm_3"}
_LEAVES = {"kernel": "weight", "scale": "weight", "embedding": "weight", "mean": "running_mean", "var": "running_var"}
_GRU = {"input_kernel": "weight_ih_l0", "recurrent_kernel": "weight_hh_l0"}
_GRU |= {"input_bias": "bias_ih_l0", "recurrent_bias": "bias_hh_l0"}


def named(params, statistics=None):
    """Our variables, or gradients of them, as a Twin's: arrays by the names of its state_dict."""
    found = {}
    for tree in (params, statistics or {}):
        for branch, layers in tree.items():
            for layer, leaves in (layers if branch in ("audio", "text", "fuse") else {branch: layers}).items():
                for leaf, value in (leaves | leaves.get("norm", {})).items():
                    if leaf == "norm":
                        continue
                    value = np.asarray(value)
                    # Kernels are [width, inputs, outputs] and [inputs, outputs], torch's the other way around.
                    found[_name(branch, layer, leaf)] = (value if leaf == "embedding" else value.T).copy()
    return found


def _name(branch, layer, leaf):
    kind, *others = layer.split("_")
    if layer == "gru":
        return f"gru.{_GRU[leaf]}"
    if layer == "shortcut" and leaf == "kernel":
        return "project.weight"
    if branch == "text" and kind == "conv":
        layer = f"convs.{others[0]}"
    if kind == "attend":
        *name, number = others
        layer = f"attend_{number}.{name[0] if name else 'both'}"
    return f"{_LAYERS.get(layer, layer)}.{_LEAVES.get(leaf, leaf)}"


def take(twin, params, statistics):
    """Puts our weights and running statistics into a Twin; raises RuntimeError where a name or shape does not fit."""
    arrays = {name: torch.from_numpy(value) for name, value in named(params, statistics).items()}
    missing, unknown = twin.load_state_dict(arrays, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unknown:
        raise RuntimeError(f"weights without a place {unknown}, places without a weight {missing}")
    return twin
