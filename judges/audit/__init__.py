"""Attacks on judges and probes of their habits: texts, and where they go. Asks no judge and knows no run (`generate.audit` does both)."""
