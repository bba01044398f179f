"""The centre from elsewhere: its API from Python, what is cached of it, and gates without it."""

from evenhand.centre.client.client import Client

__all__ = ["Client"]
