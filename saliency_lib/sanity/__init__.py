"""Which maps can be believed? Sanity checks from the literature.

randomization   does the map change if the weights are drawn anew?
fragility       does it change if the image changes by next to nothing?
manipulation    can the weights be moved so that the answers stay and the map goes?
retraining      what is left to learn without the pixels that a map calls important?
"""
