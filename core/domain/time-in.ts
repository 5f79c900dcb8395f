/** RFC 3339 with a zone; a bare date or a local time would be ambiguous. */
const RFC3339 = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
const OFFSET = /^[+-]([01]\d|2[0-3]):[0-5]\d$/;

/** Unix ms; NaN for what is no time. `Date.parse` takes 30 February for 2 March. */
export function timeIn(text: string): number {
  const [, day, time, zone = ""] = RFC3339.exec(text) ?? [];
  if (day === undefined || (!/z/i.test(zone) && !OFFSET.test(zone))) return Number.NaN;
  const asUtc = new Date(`${day}T${time}Z`);
  const exists = !Number.isNaN(asUtc.getTime()) && asUtc.toISOString().startsWith(`${day}T${time}`);
  return exists ? Date.parse(text) : Number.NaN;
}
