"""One file a paper: the experiment that shows, or refutes, what the paper says.

``contraview.claims.SLUG`` holds ``CLAIMS``, a tuple of `contraview.claims.claim.Claim`.
"""
