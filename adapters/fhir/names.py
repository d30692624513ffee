"""What things are called in FHIR: systems of identifiers and codes, extensions of ours. Pure.

They are names, not addresses: nothing is served there.
"""

from typing import Final

# Identifiers.
MERCHANT: Final = "urn:cardcore:merchant"
DESIGNATED_NO: Final = "urn:cardcore:insurance:fixmedins-code"
DEPARTMENT: Final = "urn:cardcore:hospital:department"
DOCTOR: Final = "urn:cardcore:hospital:doctor"
SUBJECT: Final = "urn:cardcore:subject"
VISIT_NO: Final = "urn:cardcore:hospital:visit-no"
BILL_NO: Final = "urn:cardcore:hospital:bill-no"
RETURN_NO: Final = "urn:cardcore:hospital:return-no"
ORDER: Final = "urn:cardcore:order"
SETL_ID: Final = "urn:cardcore:insurance:setl-id"
# Resident identity card numbers (WS/T 500, 居民身份证号).
ID_NO: Final = "urn:oid:2.16.156.10011.1.3"

# Codes of ours and of the insurer.
SLOT_TYPE: Final = "urn:cardcore:hospital:slot-type"
ITEM: Final = "urn:cardcore:insurance:item"
INSUTYPE: Final = "urn:cardcore:insurance:insutype"
PAYER: Final = "urn:cardcore:hospital:payer"
REASON: Final = "urn:cardcore:problem"

# Codes of the standard.
ACT_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
APPOINTMENT_TYPE: Final = "http://terminology.hl7.org/CodeSystem/v2-0276"
ORGANIZATION_TYPE: Final = "http://terminology.hl7.org/CodeSystem/organization-type"
IDENTIFIER_TYPE: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"
CLAIM_TYPE: Final = "http://terminology.hl7.org/CodeSystem/claim-type"
ADJUDICATION: Final = "http://terminology.hl7.org/CodeSystem/adjudication"
PAYMENT_TYPE: Final = "http://terminology.hl7.org/CodeSystem/payment-type"
CLAIM_PAYMENT: Final = "http://terminology.hl7.org/CodeSystem/ex-paymenttype"
CHARGE_ITEM_STATUS: Final = "http://hl7.org/fhir/chargeitem-status"

# Extensions: of the standard, and ours.
RENDERED_VALUE: Final = "http://hl7.org/fhir/StructureDefinition/rendered-value"
TRANSLATION: Final = "http://hl7.org/fhir/StructureDefinition/translation"
STATE: Final = "urn:cardcore:fhir:state"
FEE: Final = "urn:cardcore:fhir:fee"
HOLD_ENDS_AT: Final = "urn:cardcore:fhir:hold-ends-at"
QUEUE_NO: Final = "urn:cardcore:fhir:queue-no"
WALK_IN: Final = "urn:cardcore:fhir:walk-in"
ENCOUNTER: Final = "urn:cardcore:fhir:encounter"
UNIT_PRICE: Final = "urn:cardcore:fhir:unit-price"
RETURNED: Final = "urn:cardcore:fhir:returned"
PAYMENT: Final = "urn:cardcore:fhir:payment"
FOLLOWS: Final = "urn:cardcore:fhir:follows"
SPLIT: Final = "urn:cardcore:fhir:split"
QUOTE_ENDS_AT: Final = "urn:cardcore:fhir:quote-ends-at"
FACTS: Final = "urn:cardcore:fhir:facts"
