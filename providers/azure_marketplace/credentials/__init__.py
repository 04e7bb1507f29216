"""Where tokens come from. The only part of this package that sees a secret.

    TokenSource(configured, environment).token("https://cloudpartner.azure.com")

One method is chosen by a documented order (`_choice`), azure-identity fetches the token (`_azure`, which alone imports
it, and only then), all resources of a run share it (`_tokens`), and a failure is told without secrets (`_failures`).
Nothing of Pulumi is in here. Users read docs/signing-in.md.
"""

from providers.azure_marketplace.credentials._choice import KEYS
from providers.azure_marketplace.credentials._tokens import TokenSource

__all__ = ["KEYS", "TokenSource"]
