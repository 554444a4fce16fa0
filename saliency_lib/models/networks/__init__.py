"""The networks whose weights are installed with the package. One file a network, or a few that belong together.

A file is named as its networks begin. It has their `NAMES`, a function `load(name)` that returns a `Model` and, where
this package trained them, a function `recipe(name)` that says how.
"""
