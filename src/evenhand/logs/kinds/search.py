"""Search results: documents, people or videos found for a query."""

from evenhand.logs.role import Kind, Role

KIND = Kind(
    name="search",
    about="one row per result of a query; a result that was not shown has no rank",
    ranked=True,
    roles=(
        Role("user", "id", "exclude", "who asked, where that is known"),
        Role("request", "id", "exclude", "the query or topic"),
        Role("query", "id", "exclude", "what several sampled rankings answer; else each request"),
        Role("item", "id", "exclude", "the result; by default every row is another"),
        Role("rank", "slot", "keep", "the slot, from 1; missing for a result not shown"),
        Role("score", "number", "exclude", "the number that results were sorted by"),
        Role("relevance", "number", "keep", "grade or judgement, >= 0; missing where not judged"),
        Role("propensity", "number", "exclude", "chance of the result in its slot, in (0, 1]"),
        Role("provider", "id", "exclude", "who offers the result"),
        Role("time", "time", "exclude", "when the query was answered"),
    ),
)
