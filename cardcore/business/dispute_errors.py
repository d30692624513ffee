"""How disputes are refused."""

from cardcore.errors import CardcoreError, ForbiddenError


class DisputeStateError(CardcoreError):
    """The dispute is not in a state that allows this step."""

    code = "dispute_state"
    title_zh = "争议状态不允许此操作"
    title_en = "The dispute's state does not allow this"


class DisputeExceedsError(CardcoreError):
    """More is disputed than the citizen paid and has not got back or disputed before."""

    code = "dispute_exceeds"
    title_zh = "争议金额超出可争议金额"
    title_en = "More is disputed than is left of what the citizen paid"


class SecondOperatorNeededError(ForbiddenError):
    """The disputed amount is above what one person may credit or decide: two operators do it."""

    code = "second_operator_needed"
    title_zh = "超出单人裁定额度，须双人复核"
    title_en = "Above the limit of one person: propose it, and another operator decides"
