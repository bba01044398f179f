"""The routes of the API, under ``/api/v1``: each module of this package has a ``router``."""
