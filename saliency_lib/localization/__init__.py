"""Where is it? From a map to a mask and a box.

boxes         GraphCut, thresholds, masks and boxes
localizers    named ways of finding an object, from images to boxes
"""
