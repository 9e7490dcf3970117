"""Migration: what others are configured with, as our objects, and what has no counterpart."""
