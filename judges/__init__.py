"""Judges: who compares, criticises and revises responses, and what their opinions come to."""
