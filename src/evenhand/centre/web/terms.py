"""A policy in words."""

from __future__ import annotations

from evenhand.centre.decision import days
from evenhand.centre.policy import Policy


def terms_of(policy: Policy) -> list[str]:
    """Return what a policy asks, a sentence for each of its terms."""
    told = []
    if policy.max_age is None:
        told.append("Evidence may be of any age.")
    else:
        told.append(f"Evidence is at most {days(policy.max_age)} old.")
    if policy.max_data_age is not None:
        told.append(f"Its data end at most {days(policy.max_data_age)} before.")
    if policy.artefact == "required":
        told.append("Evidence names the file that ships.")
    for one in policy.require:
        before = " before its data begin" if one.registered == "before_window" else ""
        told.append(f"Plan {one.plan} is registered{before}, run, and pushed.")
    if policy.most_runs is not None:
        many = "once" if policy.most_runs == 1 else f"{policy.most_runs:,} times"
        told.append(f"A plan is run at most {many} for one version.")
    if policy.against == "not_worse":
        told.append("Held against another version, what that passed is passed again.")
    else:
        told.append("Held against another version, what became worse is shown.")
    if policy.on_unreachable == "cached":
        told.append(
            f"While the centre is away, what pipelines kept of it decides for {days(policy.cache)}."
        )
    else:
        told.append("While the centre is away, pipelines stop.")
    told.append(f"A waiver holds for at most {days(policy.longest_waiver)}.")
    return told
