import { isExactLiteral } from '../core/quantity.ts'

/** Stands where a number stood that JavaScript would have rounded; no schema accepts it. */
export class InexactNumber {
  readonly literal: string

  constructor(literal: string) {
    this.literal = literal
  }
}

/** Numbers that could have been rounded have 16 or more digits, or an exponent. They stand after `:`, `,`, `[` or white space. */
const MAYBE_ROUNDED = /(?:^|[:,[\s])-?(?=[\d.]{16}|[\d.]+[eE])/
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })

/**
 * Parses UTF-8 JSON; a number that would be rounded becomes an `InexactNumber`.
 * @throws when it is not UTF-8 or not JSON, or is nested too deeply to look at.
 */
export function parseJson(bytes: ArrayBuffer | Uint8Array): unknown {
  const text = utf8.decode(bytes)
  return MAYBE_ROUNDED.test(text) ? JSON.parse(text, keepExactNumbers) : JSON.parse(text)
}

function keepExactNumbers(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || context?.source === undefined) return value
  return isExactLiteral(context.source, value) ? value : new InexactNumber(context.source)
}

/** The path to the first value inside that cannot be stored exactly: a rounded number, or text that Postgres refuses. */
export function findUnstorable(value: unknown, isText: (text: string) => boolean): readonly string[] | null {
  if (typeof value === 'string') return isText(value) ? null : []
  if (value instanceof InexactNumber) return []
  if (typeof value !== 'object' || value === null) return null
  for (const [key, inner] of Object.entries(value)) {
    if (!isText(key)) return []
    const path = findUnstorable(inner, isText)
    if (path) return [key, ...path]
  }
  return null
}
