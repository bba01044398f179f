"""Words: what the name of a column, or one of its values, says about the part it plays.

Names suggest and prove nothing: whoever uses these words also looks at the values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field


def words(name: str) -> str:
    """Return a name as its words, in lower case, with a space between them.

    >>> words("Q3: isBewilligt? ")
    'q3 is bewilligt'
    """
    parted = re.sub(r"(?<=[^\W\d_A-Z])(?=[A-Z])", " ", name)
    return " ".join(re.findall(r"[^\W_]+", parted.casefold()))


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words that mean one thing; ``*`` stands for any further letters.

    >>> Vocabulary("approv* hired").found_in("loan_approved")
    'approved'
    """

    text: str
    _pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        each = (
            re.escape(word).replace(r"\*", r"\w*").replace(r"\+", " ") for word in self.text.split()
        )
        object.__setattr__(self, "_pattern", re.compile(rf"(?<!\w)(?:{'|'.join(each)})(?!\w)"))

    def found_in(self, name: str) -> str:
        """Return the first of these words in a name; empty where there is none."""
        found = self._pattern.search(words(name))
        return found[0] if found else ""


TRUTH = Vocabulary(
    "label labels labelled target truth gold actual actuals outcome observed y+true ytrue y class "
    "groundtruth reality tatsächlich* ergebnis wahrheit zielvariable"
)
"""Names of what was true, whatever it is about."""

GOOD_EVENT = Vocabulary(
    "repaid repay* paid survived success* graduat* convert* subscri* response respond* clicked "
    "click income good qualified zurückgezahlt bezahlt abschluss"
)
"""Names of events that are good for the person, or neither."""

BAD_EVENT = Vocabulary(
    "default defaulted recid* reoffen* rearrest* churn* fraud* toxic* delinquen* chargeoff "
    "charged+off overdue arrears dropout spam abuse abusive readmi* deceased died bad failed "
    "*ausfall ausgefallen rückfall* betrug kündigung gekündigt"
)
"""Names of events that are bad."""

PREDICTED = Vocabulary(
    "predict* pred preds yhat y+hat ypred forecast* classif* estimate estimated inferred "
    "model+output vorhersage* vorhergesagt prognos*"
)
"""Names of what a model said."""

GOOD_DECISION = Vocabulary(
    "approv* accept* grant* selected select selection hired hire admitted admit admission promot* "
    "callback* shortlist* offer offered invited bewillig* genehmig* zusage zugesagt eingestellt "
    "angenommen zugelassen *zusage"
)
"""Names of decisions that are good for the person."""

BAD_DECISION = Vocabulary(
    "deny denied denial reject* declin* refus* flagged removed removal blocked deleted banned "
    "suspended detain* abgelehnt ablehn* *ablehnung gesperrt gelöscht"
)
"""Names of decisions that are bad for the person."""

DECISION = Vocabulary("decision* decided verdict status *entscheidung *entscheid entschieden")
"""Names of decisions that do not say which way they go."""

BAND = Vocabulary("score+text band grade risk tier rating category level score stufe klasse")
"""Names of bands of a score, such as low, medium and high."""

SCORE = Vocabulary(
    "score scores scoring prob probs proba probability logit risk decile confidence likelihood "
    "p+hat phat pd wahrscheinlichkeit risiko* *wahrscheinlichkeit punktzahl"
)
"""Names of the number behind a decision."""

NO_SCORE = Vocabulary("propensity text date id type weight test exam oral written fico")
"""Words that show that a score is something else than a model's."""

WEIGHT = Vocabulary(
    "fnlwgt wgt pwgtp wtfinl perwt sample+weight sampling+weight survey+weight weights *gewichtung "
    "hochrechnungsfaktor row+weight case+weight"
)
"""Names of sampling weights."""

MAYBE_WEIGHT = Vocabulary("weight gewicht wt")
"""Names of sampling weights or of kilograms."""

PERSON = Vocabulary(
    "user person customer client applicant member account patient student employee worker borrower "
    "candidate defendant author creator household subject participant respondent case uid kunde "
    "kunden kundennummer kundennr *nutzer personen antragsteller* bewerber* patienten mitarbeiter*"
)
"""Names of whom an id is about."""

ID = Vocabulary("id ids uuid guid key uid nr kundennummer *nummer identifier *id hash")
"""Names of ids."""

ROW_ID = Vocabulary("row index idx row+id source+row zeile lfd unnamed source+index record")
"""Names of ids of rows."""

NO_GROUP = Vocabulary("split fold partition dataset date datum time timestamp model version type")
"""Names of columns of few values that are about the data, not about people."""

ATTRIBUTES: dict[str, Vocabulary] = {
    "sex": Vocabulary("sex gender geschlecht female male women woman men sexe anrede"),
    "race": Vocabulary(
        "race races racial ethnic* rac1p afam black white hispanic latino asian minority herkunft "
        "ethnie hautfarbe indigenous"
    ),
    "age": Vocabulary("age agep ages alter altersgruppe age+cat agecat lebensalter jahrgang"),
    "disability": Vocabulary("disab* behinder* dis impairment"),
    "religion": Vocabulary("religio* faith konfession"),
    "nationality": Vocabulary(
        "nationalit* citizenship native foreign foreigner immigra* migra* staatsangehörigkeit "
        "nativity birthplace ausländer"
    ),
    "marital": Vocabulary("marital marriage married single mar familienstand verheiratet"),
    "language": Vocabulary("language lang sprache muttersprache"),
    "orientation": Vocabulary("orientation lgbt* orientierung"),
    "place": Vocabulary("country region state bundesland land province zip plz district city"),
}
"""Attributes by which people are compared, those that laws name most often first."""

YES = Vocabulary(
    "yes y true t 1 ja j wahr oui si sí sim approv* accept* granted grant selected hired admitted "
    "pass passed good positive pos success* repaid paid high offer invited bewillig* genehmig* "
    "angenommen zugesagt eingestellt hoch gut favourable favorable promoted callback"
)
"""Values that say yes."""

NO = Vocabulary(
    "no not n false f 0 nein falsch non não nao not denied deny reject* declin* refus* fail failed "
    "bad negative neg unpaid default* low abgelehnt abgesagt niedrig gering schlecht none "
    "unfavourable unfavorable nontoxic ungültig"
)
"""Values that say no."""

LEAST = Vocabulary("low lowest minimal least niedrig gering none")
"""The lowest of several bands."""

UNSAID = Vocabulary("unknown na nan null none missing unbekannt other keine+angabe")
"""Values that say nothing."""
