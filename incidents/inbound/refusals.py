"""Why something that was sent is not taken in."""

from incidents.errors import Refused


class AlertRefused(Refused):
    """What all of them are."""

    code = "alert-refused"
    message = "This cannot be taken in. Look at what is sent."


class TooLarge(AlertRefused):
    code = "alert-too-large"
    message = "This is more than 1 MiB. Send fewer alerts at once; Alertmanager: max_alerts."


class NotJson(AlertRefused):
    code = "alert-not-json"
    message = "This is not JSON. Send one JSON object in UTF-8."


class TooDeep(AlertRefused):
    code = "alert-too-deep"
    message = "This is nested deeper than 20 levels, or has too many parts. Send what is needed."


class WrongShape(AlertRefused):
    code = "alert-wrong-shape"
    message = "This is JSON of another shape than the hook expects. Compare it with the example."


class TooMany(AlertRefused):
    code = "alert-too-many"
    message = "These are too many alerts at once. Alertmanager: set max_alerts."


class ImpossibleTime(AlertRefused):
    code = "alert-impossible-time"
    message = "This is no time that can be meant. Correct the clock, or the year."


class SecretMissing(AlertRefused):
    code = "alert-secret-missing"
    message = "Nothing can be proven yet. Enter the provider's signing secret at the desk."


class Unsigned(AlertRefused):
    code = "alert-unsigned"
    message = "It is not signed. Let the sender sign it with the secret of this hook."


class BadSignature(AlertRefused):
    code = "alert-bad-signature"
    message = "The signature does not fit. Compare the secret at the desk with the sender's."


class SignatureOutOfTime(AlertRefused):
    code = "alert-signature-out-of-time"
    message = "It was signed more than 5 minutes from now. Set the sender's clock, and sign anew."
