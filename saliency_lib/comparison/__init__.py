"""Which map? Methods beside each other, on the same images, by the same metrics.

pictures      what maps are compared on
sets/         those that have a name
explainers    the methods that are compared, and controls
metric        what all metrics have in common
metrics/      does a map lie on the object, and does it tell what moves the score?
compare       all of them together
summary       a table of what was found
"""
