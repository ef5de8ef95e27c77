"""Raw waveform and transcript, fused by attention (Lima and Bak, SPML 2018).

Read `algorithm.py`: the training as pure functions. `sejax.models.audio_text` has the network, `batches.py` says which
utterances an update sees, `explanation.py` what a decision rests on, `assembly.py` puts it together from a config.
"""
