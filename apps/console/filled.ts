/** As much of a JSON Schema as says what may be left out. */
type Shape = { type?: string; properties?: Record<string, Shape>; required?: readonly string[]; items?: Shape };

/**
 * What is sent of what was typed: an optional field, group or list in which nothing is left is not sent, as if it had
 * never been touched. What is required is sent as it is, so that all that it lacks is told at once.
 */
export function filled(data: unknown, schema: Shape): unknown {
  if (Array.isArray(data)) return data.map((item) => filled(item, schema.items ?? {}));
  if (typeof data !== 'object' || data === null) return data;
  const kept = Object.entries(data).flatMap(([name, value]) => {
    const field = schema.properties?.[name] ?? {};
    const own = filled(value, field);
    return isBlank(own) && !schema.required?.includes(name) ? [] : [[name, own] as const];
  });
  return Object.fromEntries(kept);
}

function isBlank(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true;
  return typeof value === 'object' && Object.values(value).every(isBlank);
}
