"""Every operation that is served. Each calls the method its native route calls."""

from adapters.fhir.act import Act
from adapters.fhir.acts_of_billing import payment_acts, visit_acts
from adapters.fhir.acts_of_booking import booking_acts
from adapters.fhir.acts_of_comparison import comparison_acts
from adapters.fhir.desk import Desk


def acts_of(desk: Desk) -> tuple[Act, ...]:
    """The operations over these services."""
    return (*booking_acts(desk), *visit_acts(desk), *payment_acts(desk), *comparison_acts(desk))
