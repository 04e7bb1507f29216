"""The few types of pulumi-azure-native that an example uses, in their shape, as resources that need no plugin.

The real package is 22 MB to fetch and 356 MB on disk, and its plugin creates in a subscription; `test_examples.py` runs
the example with the real types too, under Pulumi's mocks, where they are installed.
"""
