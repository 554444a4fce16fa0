"""Where is it? From a map to a mask and a box.

boxes         pieces of a mask, the box around it, the overlap of two boxes
parts         which part of a photo a map covers
localize      GraphCut and thresholds: from a map to an object
extent        where an object ends: a step among cells that look alike
localizers    named ways of finding an object, from images to boxes
"""
