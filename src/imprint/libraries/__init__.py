"""Uses of libraries beyond their public interface: one module for each library.

Each function says why there is no public way, each module which release it was tested with. An upgrade that breaks one
of these assumptions fails in tests/unit/libraries, which says what to look at.
"""
