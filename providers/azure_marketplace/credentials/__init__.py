"""Where tokens come from. The only part of this package that sees a secret.

    choose_sign_in(configuration, environment) -> SignIn       one method, by a documented order: pure
    TokenSource(sign_in, clock=...).token(audience) -> str     the token for one API, renewed as it runs out
    hint_for(status, description, token) -> str                what a 401 or 403 of the API most likely means

Nothing of Pulumi is in here. azure-identity is imported where a token is fetched and nowhere else, so that a
preview without sign-in does not pay for it. The keys, the variables and the order are in docs/signing-in.md.
"""

from providers.azure_marketplace.credentials._choose import KEYS, Method, SignIn, choose_sign_in
from providers.azure_marketplace.credentials._failures import hint_for
from providers.azure_marketplace.credentials._secret import Secret
from providers.azure_marketplace.credentials._tokens import FetchedToken, TokenSource

__all__ = ["KEYS", "FetchedToken", "Method", "Secret", "SignIn", "TokenSource", "choose_sign_in", "hint_for"]
