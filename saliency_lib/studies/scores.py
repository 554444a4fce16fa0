"""What is meant by "the score"?"""

import torch

from saliency_lib.studies.classes import alike
from saliency_lib.studies.study import Case, Found, study


@study("less")
def offset_is_pinned(at: Case) -> Found:
    """The gradient of the mean score is less than 5 percent as long as that of a class's score.

    An offset that all scores share moves no probability, and the map of a score would be arbitrary if it were free.
    Refuted if the mean photo has 5 percent or more: then the map of S is not that of S minus the mean score.
    """
    own, mean = (w.flatten(1).norm(dim=1) for w in (at.gradient(), at.asked.attribution(lambda S: S.mean(1))))
    return Found(mean / own, torch.full_like(own, 0.05))


@study("more")
def posterior_orders_as_the_score_does(at: Case) -> Found:
    """The map of the log-posterior is more like the score's map than the map of a random other class's score is.

    Refuted if log P asks another question than S: if the two maps are no more alike than those of two classes.
    """
    rows = torch.arange(len(at.labels))
    of_log = at.asked.maps(lambda S: S.log_softmax(1)[rows, at.labels])
    return Found(alike(at.map(), of_log), alike(at.map(), at.map(at.others(1)[0])))


@study("less")
def confident_posterior_has_no_gradient(at: Case) -> Found:
    """The gradient of the posterior of the top class is less than a tenth as long as that of its score.

    Refuted if the factor P (1 - P) of the chain rule does not make it that small on the mean photo.
    """
    rows, top = torch.arange(len(at.labels)), at.scores.argmax(1)
    of_P = at.asked.attribution(lambda S: S.softmax(1)[rows, top])
    P, S = (w.flatten(1).norm(dim=1) for w in (of_P, at.gradient(top)))
    return Found(P / S, torch.full_like(P, 0.1))


@study("more")
def classes_share_their_map(at: Case) -> Found:
    """The saliency maps of the two best classes are alike: a rank correlation of more than one half.

    Refuted if it is lower on the mean photo; what the map then shows is the one class and not the photo.
    """
    value = alike(*(at.map(best) for best in at.scores.topk(2).indices.T))
    return Found(value, torch.full_like(value, 0.5))
