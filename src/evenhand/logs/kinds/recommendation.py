"""Recommended lists: feeds, carousels, next videos."""

from evenhand.logs.role import Kind, Role

KIND = Kind(
    name="recommendation",
    about="one row per item of a list recommended to a user; an item not shown has no rank",
    ranked=True,
    roles=(
        Role("user", "id", "exclude", "who the list was made for"),
        Role("request", "id", "exclude", "what one list answers; by default every row is one"),
        Role("query", "id", "exclude", "what several sampled rankings answer; else each request"),
        Role("item", "id", "exclude", "what is ranked; by default every row is another"),
        Role("rank", "slot", "keep", "the slot, from 1; missing for an item that was not shown"),
        Role("score", "number", "exclude", "the number that the list was sorted by"),
        Role("relevance", "number", "keep", "what the item was worth to the user, >= 0"),
        Role("propensity", "number", "exclude", "chance of the item in its slot, in (0, 1]"),
        Role("provider", "id", "exclude", "who offers the item"),
        Role("time", "time", "exclude", "when the list was shown"),
    ),
)
