"""Running a centre: inspection, backup and restore, what a watcher scrapes, what is logged."""
