"""The two stages as pure functions (Bao et al. 2019, sections 2, 4), with the equations of their losses.

One member is one fold's model: E CycleGANs side by side on an axis of their own, coupled by the domain classifier and
nothing else. Members (folds x seeds x weights of the classification loss) are the engine's axis. ``data`` is as in
`sejax.experiments.cyclegan.stage`.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from sejax.core.metrics import Mean, Scatter, Sum
from sejax.core.rng import member_key, root_key, stream
from sejax.experiments.cyclegan.networks import (
    DOMAINS,
    Networks,
    Translations,
    dropout_seeds,
    first_pairs,
    first_weights,
    translate,
)
from sejax.experiments.cyclegan.results import compare
from sejax.experiments.cyclegan.stage import (
    Schedule,
    StageState,
    adam_step,
    all_finite,
    begun,
    biases,
    common_fields,
    descended,
    next_row,
    noted,
    over,
    overall,
    per_emotion,
    rate_at,
    scaled,
)
from sejax.experiments.methods import check_choice


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


OBJECTIVES = ("cycle", "identity")


@dataclass(frozen=True, eq=False)
class Pretraining:
    """The first stage (section 4.1): pairs of generators learn to reconstruct through each other.

    The paper pre-trains "each pair of the generators G_i and F_i on their corresponding source and target data" and
    does not say by which objective. It is taken to be the cycle-consistency loss alone (equation 3); that leaves G(s)
    free to be any code that F can read. The objective `identity` has each generator return what it is given, from
    either domain, so that G(s) begins where the source lies: adversarial training then needs far fewer updates.
    """

    networks: Networks
    schedule: Schedule
    classes: tuple[str, ...]
    batch_size: int = 64
    objective: str = "cycle"

    def __post_init__(self):
        """Raises InputError for an objective that is none of `OBJECTIVES`."""
        check_choice("pretraining.objective", self.objective, OBJECTIVES)

    def init(self, key, member, data) -> StageState:
        """Fresh generators.

        ``member`` is ``{"rows": i32[E, L], "count": i32[E], "shift", "scale": f32[F], "draw": i32[], "learning_rate":
        f32[]}``.
        """
        features, emotions = data["source"].shape[-1], len(self.classes)
        generators = first_pairs(self.networks.generator, stream(key, "generators", 0), features, emotions)
        return StageState(
            generators=generators,
            optimizer=self.schedule.adam().init(generators),
            **common_fields(key, member, self.schedule, self.batch_size),
        )

    takes_live = True

    def step(self, state: StageState, batch, live=True):
        """One update of every pair by its objective, if the member is ``live``."""
        state, asleep = begun(state, live)
        source, target = scaled(state, batch)
        seeds = dropout_seeds(stream(state.key, "pretraining", state.step), len(self.classes), 4)
        of_pair = jax.vmap(self._cycle if self.objective == "cycle" else self._identity)
        state, generators, optimizer, losses = descended(
            *(state, self.schedule, state.generators, state.optimizer),
            lambda generators: of_pair(generators, source, target, seeds),
            rate=rate_at(state, self.schedule),
        )
        metrics = {"loss": overall(losses, state.alive)}
        metrics |= per_emotion({self.objective: losses}, self.classes, state.alive)
        return over(state.replace(generators=generators, optimizer=optimizer), asleep, live), metrics

    def _cycle(self, pair, source, target, seeds):
        """Equation 3 of one pair."""
        made = translate(self.networks.generator, pair, source, target, seeds)
        return cycle_loss(made.source_again, source) + cycle_loss(made.target_again, target)

    def _identity(self, pair, source, target, seeds):
        """Mean squared error of either generator's copy of source and target vectors."""
        both = jnp.concatenate([source, target])  # [2 B, F]
        apply = self.networks.generator.apply
        copies = [apply({"params": pair[domain]}, both, seeds=seeds[i]) for i, domain in enumerate(DOMAINS)]
        return sum(cycle_loss(copy, both) for copy in copies)

    def evaluate(self, state: StageState, batch):
        """How well the source comes back through both generators, without dropout."""
        x = state.scaling.apply(batch["source"])  # [B, F]

        def again(pair):
            made = self.networks.generator.apply({"params": pair["target"]}, x)
            back = self.networks.generator.apply({"params": pair["source"]}, made)
            return jnp.mean(jnp.square(back - x), axis=-1)  # [B]

        errors = jnp.where(state.alive[:, None], jax.vmap(again)(state.generators), 0.0)  # [E, B]
        return {
            f"cycle_source/{emotion}": Mean.from_values(errors[number], batch["valid"])
            for number, emotion in enumerate(self.classes)
        }

    def refresh(self, state: StageState, metrics) -> StageState:
        """The next row of the history."""
        del metrics
        return next_row(state, self.schedule)

    def conclude(self, state: StageState, metrics, data):
        """The reconstruction's error for each emotion, and which CycleGANs stopped."""
        del data
        errors = [metrics[f"cycle_source/{emotion}"].compute() for emotion in self.classes]
        return state, {"cycle_source": jnp.stack(errors), "stopped_at": state.stopped_at}


