"""Valence and activation from the trunk of a DCGAN's discriminator (Chang and Scherer 2017), `dcgan` by name.

Four models are one experiment with parts switched off: basic_cnn (valence), multitask_cnn (valence, activation),
basic_dcgan (generator, discriminator, valence), multitask_dcgan (all four). `algorithm` is their training as pure
functions, `networks` what is trained, `batches` which crops an update sees; `assembly` builds it from a config and
prepared sets, `results` and `gallery` say what came of it, `report` shows that beside `published`.
"""
