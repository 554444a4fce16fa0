"""How well is it? Localization measured on ILSVRC, by one process or many, through any interruption.

ilsvrc    the data set: images, classes, true boxes
metrics   from boxes to errors
misses    what the wrong boxes have in common
records   results on disk
runner    the loop: resumes, shares the work, reports
"""
