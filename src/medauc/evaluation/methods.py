"""How each interval is made and where that is published; the words that stand beside every figure."""

import math
from typing import NamedTuple

from medauc.evaluation.figures import Figure


class Method(NamedTuple):
    """What was done, in a few words, and the source."""

    text: str
    reference: str


WILSON = Method("Wilson", "Wilson, J. Am. Stat. Assoc. 22 (1927) 209")
DELONG = Method(
    "DeLong variance, score interval",
    "DeLong et al., Biometrics 44 (1988) 837; Newcombe, Stat. Med. 25 (2006) 559",
)
OBUCHOWSKI = Method("Obuchowski's variance by group, score interval", "Obuchowski, Biometrics 53 (1997) 567")
HOEFFDING = Method(
    "Hoeffding bound, since the variance is 0 or rests on one case or group",
    "Hoeffding, J. Am. Stat. Assoc. 58 (1963) 13",
)
AUPRC = Method("influence function, Student's t on the logit scale", "Boyd, Eng & Page, ECML PKDD 2013")
AUPRC_BY_GROUP = Method("influence function summed by group, Student's t on the logit scale", AUPRC.reference)
PAIRED_AUPRC = Method("influences, Student's t interval of the paired difference", AUPRC.reference)
PAIRED_AUPRC_BY_GROUP = Method(
    "influences summed by group, Student's t interval of the paired difference", AUPRC.reference
)
LEAST_AUPRC = Method(
    "least AUPRC at the Hoeffding bound of the AUROC, since cases are too few or the ranking is perfect",
    HOEFFDING.reference,
)
PARTIAL = Method(
    "DeLong variance of clipped placements, McClish's standardisation",
    "McClish, Med. Decis. Making 9 (1989) 190; He & Escobar, Stat. Med. 27 (2008) 5291",
)
RATE_AT = Method("Wilson, widened by the noise of the threshold", "Linnet, Clin. Chem. 33 (1987) 251")
SEEDS = Method(
    "cases and seeds both vary, score interval with Student's t",
    "Obuchowski & Rockette, Commun. Stat. Simul. 24 (1995) 285",
)
PAIRED_DELONG = Method("DeLong covariance, normal interval of the paired difference", DELONG.reference)
PAIRED_OBUCHOWSKI = Method(
    "Obuchowski's covariance by group, normal interval of the paired difference", OBUCHOWSKI.reference
)
PAIRED_RATES = Method("Newcombe's interval of a paired difference", "Newcombe, Stat. Med. 17 (1998) 2635")
PAIRED_RATES_BY_GROUP = Method("Newcombe's interval of a paired difference, by group", PAIRED_RATES.reference)
MACRO = Method("mean over labels, DeLong influences summed by sample", DELONG.reference)
MACRO_BY_GROUP = Method("mean over labels, DeLong influences summed by group", DELONG.reference)
MICRO = Method("all labels pooled, Obuchowski's variance by sample", OBUCHOWSKI.reference)
MICRO_BY_GROUP = Method("all labels pooled, Obuchowski's variance by group", OBUCHOWSKI.reference)
HAND_TILL = Method(
    "mean over pairs of classes, DeLong influences summed by sample",
    "Hand & Till, Mach. Learn. 45 (2001) 171",
)
HAND_TILL_BY_GROUP = Method(
    "mean over pairs of classes, DeLong influences summed by group", HAND_TILL.reference
)
CLUSTERED_WILSON = Method(
    "Wilson with the effective number of samples, by group",
    "Dean & Pagano, J. Surv. Stat. Methodol. 3 (2015) 484",
)
MOVER = Method("intervals of both rates combined (MOVER)", "Zou & Donner, Stat. Med. 27 (2008) 1693")
JACCARD = Method("from Wilson's interval of tp / (tp + fp + fn)", WILSON.reference)
FISHER = Method(
    "delta method on Fisher's scale", "Bishop, Fienberg & Holland, Discrete Multivariate Analysis (1975)"
)
LOG_RATIO = Method("delta method of the logarithm", "Simel et al., J. Clin. Epidemiol. 44 (1991) 763")
WOOLF = Method("delta method of the logarithm", "Woolf, Ann. Hum. Genet. 19 (1955) 251")
MERCALDO = Method("logit interval by likelihood ratios", "Mercaldo et al., Stat. Med. 26 (2007) 2170")
COX = Method(
    "profile likelihood", "Cox, Biometrika 45 (1958) 562; Van Calster et al., BMC Med. 17 (2019) 230"
)
OBSERVED_EXPECTED = Method("ratio of means, logarithmic scale", "Debray et al., BMJ 356 (2017) i6460")
BRIER = Method("normal interval of a mean", "Brier, Mon. Weather Rev. 78 (1950) 1")
BRIER_SKILL = Method("delta method", "Steyerberg et al., Epidemiology 21 (2010) 128")
LOG_LOSS = Method("normal interval of a mean", "Good, J. R. Stat. Soc. B 14 (1952) 107")
ECE = Method("10 equal-mass bins, confidence ball around their gaps", "Nguyen & O'Connor, EMNLP 2015")
DIFFERENCE = Method("intervals of both parts combined (MOVER)", "Newcombe, Stat. Med. 17 (1998) 873")
NET_BENEFIT = Method("Wilson intervals combined (MOVER)", "Vickers & Elkin, Med. Decis. Making 26 (2006) 565")


def figure(estimate: tuple[float, float, float], level: float, n: int, method: Method) -> Figure:
    """Build a figure from ``(value, low, high)``; what is not finite becomes null.

    >>> figure((float("inf"), 2.0, float("inf")), 0.95, 10, WILSON).text()
    'above 2.000'
    """
    value, low, high = (float(number) if math.isfinite(number) else None for number in estimate)
    return Figure(
        value=value, low=low, high=high, level=level, n=n, method=method.text, reference=method.reference
    )
