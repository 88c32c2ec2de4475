"""``python -m app doctor``: what is wrong, and what to do about it; nothing is changed."""
