"""Backups in one file, made while everything runs, and their way back."""
