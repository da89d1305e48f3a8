"""Desired children: a pure builder a kind, and the diff that says whether one must be written."""
