"""Certificates: within which distance no attack can exist, one file for each."""
