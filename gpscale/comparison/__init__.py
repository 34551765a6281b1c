"""Trains lists of trials that answer one question about a study: does what it found hold elsewhere?"""
