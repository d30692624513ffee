"""The catalogue of scopes: what each lets a client or an operator do, in both languages."""

from dataclasses import dataclass
from typing import Final

from cardcore.caller import Scope


@dataclass(frozen=True, slots=True)
class ScopeWords:
    """What one scope allows, for people."""

    zh: str
    en: str


# One entry per scope; the document cannot be made with one missing.
SCOPE_WORDS: Final[dict[Scope, ScopeWords]] = {
    Scope.ORDERS_WRITE: ScopeWords(
        "报价、支付、预授权、完成、撤销、记录", "Quote, pay, hold, capture, void and record."
    ),
    Scope.ORDERS_READ: ScopeWords("查询与解释订单", "Read and explain orders."),
    Scope.REFUNDS_WRITE: ScopeWords("退款", "Refund."),
    Scope.DISPUTES_WRITE: ScopeWords("发起、撤回争议", "Open and withdraw disputes."),
    Scope.DISPUTES_READ: ScopeWords("查询争议与证据", "Read disputes and their evidence."),
    Scope.DISPUTES_ANSWER: ScopeWords("商户答复争议", "Answer disputes as the merchant."),
    Scope.DISPUTES_DECIDE: ScopeWords("裁定争议、先行垫付", "Decide disputes, credit early."),
    Scope.VERIFY: ScopeWords("核验出示的码", "Verify a presented code."),
    Scope.CODES_ISSUE: ScopeWords("发码", "Issue codes."),
    Scope.USERS_WRITE: ScopeWords("登记与查询用户", "Register and read users."),
    Scope.USERS_READ: ScopeWords(
        "查询凭证、优惠资格、代付、授权同意与信息查看记录",
        "Read credentials, entitlements, delegations, consents and the access log.",
    ),
    Scope.USERS_ADMIN: ScopeWords(
        "冻结、合并、销户、身故登记、抹除", "Freeze, merge, close, register a death, erase."
    ),
    Scope.PERSONAL_READ: ScopeWords(
        "按登记用途查看明文个人信息", "Find people and read personal data for a stated purpose."
    ),
    Scope.FUNDS_WRITE: ScopeWords("充值入账", "Top up."),
    Scope.FUNDS_ADMIN: ScopeWords(
        "维护资金方案、补贴、授信与计次", "Keep funding plans, subsidies, credit lines and counts."
    ),
    Scope.CARDS_WRITE: ScopeWords(
        "发卡、挂失、补卡、解绑", "Issue, bind, report lost, replace and close cards."
    ),
    Scope.CARDS_READ: ScopeWords("查询卡片", "List the cards of a user."),
    Scope.REPORTS_READ: ScopeWords("查看账簿", "Read the books."),
    Scope.BILLS_READ: ScopeWords("下载对账单", "Read daily bills and lists of orders."),
    Scope.WEBHOOKS_WRITE: ScopeWords("管理事件推送", "Manage webhook endpoints and deliveries."),
    Scope.SESSIONS_WRITE: ScopeWords("为市民开启会话", "Open sessions for citizens by host code."),
    Scope.CLIENTS_READ: ScopeWords("查看接入方", "List clients and their keys."),
    Scope.CLIENTS_WRITE: ScopeWords("登记、吊销接入方", "Register, re-key and revoke clients."),
    Scope.OPERATORS_WRITE: ScopeWords("管理操作员", "Manage operators."),
    Scope.AUDIT_READ: ScopeWords("查阅审计日志", "Read the audit log."),
    Scope.PROPOSALS_WRITE: ScopeWords(
        "提出须复核的事项", "Propose what a second operator decides."
    ),
    Scope.PROPOSALS_DECIDE: ScopeWords("复核他人提出的事项", "Decide what another has proposed."),
    Scope.CLOCK_WRITE: ScopeWords("拨动沙箱时钟", "Move the test clock of a sandbox."),
    Scope.SCENES_WRITE: ScopeWords("登记场景", "Register scenes."),
    Scope.SCENES_READ: ScopeWords("查询场景", "List registered scenes."),
    Scope.MERCHANTS_WRITE: ScopeWords(
        "登记、停用、注销商户", "Register, suspend and close merchants."
    ),
    Scope.MERCHANTS_READ: ScopeWords("查询商户", "List merchants."),
    Scope.TERMINALS_WRITE: ScopeWords(
        "登记、停用、报废终端及终端入网", "Register, enrol, suspend, revoke and retire terminals."
    ),
    Scope.TERMINALS_READ: ScopeWords(
        "查询终端、下载终端数据包", "List terminals; fetch the terminal package."
    ),
    Scope.SIGNALS_WRITE: ScopeWords("报送匿名计数", "Send anonymous daily counts."),
    Scope.PARKING_EVENTS: ScopeWords(
        "停车车道：过车、收费", "Lanes of car parks: readings of plates, payments."
    ),
    Scope.PARKING_READ: ScopeWords("查询停车与结算", "Read stays and days of car parks."),
    Scope.PARKING_WRITE: ScopeWords(
        "登记停车场与收费标准、签约", "Register car parks and tariffs, sign drivers' contracts."
    ),
    Scope.RECORDS_WRITE: ScopeWords("上传脱机记录", "Upload validator records."),
    Scope.HOSPITAL_WRITE: ScopeWords(
        "排班、挂号、叫号、开单、缴费、退费", "Plan, register, call, bill, collect and return fees."
    ),
    Scope.HOSPITAL_READ: ScopeWords(
        "查询号源、挂号与缴费", "Read slots, registrations and payments."
    ),
    Scope.HOSPITAL_REPORTS: ScopeWords(
        "上传、调阅、互认检查检验结果", "Put, read and recognise reports of examinations."
    ),
    Scope.HOSPITAL_REVIEW: ScopeWords("核对医保差异", "Look into differences with the insurer."),
}
