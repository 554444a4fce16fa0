"""A network: its normalization, its input size, its head; and the ones that are installed with the package.

activations        what the layers put out, by name
running            a network is run as it is, and what it returns is checked
model              a network together with what is known of it
weights            weight files that come with a package
lite               EfficientNet-Lite0 and Lite1, trained on ImageNet
creature_convnet   a small network in the manner of 2013
load               all of them by name
training           how a network is made after a recipe
recipes            how those of this package were made
"""
