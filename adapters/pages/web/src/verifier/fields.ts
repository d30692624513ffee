/** The words and limits of the tables in `docs/codes.md`. */

/** Scenes a code may be used in: bits of the scope bitmap. */
export const SCENES = {
  bus: 1 << 0,
  hospital: 1 << 1,
  scenic: 1 << 2,
  school: 1 << 3,
  community: 1 << 4,
  parking: 1 << 5,
  venue: 1 << 6,
  service_window: 1 << 7,
  retail: 1 << 8,
} as const satisfies Readonly<Record<string, number>>;

/** What a code may be used for: low three bits of the tariff byte. */
export const PURPOSE = { identity: 1, pay: 2, onlineRequired: 4 } as const;
export const PURPOSE_MASK = 0x07;

export const USER_VERIFIED = 0x80;
export const PHOTO_CHECK = 0x80;
export const PIN_REQUIRED = 0x40;
export const COMPANIONS_MASK = 0x0f;

export const CAP_UNIT_FEN = 10;
export const SCOPE_KNOWN_MAX = 0x01ff;
export const TTL_PAY_UNBOUND_MAX_S = 30;
export const VALIDITY_MAX_MIN = 10_080;
export const DYNAMIC_TTL_MIN_S = 15;
export const DYNAMIC_TTL_MAX_S = 60;
export const SKEW_MAX_S = 30;
export const LIST_AGE_MAX_S = 7200;
export const SIGNATURE_SIZE = 64;
export const DYNAMIC_SIZE = 11 + SIGNATURE_SIZE;
export const D_HEAD_SIZE = 32;

export const TAG = {
  S: "CC1-S",
  authorisation: "CC1-A",
  D: "CC1-D",
  P: "CC1-P",
  list: "CC1-L",
  package: "CC1-T",
  record: "CC1-R",
  enrolment: "CC1-E",
} as const;