class Settings(NamedTuple):
    """The method's numbers; defaults are the paper's, section 4.1.

    Attributes:
      classes: the emotions.
      schedule: epochs and rates, of generators, classifier and discriminators alike.
      batch_size: B.
      generator_updates: before each update of the discriminators.
      real_label: what discriminators are to say of real vectors (one-sided label smoothing).
      sample: K, source rows whose translations are kept for distances and projections.
    """

    classes: tuple[str, ...]
    schedule: Schedule
    batch_size: int = 64
    generator_updates: int = 2
    real_label: float = 0.9
    sample: int = 256


@struct.dataclass
class CycleGANState(StageState):
    """One fold's CycleGANs. `generators` and `optimizer` as in StageState; the moments include the classifier's.

    Attributes:
      discriminators: ``{"target", "source"}`` parameters, stacked [E, ...]; discriminator_optimizer: Adam's moments.
      classifier: the domain classifier's parameters.
      lambda_cycle, lambda_cls: f32[], weights of the losses (equation 5).
      discriminator_speed: f32[], the discriminators' learning rate as a multiple of the generators'.
      reference: what synthetic vectors are compared with, see `sejax.experiments.cyclegan.results`.
    """

    discriminators: Any
    discriminator_optimizer: Any
    classifier: Any
    lambda_cycle: jax.Array
    lambda_cls: jax.Array
    discriminator_speed: jax.Array
    reference: Any


_BY_GENERATORS = ("generators", "classifier", "optimizer", "alive", "stopped_at")  # what their updates change


