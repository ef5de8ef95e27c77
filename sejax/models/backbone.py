"""What all networks have in common: a trunk, a classifier, and one way to call them."""

import flax.linen as nn

from sejax.errors import InputError


class Backbone(nn.Module):
    """Base of the networks, which define `smallest`, `features` and `classify`.

    `features(images, *, train, record)` gives the last feature map before global pooling and `classify(
    features, *, train, record)` the logits; both write their activations into the dict `record` under their
    layers' names. `smallest` is the least height and width of an image in pixels.
    """

    def __call__(self, images, *, train=False, activations=False):
        """Logits [B, num_classes] of images [B, H, W, 3]; with `activations`, also a dict of every activation.

        train=True: dropout (from the "dropout" stream) and batch statistics ("batch_stats" is then mutable).
        Raises InputError for images that are too small or not [B, H, W, 3].
        """
        record = {}
        features = self.features(images, train=train, record=record)
        self.auxiliary(record, train=train)
        logits = self.classify(features, train=train, record=record)
        return (logits, record) if activations else logits

    def auxiliary(self, record, *, train):
        """Outputs beside the logits, from the trunk's activations in `record`; none but for Inception."""

    def check(self, images):
        """Raise InputError unless images are [B, H, W, 3] with H and W large enough."""
        network = type(self).__name__
        if images.ndim != 4 or images.shape[-1] != 3:
            raise InputError(f"{network}: images of shape {images.shape}; give [B, H, W, 3]")
        if min(images.shape[1:3]) < self.smallest:
            raise InputError(
                f"{network}: images of {images.shape[1]} x {images.shape[2]} pixels are too small: "
                f"give larger images, from {self.smallest} x {self.smallest} on"
            )
