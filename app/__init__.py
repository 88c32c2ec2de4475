"""Greenroom: the self-hosted, admin-first back office for LLM agents."""
