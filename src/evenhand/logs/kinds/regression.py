"""Predictions of an amount: a price, a waiting time, a grade."""

from evenhand.logs.role import Kind, Role

KIND = Kind(
    name="regression",
    about="one row per predicted number, with the true number where it was observed",
    roles=(
        Role("label", "number", "keep", "what was true; missing where it was not observed"),
        Role("prediction", "number", "exclude", "what was predicted"),
        Role("weight", "weight", "exclude", "sampling weight of a row, >= 0; not a count of rows"),
    ),
)
