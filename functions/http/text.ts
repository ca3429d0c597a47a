/** Control characters, C0 and C1: none of them can be read, and NUL cannot be stored. */
export const PRINTABLE_PATTERN = '^[^\\u0000-\\u001f\\u007f-\\u009f]+$'
/** The same, but for the names of this folder and the one above. */
export const SEGMENT_PATTERN = `^(?!\\.{1,2}$)${PRINTABLE_PATTERN.slice(1)}`
const SEGMENT = '[^/\\u0000-\\u001f\\u007f-\\u009f]+'
/** Non-empty segments between slashes. */
export const PATH_PATTERN = `^${SEGMENT}(?:/${SEGMENT})*$`
const PRINTABLE = new RegExp(PRINTABLE_PATTERN, 'u')

/** True if Postgres can store it: no NUL, no half of a surrogate pair. */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0000')
}

/** True for storable text of 1 to `max` characters without control characters. */
export function isPrintable(text: string, max: number): boolean {
  return PRINTABLE.test(text) && text.isWellFormed() && hasLength(text, 1, max)
}

/** Length in characters (code points), as JSON Schema and Postgres count them. */
export function hasLength(text: string, min: number, max: number): boolean {
  // Code points are at most code units: only text that could be too long needs counting.
  const length = text.length <= max ? text.length : Array.from(text.slice(0, 2 * max + 2)).length
  return length >= min && length <= max
}
