"""Attributions: what explanations of a model are worth, one quality card for each."""

from evenhand.logs.role import Kind, Role

_NOT_ASKED = "the explanation promises no such thing, or nobody measured it"
_FLAT = "the model scores the fill as it scores the example, so nothing can be removed"

KIND = Kind(
    name="attributions",
    about="one row per source example and explanation of it, as evenhand probe writes them",
    unit="source",
    dependent="rows of one source example are not independent, so the row is no unit.",
    variant="variant",
    own=(
        *("variant", "completeness_error"),
        *("insertion", "insertion_random", "insertion_edges"),
        *("deletion", "deletion_random", "deletion_edges"),
        *("infidelity", "scaled_infidelity", "max_sensitivity", "relative_sensitivity"),
    ),
    roles=(
        Role("variant", "mark", "keep", "the explanation, such as 'integrated_gradients'"),
        Role("correct", "binary", "exclude", "whether the model is right on the example"),
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
        Role("weight", "weight", "exclude", "sampling weight of a row, >= 0; not a count of rows"),
    ),
)
