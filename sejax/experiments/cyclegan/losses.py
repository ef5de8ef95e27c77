"""The losses of Bao, Neumann and Vu (2019), section 2, one CycleGAN and one batch at a time."""

import jax
import jax.numpy as jnp
import optax


def adversarial_loss(logits: jax.Array, label: float = 1.0) -> jax.Array:
    """Mean cross-entropy f32[] of discriminator logits [B, 1] against ``label``, the wished probability of "real".

    Equation 1 with the non-saturating form for generators, who want the label 1 for what they made: it has the same
    fixed point, and a gradient when the discriminator is sure.
    """
    return jnp.mean(jax.nn.softplus(logits) - label * logits)


def discriminator_loss(real: jax.Array, fake: jax.Array, *, real_label: float = 0.9) -> jax.Array:
    """Equation 1, negated, with one-sided label smoothing: real vectors want ``real_label``, made ones 0.

    Logits [B, 1] each; f32[].
    """
    return adversarial_loss(real, real_label) + adversarial_loss(fake, 0.0)


def cycle_loss(reconstructed: jax.Array, original: jax.Array) -> jax.Array:
    """One half of equation 3: the mean squared error f32[] over batch and features of vectors [B, F]."""
    return jnp.mean(jnp.square(reconstructed - original))


def classification_loss(logits: jax.Array, label: jax.Array) -> jax.Array:
    """Equation 4 for one emotion: mean softmax cross-entropy f32[] of logits [B, C] and its label i32[]."""
    labels = jnp.broadcast_to(label, logits.shape[:1])
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels))
