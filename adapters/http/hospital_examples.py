"""Requests that show the shape of the hospital's operations; a test checks each by its model."""

from typing import Any, Final

Example = dict[str, Any]

_USER: Final[Example] = {"credential": "M1:…"}

DEPARTMENT: Final[Example] = {
    "dept_code": "NK",
    "name_zh": "内科",
    "name_en": "Internal medicine",
    "place": "门诊楼二层东区",
    "place_en": "Outpatient building, 2nd floor, east",
    "specialties": ["respiratory", "cardiology", "gastroenterology"],
}
DOCTOR: Final[Example] = {
    "doctor_code": "D0001",
    "dept_code": "NK",
    "name": "示例医生",
    "title_zh": "主任医师",
    "title_en": "Chief physician",
}
SCHEDULE: Final[Example] = {
    "dept_code": "NK",
    "visit_on": "2026-11-25",
    "session": "morning",
    "slot_type": "general",
    "fee_fen": 500,
    "starts_at": "2026-11-25T08:00:00+08:00",
    "ends_at": "2026-11-25T12:00:00+08:00",
    "slot_count": 40,
    "walk_in_count": 8,
}
_ID: Final = "0197a3c2-5e00-7000-8000-000000000000"
REGISTRATION: Final[Example] = {"user": _USER, "schedule_id": _ID}
OWN_REGISTRATION: Final[Example] = {"merchant_id": "shanting-hospital", "schedule_id": _ID}
CHECK_IN: Final[Example] = {"user": _USER}
CALL: Final[Example] = {"schedule_id": _ID, "before": "seen"}
VISIT: Final[Example] = {
    "user": _USER,
    "visit_no": "MZ20261125000001",
    "dept_code": "NK",
    "psn_no": "37000000000000000001",
    "insutype": "310",
}
INSURANCE: Final[Example] = {"psn_no": "37000000000000000001", "insutype": "310"}
BILL: Final[Example] = {
    "out_bill_no": "F20261125000001",
    "lines": [
        {
            "item_code": "XA01AAA001",
            "name": "示例药品",
            "quantity": "2",
            "price_fen": 3000,
            "amount_fen": 6000,
        },
        {
            "item_code": "250101001",
            "name": "血常规",
            "quantity": "1",
            "price_fen": 2000,
            "amount_fen": 2000,
        },
    ],
}
PAYMENT: Final[Example] = {}
CONFIRM: Final[Example] = {"user": _USER, "fund": "auto"}
OWN_CONFIRM: Final[Example] = {"fund": "auto"}
RETURN: Final[Example] = {
    "out_refund_no": "TF20261125000001",
    "lines": [{"bill_id": _ID, "line_no": 2, "amount_fen": 2000}],
    "reason": "检查取消",
}
REVIEW: Final[Example] = {"decision": "cancel", "note": "与医保经办核对，撤销重结"}
AGREEMENT: Final[Example] = {"user": _USER, "evidence": "信用就医协议 2026-0001"}
DEPOSIT: Final[Example] = {
    "user": _USER,
    "amount_fen": 100_000,
    "out_trade_no": "YJ20261125000001",
}
HIS_ITEMS: Final[Example] = {
    "business_on": "2026-11-25",
    "items": [{"payment_id": _ID, "total_fen": 100_000, "insurer_fen": 96_500, "cash_fen": 3_500}],
}
CHANNEL_BILL: Final[Example] = {
    "channel": "simulator",
    "business_on": "2026-11-25",
    "bill": (
        "channel_no,our_no,direction,amount_fen,state,moved_at\r\n"
        "20261125000001,HP019ac2d8a00070008000000000010000,in,3500,paid,2026-11-25T02:00:00+00:00\r\n"
        "count,1,in_fen,3500,out_fen,0,"
        "sha256,752eaf5fef4238e30ed6c29e191f8ef71c219b11b9e9293199e1981e0c17d632\r\n"
    ),
}
RECONCILIATION: Final[Example] = {"business_on": "2026-11-25"}
HOUSE_RULES: Final[dict[str, Any]] = {
    "outpatient_prepayment": True,
    "purpose": "院区试点门诊预交金,区卫健局备案 2026-12",
}
