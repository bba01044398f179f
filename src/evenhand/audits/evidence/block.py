def together(findings: Sequence[Finding]) -> list[tuple[Finding, ...]]:
    """Return findings in the blocks in which they are shown, in the order in which they come.

    The members of a family, such as pairs, are one block; so are contrasts of one measure over the
    same groups, which share a picture and a table.
    """
    blocks: dict[object, list[Finding]] = {}
    for place, one in enumerate(findings):
        same: object = place
        if one.pair:
            same = (one.key, one.slice, "family")
        elif one.groups:
            same = (one.measure, one.by, one.given, one.slice, _written(one.groups))
        blocks.setdefault(same, []).append(one)
    return [tuple(block) for block in blocks.values()]


def name_of(block: Sequence[Finding]) -> str:
    """Return what the picture of a block is called: stable, and safe as the name of a file.

    A digest follows where letters, parameters or a slice would be lost otherwise.
    """
    one = block[0]
    what = [one.measure, *one.by]
    if one.pair or not one.measure.isidentifier():
        what.insert(0, one.contrast or "")
    over = one.by[0] if len(one.by) == 1 else f"[{', '.join(one.by)}]"
    usual = not one.pair or one.key == f"{one.contrast}({one.measure}, by={over})"
    plain = usual and not (one.given or one.slice) and all(map(_PLAIN.fullmatch, what))
    slug = re.sub(r"[^a-z0-9_]+", "-", "-".join(what).lower()).strip("-")[:60]
    if plain and len(slug) < 60:  # noqa: PLR2004 - as cut above
        return slug
    whole = json.dumps([one.key if one.pair else one.measure, one.by, one.given, one.slice])
    return f"{slug}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"
