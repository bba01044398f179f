"""Attributions: what explanations of a model are worth, one quality card for each."""

from evenhand.logs.role import Kind, Role

_NOT_ASKED = "the explanation promises no such thing, or nobody measured it"
_FLAT = "the model scores the fill as it scores the example, so nothing can be removed"
_NOT_RANDOMISED = "the model cannot be drawn anew, nobody did, or all parts of a map are equal"

OF_CARD = (
    Role(
        "completeness_error",
        "number",
        "exclude",
        "by how much the parts miss the change of the score, relative to it",
        missing=_NOT_ASKED,
    ),
    *(
        Role(
            f"{curve}{of}",
            "number",
            "exclude",
            f"area under the score as features {come}, by the {order}",
            missing=_FLAT,
        )
        for curve, come in (("insertion", "come in"), ("deletion", "go"))
        for of, order in (
            ("", "explanation's order"),
            ("_random", "mean of random orders"),
            ("_edges", "order of an edge detector"),
        )
    ),
    Role(
        "infidelity",
        "number",
        "exclude",
        "mean squared error of the change of the score that the parts say, under noise",
        missing=_NOT_ASKED,
    ),
    Role(
        "scaled_infidelity",
        "number",
        "exclude",
        "the same with the best factor for all parts, relative to the mean squared change",
        missing=_NOT_ASKED,
    ),
    Role(
        "max_sensitivity",
        "number",
        "exclude",
        "the most that the parts change under small noise, by their Euclidean norm",
        missing=_NOT_ASKED,
    ),
    Role(
        "relative_sensitivity",
        "number",
        "exclude",
        "the same, divided by the norm of the parts",
        missing=_NOT_ASKED,
    ),
    Role(
        "randomisation",
        "number",
        "exclude",
        "likeness to the map of the same example under networks that learned nothing",
        missing=_NOT_RANDOMISED,
    ),
    Role(
        "randomisation_null",
        "number",
        "exclude",
        "likeness to the map of another example under networks that learned nothing",
        missing=_NOT_RANDOMISED,
    ),
    Role(
        "seed_stability",
        "number",
        "exclude",
        "likeness of two explanations of the example by other random numbers",
        missing="the explanation draws no random numbers, or all its parts are equal",
    ),
)
"""What the quality card says of an explanation of an example."""

_OF_TABLES = (
    Role(
        "error_rise",
        "number",
        "exclude",
        "by how much the error, 0 or 1, rises with another example's value of the feature",
        missing=_NOT_ASKED,
    ),
    Role(
        "log_loss_rise",
        "number",
        "exclude",
        "by how much the log-loss rises with another example's value of the feature",
        missing="the model gives no chances, or nobody permuted the feature",
    ),
    Role(
        "attribution",
        "number",
        "exclude",
        "the feature's part of the score, above the mean of a background",
        missing=_NOT_ASKED,
    ),
    Role(
        "explained_score",
        "number",
        "exclude",
        "the score that parts add up to with the background's mean; in every feature's row",
        missing=_NOT_ASKED,
    ),
    Role(
        "local_effect",
        "number",
        "exclude",
        "the change of the score from the lower to the upper end of the example's bin",
        missing="the feature is text or constant, or nobody moved it",
    ),
    Role(
        "partial_effect",
        "number",
        "exclude",
        "the score with the feature set to a value, above the example's mean over all values",
        missing="the feature is text or constant, or nobody set it",
    ),
    Role(
        "recourse",
        "number",
        "exclude",
        "whether a change was found that turns an unfavourable decision, 0 or 1",
        missing="the decision is favourable, or nobody looked for a change",
    ),
    Role(
        "recourse_cost",
        "number",
        "exclude",
        "what the cheapest change costs that was found",
        missing="the decision is favourable, or no change was found that turns it",
    ),
)
"""What explanations of tables say of an example, mostly of one of its features."""

OF_PAIRS = tuple(
    Role(
        name,
        "number",
        "exclude",
        what,
        missing="all parts of one of the two maps are of one size, or nobody compared any",
    )
    for name, what in {
        "feature_agreement": "share of the largest parts that both maps have among theirs",
        "feature_agreement_random": "the same where the parts of one map are shuffled",
        "sign_agreement": "share of the largest parts that both have, with the same sign",
        "sign_agreement_random": "the same where the parts of one map are shuffled",
        "rank_agreement": "share of the largest parts that stand at the same place in both",
        "signed_rank_agreement": "share of those at the same place, with the same sign",
        "rank_correlation": "Spearman's correlation of the sizes of parts",
        "pairwise_rank_agreement": "share of pairs of parts of which both say which is larger",
    }.items()
)
"""How far two explanations of an example agree."""

KIND = Kind(
    name="attributions",
    about="one row per source example and explanation of it, as evenhand probe writes them",
    unit="source",
    dependent="rows of one source example are not independent, so the row is no unit.",
    variant="variant",
    own=("variant", *(role.name for role in (*OF_CARD, *OF_PAIRS, *_OF_TABLES))),
    roles=(
        Role("variant", "mark", "keep", "the explanation, such as 'integrated_gradients'"),
        Role("correct", "binary", "exclude", "whether the model is right on the example"),
        *OF_CARD,
        *OF_PAIRS,
        *_OF_TABLES,
        Role("weight", "weight", "exclude", "sampling weight of a row, >= 0; not a count of rows"),
    ),
)
