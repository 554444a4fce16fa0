"""Where do maps lie?"""

import torch

from saliency_lib.comparison.metrics.on_the_object import mass
from saliency_lib.controls import edges, region_null
from saliency_lib.methods.maps import reduce_channels
from saliency_lib.methods.smoothgrad import smoothgrad
from saliency_lib.studies.layer_maps import cam
from saliency_lib.studies.study import Case, Found, study


@study("more", masks=True)
def saliency_on_object(at: Case) -> Found:
    """A larger share of a saliency map lies in the object's box than of an empty map, uniform or centered.

    Refuted if the share is not above the larger of the two nulls on the mean photo.
    """
    return Found(mass(at.map(), at.objects), region_null(at.objects))


@study("more", masks=True)
def saliency_beyond_edges(at: Case) -> Found:
    """A larger share of a saliency map lies in the object's box than of the image's edges (Sobel).

    Refuted if edges, which know no network, lie there as much.
    """
    return Found(mass(at.map(), at.objects), mass(edges(at.images), at.objects))


@study("more", masks=True, count=60)
def saliency_knows_the_class(at: Case) -> Found:
    """A larger share of the own class's saliency map lies in its box than of five random other classes' maps.

    Refuted if the map of a class that is not there lies on the object as much.
    """
    null = torch.stack([mass(at.map(other), at.objects) for other in at.others()]).mean(0)
    return Found(mass(at.map(), at.objects), null)


@study("more", masks=True)
def grad_cam_on_object(at: Case) -> Found:
    """A larger share of Grad-CAM lies in the object's box than of an empty map, uniform or centered.

    Refuted if the share is not above the larger of the two nulls on the mean photo.
    """
    return Found(mass(cam(at, at.labels), at.objects), region_null(at.objects))


@study("more", masks=True, count=60)
def grad_cam_knows_the_class(at: Case) -> Found:
    """A larger share of the own class's Grad-CAM lies in its box than of five random other classes'.

    Refuted if the map of a class that is not there lies on the object as much.
    """
    null = torch.stack([mass(cam(at, other), at.objects) for other in at.others()]).mean(0)
    return Found(mass(cam(at, at.labels), at.objects), null)


@study("more", masks=True, count=30)
def smoothgrad_on_object(at: Case) -> Found:
    """A larger share of SmoothGrad's map (20 samples) lies in the object's box than of the gradient's map.

    Refuted if smoothing brings nothing onto the object.
    """
    smooth = reduce_channels(smoothgrad(at.model, at.images, at.labels, samples=20, progress=False))
    return Found(mass(smooth, at.objects), mass(at.map(), at.objects))
