"""Requests that show the shape of each operation; a test holds each against its model."""

from typing import Any, Final

Example = dict[str, Any]

_USER: Final[Example] = {"credential": "M1:…"}
_FARE: Final[Example] = {
    "scene": "bus",
    "type": "fare",
    "merchant_id": "bus-shanting",
    "terminal_id": "bus-0001",
    "out_trade_no": "20261123-000001",
    "occurred_at": "2026-11-23T07:30:00+08:00",
    "details": {"line": "1", "on_stop": "S001", "off_stop": "S009"},
}

VERIFY: Final[Example] = {
    "user": _USER,
    "scene": "bus",
    "merchant_id": "bus-shanting",
    "terminal_id": "bus-0001",
}
QUOTE: Final[Example] = {"user": _USER, "business": _FARE}
PAY: Final[Example] = {"user": _USER, "account": {"fund": "auto"}, "business": _FARE, "mode": "pay"}
RECORD: Final[Example] = {
    "user": _USER,
    "business": {
        "scene": "community",
        "type": "passage",
        "merchant_id": "community-01",
        "terminal_id": "gate-0001",
        "out_trade_no": "20261123-000002",
        "occurred_at": "2026-11-23T18:05:12+08:00",
        "details": {"door": "north", "direction": "in"},
    },
    "mode": "record",
}
PAY_BY_FOREIGN_CODE: Final[Example] = {
    "user": {"credential": "8101492401020304"},
    "business": _FARE,
}
PAY_BY_CARD: Final[Example] = {
    "user": {"card": {"tap": "GQE3BAEAAQIDBAUGBwAAAMgG2C40ina8AAASZyAmESMHMAAAEYp3CJQ"}},
    "business": _FARE,
}
ISSUE_CARD: Final[Example] = {
    "number": "3704060000000015",
    "kind": "cpu",
    "valid_from": "2026-01-01",
    "valid_to": "2035-12-31",
    "domains": [{"scene": "bus"}, {"scene": "community", "merchant_id": "community-01"}],
}
REPLACE_CARD: Final[Example] = {
    "number": "3704060000000023",
    "valid_from": "2026-11-23",
    "valid_to": "2035-12-31",
    "reason": "lost on the bus",
}
BIND_CARD: Final[Example] = {
    "number": "3704060000000015",
    "user_id": "0b8f4ad2-57a1-4a39-9a0c-0d7b6c7c7a11",
}
CARD_REASON: Final[Example] = {"reason": "told by the holder at the counter"}
CAPTURE: Final[Example] = {"amount_fen": 1200}
REFUND: Final[Example] = {"out_refund_no": "R-1", "amount_fen": 100, "reason": "charged twice"}
SCENE: Final[Example] = {
    "scene": "night_market",
    "class_code": "enterprise",
    "name_zh": "夜市",
    "name_en": "Night market",
    "level_min": "phone",
    "offline_rule": "online_only",
    "settlement_cycle": "t1",
    "modes": ["pay", "hold", "record"],
    "funding_plan": ["purse"],
    "hold_timeout_s": 7200,
}
SCENE_CHANGE: Final[Example] = {
    "class_code": "enterprise",
    "name_zh": "夜市",
    "name_en": "Night market",
    "level_min": "anonymous",
    "offline_rule": "online_only",
    "settlement_cycle": "weekly",
    "modes": ["pay"],
    "reason": "open to visitors",
}
SCENE_RETIREMENT: Final[Example] = {"reason": "the season is over"}
DISPUTE: Final[Example] = {"reason": "wrong_amount", "amount_fen": 100}
DISPUTE_ANSWER: Final[Example] = {
    "answer": "contest",
    "grounds": "service_delivered",
    "reference": "TICKET-20261123-7",
}
DISPUTE_DECISION: Final[Example] = {"finding": "merchant", "grounds": "amount_right"}
OPEN_USER: Final[Example] = {
    "name": "王小明",
    "id_no": "11010519491231002X",
    "entitlements": [
        {
            "concession": "senior",
            "evidence": "elder card 0001",
            "valid_from": "2026-01-01",
            "valid_to": "2030-12-31",
        }
    ],
    "funds": ["purse", "transit"],
}
TOP_UP: Final[Example] = {
    "fund": "transit",
    "amount_fen": 5000,
    "channel": "bank",
    "channel_no": "B-20261123-1",
}
ISSUE_CODE: Final[Example] = {"scenes": ["bus"], "ttl_s": 30, "cap_fen": 2000}
ENROLMENT: Final[Example] = {
    "terminal_id": "bus-0001",
    "activation_code": "7ZK3M-Q0T5W-8XD2P-V6N1H",
    "public_key": {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    },
    "proof": "A" * 86,
}
AUTHORISE: Final[Example] = {
    "device_public_key": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    "suite": "0x11",
    "scenes": ["bus", "community"],
}
PRINT_CODE: Final[Example] = {"scenes": ["hospital"], "validity_days": 180, "photo_check": True}
UPLOAD: Final[Example] = {
    "records": ["GBAAAQ"],
    "list_version": 7,
    "list_age_s": 120,
    "clock": "2026-11-23T18:00:00+08:00",
}
REVOCATION: Final[Example] = {"since": "2026-11-23T18:00:00+08:00"}
ACT: Final[Example] = {"reason": "user_request", "note": "本人到窗口办理", "operator": "op-7"}
FUND_ACT: Final[Example] = {"reason": "legal_order", "fund": "purse", "operator": "op-7"}
UPGRADE: Final[Example] = {
    "level": "real_name",
    "name": "王小明",
    "id_no": "11010519491231002X",
}
CONTACT: Final[Example] = {"phone": "13800138000", "address": "枣庄市山亭区府前路1号"}
MERGE: Final[Example] = {
    "reason": "duplicate",
    "duplicate_id": "0b8f4ad2-57a1-4a39-9a0c-0d7b6c7c7a11",
}
CLOSE: Final[Example] = {"reason": "user_request", "payee": "bank account 6222…2222"}
SETTLE_CLAIM: Final[Example] = {"channel": "bank", "channel_no": "P-20261123-1"}
BIND_PLATE: Final[Example] = {
    "plate": "鲁D·12345",
    "proof": {"method": "vehicle_licence", "evidence": "vehicle licence 370406001234"},
    "operator": "op-7",
}
REPLACE_CREDENTIAL: Final[Example] = {
    "reason": "loss",
    "replacement_id": "0b8f4ad2-57a1-4a39-9a0c-0d7b6c7c7a11",
}
ENTITLEMENT: Final[Example] = {
    "concession": "senior",
    "evidence": "elder card 0001",
    "valid_from": "2026-01-01",
    "valid_to": "2030-12-31",
    "operator": "op-7",
}
DELEGATION: Final[Example] = {
    "payer_id": "0b8f4ad2-57a1-4a39-9a0c-0d7b6c7c7a11",
    "kind": "guardian",
    "scenes": ["bus", "school"],
    "use": "when_short",
    "order_fen_max": 500,
    "day_fen_max": 2000,
    "month_fen_max": 20000,
    "valid_from": "2026-09-01T00:00:00+08:00",
    "valid_to": "2027-09-01T00:00:00+08:00",
}
CONSENT: Final[Example] = {
    "purpose": "medical_aid",
    "recipient": "hospital-01",
    "scope": ["name", "id_no"],
    "valid_from": "2026-11-23T00:00:00+08:00",
    "valid_to": "2027-11-23T00:00:00+08:00",
    "evidence": "consent-text-v3",
}
DISCLOSE: Final[Example] = {
    "purpose": "legal_order",
    "fields": ["name", "id_no"],
    "operator": "op-7",
}
FIND_USER: Final[Example] = {"phone": "13800138000", "operator": "op-7"}
FUNDING_PLAN: Final[Example] = {
    "steps": ["subsidy", "campus", "purse"],
    "reason": "the campus purse pays before the purse",
}
SUBSIDY_PROGRAMME: Final[Example] = {
    "programme": "school_meals_2026_autumn",
    "name_zh": "2026年秋季学期营养午餐补贴",
    "name_en": "School meals, autumn 2026",
    "payer": "education_bureau",
    "scenes": ["school"],
    "merchants": ["school-01"],
    "valid_from": "2026-09-01",
    "valid_to": "2027-01-31",
    "reason": "decided for the autumn term",
}
SUBSIDY_DEPOSIT: Final[Example] = {
    "amount_fen": 10000000,
    "channel": "bank",
    "channel_no": "20260828-0007",
}
SUBSIDY_GRANT: Final[Example] = {
    "user_id": "0b8f4ad2-57a1-4a39-9a0c-0d7b6c7c7a11",
    "amount_fen": 40000,
}
CREDIT_REPAYMENT: Final[Example] = {"source": "purse"}
CREDIT_LIMIT: Final[Example] = {"limit_fen": 10000, "reason": "signed at the counter"}
TALLY: Final[Example] = {"quantity": 1, "reason": "monthly pass"}
TOP_UP_INTENT: Final[Example] = {"fund": "purse", "amount_fen": 5000, "channel": "simulator"}
WITHDRAWAL: Final[Example] = {
    "fund": "purse",
    "amount_fen": 3000,
    "channel": "simulator",
    "payee": "6222 0210 0100 0000",
}
CHANNEL_NOTICE: Final[Example] = {
    "our_no": "0b8f4ad2-57a1-4a39-9a0c-0d7b6c7c7a11",
    "amount_fen": 5000,
    "state": "paid",
    "channel_no": "S000000000001",
    "signature": "0" * 64,
}
_PARKING_TARIFF: Final[Example] = {
    "periods": [
        {
            "name": "日间",
            "starts": "08:00:00",
            "steps": [
                {"until_min": 60, "unit_min": 30, "unit_fen": 200},
                {"unit_min": 60, "unit_fen": 100},
            ],
        },
        {
            "name": "夜间",
            "starts": "20:00:00",
            "steps": [{"unit_min": 60, "unit_fen": 50}],
            "cap_fen": 300,
        },
    ],
    "cycle_starts": "08:00:00",
    "cycle_cap_fen": 2000,
    "free_min": 30,
    "new_energy_free_min": 120,
    "new_energy_percent_off": 50,
    "month_card_fen": 18000,
}
CAR_PARK: Final[Example] = {
    "car_park_id": "east-gate",
    "merchant_id": "shanting-parking",
    "name_zh": "东门停车场",
    "name_en": "East Gate Car Park",
    "spaces": 120,
    "lanes": [
        {"lane_id": "east-in-1", "direction": "in"},
        {"lane_id": "east-out-1", "direction": "out"},
    ],
    "valid_from": "2026-01-01T00:00:00+08:00",
    "tariff": _PARKING_TARIFF,
}
TARIFF: Final[Example] = {"valid_from": "2027-01-01T00:00:00+08:00", "tariff": _PARKING_TARIFF}
PASSAGES: Final[Example] = {
    "events": [
        {
            "lane_id": "east-out-1",
            "event_no": 4711,
            "plate": "鲁D12345",
            "occurred_at": "2026-11-23T18:00:00+08:00",
            "image_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        }
    ]
}
FIND_STAY: Final[Example] = {"car_park_id": "east-gate", "plate": "鲁D12345"}
PAY_STAY: Final[Example] = {"credential": "CC1:6BF…", "lane_id": "east-out-1"}
MONTH_CARD: Final[Example] = {
    "plate": "鲁D12345",
    "lane_id": "east-in-1",
    "from_on": "2026-12-01",
    "months": 1,
    "credential": "CC1:6BF…",
}
CONTRACT: Final[Example] = {
    "user_id": "0b8f4ad2-57a1-4a39-9a0c-0d7b6c7c7a11",
    "plate": "鲁D12345",
    "limit_fen": 10000,
}
ALERT_CLAIM: Final[Example] = {"stay_id": "0b8f4ad2-57a1-4a39-9a0c-0d7b6c7c7a11"}
ALERT_CLOSING: Final[Example] = {"finding": "cloned"}
FOREIGN_ISSUER: Final[Example] = {
    "issuer": "37040600",
    "name_zh": "邻市公交",
    "name_en": "Neighbour City Transit",
    "root_index": 1,
    "root_key": "02e6acedcfe02e9cc993b904f3f88f61519512dee6d34a27ddd24c4c7c698fb3a4",
    "concessions": {"2": "student", "3": "senior"},
}
FOREIGN_RIDE: Final[Example] = {
    "code": "8101492401020304",
    "merchant_id": "shanting-bus",
    "terminal_id": "bus-V0001",
    "out_trade_no": "F-20261123-0001",
    "occurred_at": "2026-11-23T18:00:00+08:00",
    "details": {"line": "K1", "on_stop": "SC01"},
}
