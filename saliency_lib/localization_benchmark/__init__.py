"""How often does a method find the object? ILSVRC's localization task, measured.

metrics          from boxes to errors
evaluate         image by image
error_analysis   what the wrong boxes have in common
"""
