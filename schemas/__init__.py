"""The contracts of Control Tower as code: events, metric messages, topics, errors.

Every other part imports from here and this package imports from none of them.
"""
