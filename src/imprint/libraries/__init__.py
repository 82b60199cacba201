"""Where libraries are used beyond their public interface: one module a library.

Each function says why there is no public way, each module with which release it was seen to work. An upgrade that
breaks one of these assumptions fails in tests/unit/libraries, which says what to look at.
"""
