"""Decisions about people or content: lending, moderation, hiring, recidivism."""

from evenhand.logs.role import Kind, Role

KIND = Kind(
    name="decisions",
    about="one row per yes/no decision, with the outcome where it was observed",
    roles=(
        Role(
            "label",
            "binary",
            "keep",
            "what was true, 0/1 or a class; missing where it was not observed",
        ),
        Role("prediction", "binary", "exclude", "what was decided, 0/1 or a class"),
        Role("score", "number", "exclude", "the number behind the decision, such as a probability"),
        Role(
            "neighbours",
            "number",
            "exclude",
            "mean decision of a row's nearest neighbours, from evenhand.neighbour_means",
        ),
        Role("weight", "weight", "exclude", "sampling weight of a row, >= 0; not a count of rows"),
    ),
)
