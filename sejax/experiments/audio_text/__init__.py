"""Raw waveform and transcript, fused by attention (Lima and Bak, SPML 2018).

Read `algorithm`: which utterances an update sees, and the training as pure functions. `sejax.models.audio_text` has the
network, `explanation` says what a decision rests on, `words` which words go with which predictions; `assembly` puts it
together from a config, `results` describes it, `report` shows it beside `published`.
"""
