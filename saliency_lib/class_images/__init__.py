"""Which image does a class ask for?

priors              what is known of images before any class is asked for
parameterizations   images as functions of other coordinates
optimizers          how a step is taken
recipes             which priors, and how to climb
ascent              the climb
"""
