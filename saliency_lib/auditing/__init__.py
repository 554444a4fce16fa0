"""Is it looking at the right thing? Whether a network's answers rest on the object or on a suspected shortcut.

removal   an image without a part of it
audit     images with masks, and a decision
folder    the same for a folder of photos, resumed after any interruption
report    its report as one file
"""
