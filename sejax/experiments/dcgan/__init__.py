"""Valence and activation from the trunk of a DCGAN's discriminator (Chang and Scherer 2017), `dcgan` by name.

Four models are one experiment with parts switched off: basic_cnn (valence), multitask_cnn (valence, activation),
basic_dcgan (generator, discriminator, valence), multitask_dcgan (all four).
"""
