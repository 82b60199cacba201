"""Where things come from: the program and machine that a result was made with, and what a picture says of its origin.

A picture that leaves the program is marked on its way out, as `conf/provenance/` says. Samples, pictures for scores and
photos have no metadata.
"""
