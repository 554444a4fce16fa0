"""A network: its normalization, its input size, its head; and the ones that are installed with the package.

activations        what the layers put out, by name
forward            a network is run as it is, and what it returns is checked
model              a network together with what is known of it
weights            weight files that come with a package
networks/          the networks that are installed with the package
load               all of them by name
training           how a network is made after a recipe
"""
