"""Audits that workers run: a queue, workers, and a process for each job."""
