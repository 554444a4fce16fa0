"""Where would a change of the image matter? One file a method.

maps          from a gradient to one number a pixel
relu_rules    what a ReLU does on the way back
gradients     the derivative at the pixels
layers        the derivative at a layer
deconvnet     a network run backward, layer by layer
"""
