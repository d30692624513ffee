"""Half days with free places, by what a department treats. Runs in the caller's transaction."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from psycopg.rows import dict_row

from cardcore.connections import RawConnection
from scenes.hospital.guidance_views import ClinicView

CLINICS_MAX: Final = 3  # per specialty
# The nearest half days of each specialty that still have a place for somebody who registers now.
_FREE: Final = """
SELECT wanted.specialty, found.*
  FROM unnest(%(specialties)s::text[]) AS wanted(specialty)
 CROSS JOIN LATERAL (
    SELECT d.merchant_id, d.dept_code, d.name_zh AS dept_name_zh, d.name_en AS dept_name_en,
           d.place, coalesce(nullif(d.place_en, ''), d.place) AS place_en,
           s.schedule_id, s.doctor_code, s.visit_on, s.session, s.starts_at, s.fee_fen,
           free.free_count
      FROM scene_hospital.department d
      JOIN scene_hospital.hospital h USING (merchant_id)
      JOIN scene_hospital.schedule s USING (merchant_id, dept_code)
     CROSS JOIN LATERAL (
        SELECT count(*)::int AS free_count FROM scene_hospital.slot p
         WHERE p.schedule_id = s.schedule_id AND p.registration_id IS NULL AND NOT p.walk_in
           AND p.starts_at > %(now)s) AS free
     WHERE d.specialties @> ARRAY[wanted.specialty]
       AND (%(merchant_id)s::text IS NULL OR d.merchant_id = %(merchant_id)s)
       AND s.status = 'open' AND s.ends_at > %(now)s
       AND s.visit_on BETWEEN %(today)s AND %(today)s + h.days_ahead
       AND free.free_count > 0
     ORDER BY s.starts_at, d.merchant_id, s.schedule_id
     LIMIT %(most)s) AS found
"""


async def free_clinics(
    raw: RawConnection,
    specialties: Sequence[str],
    *,
    merchant_id: str | None,
    now: datetime,
    today: date,
) -> dict[str, list[ClinicView]]:
    """Free half days by specialty, the nearest first; of one hospital, or of all."""
    asked = {
        "specialties": list(specialties),
        "merchant_id": merchant_id,
        "now": now,
        "today": today,
        "most": CLINICS_MAX,
    }
    found: dict[str, list[ClinicView]] = {}
    async with raw.cursor(row_factory=dict_row) as rows:
        await rows.execute(_FREE, asked)
        for row in await rows.fetchall():
            found.setdefault(row.pop("specialty"), []).append(ClinicView.model_validate(row))
    return found
