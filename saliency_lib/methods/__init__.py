"""Where would a change of the image matter? One file a method.

maps          from a gradient to one number a pixel
relu_rules    what a ReLU does on the way back
method        a batch is prepared once, and asked target by target
gradients     the derivative at the pixels; one forward pass, kept
layers        the derivative at a layer; which channels of a late layer matter, and where they are active
object_map    both of these, added up
perturbations many versions of an image, a batch at a time: smoothgrad, integrated_gradients, occlusion
superpixels   an image with some of its pieces, and the rest painted over: lime, shap
baselines     what an image is compared with
lrp           the score, handed down layer by layer
attention     what a transformer's attention says: rollout, and attention weighted by gradients
deconvnet     a network run backward, layer by layer
"""
