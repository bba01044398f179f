"""Mitigations: what repairs what an audit finds, each with a certificate of what it guarantees.

>>> from evenhand.mitigations import DetConstSort, candidates_of
>>> asked = candidates_of([[0.9, 0.8, 0.7, 0.6]], [["m", "m", "m", "f"]])
>>> DetConstSort({"f": 0.5, "m": 0.5}).rerank(asked, 2).order.tolist()
[[0, 3]]
"""

from evenhand.mitigations.against import held_against
from evenhand.mitigations.calibrated import Calibrated
from evenhand.mitigations.candidates import Candidates, candidates_of
from evenhand.mitigations.certificate import Certificate, Reranked
from evenhand.mitigations.controller import State
from evenhand.mitigations.deterministic import DetCons, DetConstSort, DetGreedy, DetRelaxed
from evenhand.mitigations.fair_topk import FAStarIR
from evenhand.mitigations.fairco import FairCo
from evenhand.mitigations.linear_program import FairnessOfExposure
from evenhand.mitigations.multinomial_fair_topk import MultinomialFAStarIR
from evenhand.mitigations.pmmf import PMMF
from evenhand.mitigations.welfare import Welfare

__all__ = [
    "PMMF",
    "Calibrated",
    "Candidates",
    "Certificate",
    "DetCons",
    "DetConstSort",
    "DetGreedy",
    "DetRelaxed",
    "FAStarIR",
    "FairCo",
    "FairnessOfExposure",
    "MultinomialFAStarIR",
    "Reranked",
    "State",
    "Welfare",
    "candidates_of",
    "held_against",
]
