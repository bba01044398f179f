"""Perturbed examples: what a model did with inputs that were attacked, corrupted or certified."""

from evenhand.logs.role import Contradiction, Kind, Role

_OWN = (
    Role("variant", "mark", "keep", "what was done to the example, such as 'linf 0.1'"),
    Role("correct", "binary", "exclude", "whether the clean example is classified rightly"),
    Role(
        "robust",
        "binary",
        "exclude",
        "whether the clean example is right and everything that was tried failed",
        missing="no attack saw the example",
    ),
    Role(
        "minimal_norm",
        "number",
        "keep",
        "the smallest perturbation that was found; missing where none was",
        beyond=True,
    ),
    Role(
        "certified_radius",
        "number",
        "keep",
        "no perturbation within it can change the class; missing where none is certified",
    ),
    Role(
        "certified",
        "binary",
        "keep",
        "whether it is proved that no change within the variant's eps alters the class; "
        "missing where nobody tried to prove it",
    ),
    Role(
        "corrupted_correct",
        "binary",
        "exclude",
        "whether the changed example is classified rightly; missing where none was classified",
        missing="no corruption changed the example",
    ),
    Role(
        "baseline_error",
        "number",
        "exclude",
        "a baseline model's mean error on the row's corruption, over its severities",
    ),
    Role(
        "baseline_relative_error",
        "number",
        "exclude",
        "by how much that mean error is above the baseline's on clean examples",
    ),
)
"""Roles that are by default the columns of their names: all but weights."""

KIND = Kind(
    name="perturbed",
    about="one row per source example and variant of it, as evenhand probe writes them",
    unit="source",
    dependent="rows of one source example are not independent, so the row is no unit: intervals of "
    "15 variants an example would be 2.45 times too narrow.",
    variant="variant",
    contradictions=(
        Contradiction(
            (("correct", 1), ("robust", 0), ("certified", 1)),
            "certified",
            "certified and broken at once",
            "Within its eps a certificate leaves nothing to find: one of the two is wrong, or of "
            "another classifier, norm or eps.",
        ),
    ),
    own=tuple(role.name for role in _OWN),
    roles=(
        *_OWN,
        Role("weight", "weight", "exclude", "sampling weight of a row, >= 0; not a count of rows"),
    ),
)
