/**
 * Turns the JSON parameters of a request into Postgres text, as Neon's proxy does (`proxy/src/serverless/json.rs`):
 * null → NULL, a string as it is, booleans, numbers and objects as their JSON, an array as an array literal.
 */
export function paramsToText(params: readonly unknown[]): (string | null)[] {
  return params.map(paramToText)
}

function paramToText(value: unknown): string | null {
  if (value === null) return null
  if (typeof value === 'string') return value
  return Array.isArray(value) ? arrayLiteral(value) : JSON.stringify(value)
}

/** JSON's quoting of strings is a valid quoting in array literals; an object becomes a string of its JSON. */
function arrayLiteral(values: readonly unknown[]): string {
  const items = values.map((value) => {
    if (value === null) return 'NULL'
    if (Array.isArray(value)) return arrayLiteral(value)
    return typeof value === 'object' ? JSON.stringify(JSON.stringify(value)) : JSON.stringify(value)
  })
  return `{${items.join(',')}}`
}