@dataclass(frozen=True, eq=False)
class Method:
    """The second stage: E parallel CycleGANs with their domain classifier."""

    networks: Networks
    settings: Settings

    def init(self, key, member, data) -> CycleGANState:
        """Generators from the first stage (or fresh ones), fresh discriminators and classifier.

        ``member`` is that of `Pretraining` and ``{"lambda_cycle", "lambda_cls", "discriminator_speed": f32[],
        "reference": see `sejax.experiments.cyclegan.results`, "generators": those of the first stage}``, the last
        absent where there was no first stage.
        """
        features, emotions = data["source"].shape[-1], len(self.settings.classes)
        networks, schedule = self.networks, self.settings.schedule
        first = member_key(root_key(1), member["draw"])  # members that differ in lambda begin with the same weights
        generators = member.get("generators")
        if generators is None:
            generators = first_pairs(networks.generator, stream(first, "generators", 0), features, emotions)
        discriminators = first_pairs(networks.discriminator, stream(first, "discriminators", 0), features, emotions)
        classifier = first_weights(networks.classifier, stream(first, "classifier", 0), features)
        return CycleGANState(
            generators=generators,
            optimizer=schedule.adam().init({"generators": generators, "classifier": classifier}),
            discriminators=discriminators,
            discriminator_optimizer=schedule.adam().init(discriminators),
            classifier=classifier,
            lambda_cycle=member["lambda_cycle"],
            lambda_cls=member["lambda_cls"],
            discriminator_speed=member["discriminator_speed"],
            reference=member["reference"],
            **common_fields(key, member, schedule, self.settings.batch_size),
        )

    takes_live = True

    def step(self, state: CycleGANState, batch, live=True):
        """One round, if the member is ``live``: generators' updates, each with the classifier's, then discriminators'.

        It leaves alone itself what must stay, so that the engine need not choose between new and old states.
        """
        state, asleep = begun(state, live)
        vectors = scaled(state, batch)

        def update(changing, number):
            key = jax.random.fold_in(stream(state.key, "generators", state.step), number)
            new, losses, made = self._update_generators(state.replace(**changing), vectors, key)
            return {name: getattr(new, name) for name in changing}, (losses, made)

        # A loop, so that the update is compiled once.
        changing = {name: getattr(state, name) for name in _BY_GENERATORS}
        changing, each = jax.lax.scan(update, changing, jnp.arange(self.settings.generator_updates))
        state, (losses, made) = state.replace(**changing), jax.tree.map(lambda x: x[-1], each)
        state, discriminator = self._update_discriminators(state, vectors, made)
        objective = losses["generator"] + state.lambda_cycle * losses["cycle"]
        objective = objective + state.lambda_cls * losses["classification"]
        losses = losses | {"discriminator": discriminator}
        metrics = {"loss": overall(objective, state.alive)} | per_emotion(losses, self.settings.classes, state.alive)
        return over(state, asleep, live), metrics

    def _update_generators(self, state: CycleGANState, vectors, key):
        """One update by equation 5: (state, losses f32[E] each, what the generators made before it)."""
        # Four passes of the generators, two of the discriminators, and the classifier's from a row of its own.
        seeds = dropout_seeds(key, len(self.settings.classes) + 1, 6)
        objective = partial(self._generators_objective, state=state, vectors=vectors, seeds=seeds)
        trained = {"generators": state.generators, "classifier": state.classifier}
        gradients, (losses, made) = jax.grad(objective, has_aux=True)(trained)
        healthy = state.alive & all_finite([*losses.values(), *biases(gradients["generators"])])
        schedule = self.settings.schedule
        trained, optimizer = adam_step(
            *(schedule, trained, gradients, state.optimizer),
            rate=rate_at(state, schedule),
            healthy={"generators": healthy, "classifier": jnp.any(healthy)},
        )
        return noted(state, healthy).replace(**trained, optimizer=optimizer), losses, made

    def _generators_objective(self, trained, *, state, vectors, seeds):
        """Equation 5 summed over emotions; aux: the losses by emotion, the translations."""

        def one(pair, judges, source, target, seeds):
            made = translate(self.networks.generator, pair, source, target, seeds)
            fooled = [
                adversarial_loss(self._judge(judges, domain, getattr(made, domain), seeds[4 + number]))
                for number, domain in enumerate(DOMAINS)
            ]
            cycle = cycle_loss(made.source_again, source) + cycle_loss(made.target_again, target)
            return sum(fooled), cycle, made

        generator, cycle, made = jax.vmap(one)(trained["generators"], state.discriminators, *vectors, seeds[:-1])
        # The classifier sees finite vectors only: what one CycleGAN has come to must not reach the others through it.
        usable = state.alive & all_finite(made.target)
        classification = self._classification(trained["classifier"], made.target, usable, seeds[-1, 0])
        losses = {"generator": generator, "cycle": cycle, "classification": classification}
        own = jnp.where(state.alive, generator + state.lambda_cycle * cycle, 0.0).sum()
        return own + state.lambda_cls * classification.sum(), (losses, made)

    def _judge(self, judges, domain, vectors, seeds):
        """A discriminator's logits [B, 1] in training; ``seeds`` as in `FeedForward`."""
        return self.networks.discriminator.apply({"params": judges[domain]}, vectors, seeds=seeds)

    def _classification(self, classifier, made, usable, seeds):
        """Equation 4 by emotion, f32[E], of what was made [E, B, F]; 0 for what is not usable."""
        emotions, batch, features = made.shape
        shown = jnp.where(usable[:, None, None], made, 0.0).reshape(emotions * batch, features)
        logits = self.networks.classifier.apply({"params": classifier}, shown, seeds=seeds)
        losses = jax.vmap(classification_loss)(logits.reshape(emotions, batch, -1), jnp.arange(emotions))
        return jnp.where(usable, losses, 0.0)

    def _update_discriminators(self, state: CycleGANState, vectors, made: Translations):
        """One update by equation 1 on what the generators made last: (state, loss f32[E])."""
        seeds = dropout_seeds(stream(state.key, "discriminators", state.step), len(self.settings.classes), 4)
        source, target = vectors

        def one(judges, source, target, fake_source, fake_target, seeds):
            # Real and made vectors of a domain in one pass, each half with dropout of its own.
            pairs = {"target": (target, fake_target), "source": (source, fake_source)}
            judged = [
                self._judge(judges, domain, jnp.concatenate(pair), seeds[2 * place : 2 * place + 2])
                for place, (domain, pair) in enumerate(pairs.items())
            ]
            label = self.settings.real_label
            return sum(discriminator_loss(*jnp.split(logits, 2), real_label=label) for logits in judged)

        state, discriminators, optimizer, losses = descended(
            *(state, self.settings.schedule, state.discriminators, state.discriminator_optimizer),
            lambda judges: jax.vmap(one)(judges, source, target, made.source, made.target, seeds),
            rate=state.discriminator_speed * rate_at(state, self.settings.schedule),
        )
        return state.replace(discriminators=discriminators, discriminator_optimizer=optimizer), losses

    def evaluate(self, state: CycleGANState, batch):
        """Sums of what the generators make of source rows, and the translations of the sample's rows."""
        x, valid = state.scaling.apply(batch["source"]), batch["valid"].astype(jnp.float32)

        def make(pair):
            return self.networks.generator.apply({"params": pair["target"]}, x)

        made = jax.vmap(make)(state.generators)  # [E, B, F]
        made = jnp.where(state.alive[:, None, None], made, 0.0)
        # About the target's mean, near which they lie: sums of squares about 0 lose a narrow feature's deviation.
        centred = made - state.reference["train"]["mean"][:, None]
        kept = batch["slot"] >= 0
        return {
            "count": Sum(valid.sum()),
            "total": Sum(jnp.einsum("b,ebf->ef", valid, centred)),
            "squares": Sum(jnp.einsum("b,ebf->ef", valid, jnp.square(centred))),
            "sample": Scatter.from_outputs(
                jnp.maximum(batch["slot"], 0),
                jnp.moveaxis(made, 0, 1),
                size=self.settings.sample,
                weights=valid * kept,
            ),
        }

    def refresh(self, state: CycleGANState, metrics) -> CycleGANState:
        """The next row of the history."""
        del metrics
        return next_row(state, self.settings.schedule)

    def conclude(self, state: CycleGANState, metrics, data):
        """How far source and synthetic vectors lie from the target's, and where they lie."""
        return state, compare(state, metrics, data) | {"stopped_at": state.stopped_at}
