"""What Greenroom is made of, and on what terms: pinned packages and vendored files."""
