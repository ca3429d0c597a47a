export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

/** What lies at a dotted path: `at(decision, 'window.end')`. */
export function at(answer: Json, path: string): Json {
  let found: Json | undefined = answer
  for (const step of path.split('.')) {
    if (typeof found !== 'object' || found === null) throw new Error(`nothing at ${path}`)
    found = Array.isArray(found) ? found[Number(step)] : found[step]
    if (found === undefined) throw new Error(`nothing at ${path} of ${JSON.stringify(answer)}`)
  }
  return found
}

export function textAt(answer: Json, path: string): string {
  const found = at(answer, path)
  if (typeof found !== 'string') throw new Error(`no text at ${path}`)
  return found
}

export function numberAt(answer: Json, path: string): number {
  const found = at(answer, path)
  if (typeof found !== 'number') throw new Error(`no number at ${path}`)
  return found
}

export function listAt(answer: Json, path: string): Json[] {
  const found = at(answer, path)
  if (!Array.isArray(found)) throw new Error(`no list at ${path}`)
  return found
}
