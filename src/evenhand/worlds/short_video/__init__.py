"""A short-video feed: creators in tiers, viewers in groups, a policy with known propensities."""

from evenhand.worlds.short_video.feedback import Asked, Seen, feedback
from evenhand.worlds.short_video.population import Creators, Viewers
from evenhand.worlds.short_video.tables import Tables
from evenhand.worlds.short_video.truth import Truth
from evenhand.worlds.short_video.world import ShortVideo

__all__ = ["Asked", "Creators", "Seen", "ShortVideo", "Tables", "Truth", "Viewers", "feedback"]
