"""Feature vectors, openSMILE's functionals of whole utterances, and the synthetic ones that are made from them."""
