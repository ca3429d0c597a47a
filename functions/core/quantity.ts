/**
 * Quantities are counted in whole millionths (BigInt), so that 0.1 + 0.2 is 0.3.
 * On the wire they are JSON numbers: at most 15 significant digits and 6 decimals, which a double carries exactly.
 */

const MILLION = 1_000_000n
const DECIMALS = 6
const MAX_SIGNIFICANT_DIGITS = 15
const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/
/** No exact quantity needs an exponent beyond this; it bounds the zeros that `canonical` may have to write. */
const MAX_EXPONENT = 400

/** Every quantity on the wire is smaller than this, in both directions. */
export const QUANTITY_BOUND = 1e15

interface Decimal {
  readonly negative: boolean
  /** Significant digits, without zeros at either end; empty for zero. */
  readonly digits: string
  /** The value is 0.`digits` × 10^`point`. */
  readonly point: number
}

/** Reads a JSON number literal, or what `String(number)` gives; null when it is neither or its exponent is absurd. */
function canonical(literal: string): Decimal | null {
  const match = DECIMAL.exec(literal)
  if (!match) return null
  const [, sign = '', whole = '', fraction = '', exponentText = '0'] = match
  const exponent = Number(exponentText)
  if (Math.abs(exponent) > MAX_EXPONENT) return null
  const all = whole + fraction
  const leading = /^0*/.exec(all)?.[0].length ?? 0
  const digits = all.slice(leading).replace(/0+$/, '')
  if (digits === '') return { negative: false, digits: '', point: 0 }
  return { negative: sign === '-', digits, point: whole.length + exponent - leading }
}

/** True if `value` is what `literal` says, to the last digit: parsing did not round it. */
export function isExactLiteral(literal: string, value: number): boolean {
  const written = canonical(literal)
  const read = canonical(String(value))
  return (
    written !== null &&
    read !== null &&
    written.digits === read.digits &&
    written.point === read.point &&
    written.negative === read.negative
  )
}

/** True if `value` is a quantity that the wire can carry: finite, |value| < 10¹⁵, ≤ 6 decimals, ≤ 15 significant digits. */
export function isQuantity(value: number): boolean {
  if (!(Math.abs(value) < QUANTITY_BOUND)) return false
  if (Number.isInteger(value)) return true
  const decimal = canonical(String(value))
  return (
    decimal !== null &&
    decimal.digits.length <= MAX_SIGNIFICANT_DIGITS &&
    decimal.digits.length - decimal.point <= DECIMALS
  )
}

/**
 * Reads a quantity into millionths. Nothing is ever rounded.
 * @throws RangeError when it is no number or has more than 6 decimals.
 */
export function parseQuantity(value: number | string): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value) * MILLION
  const decimal = canonical(String(value))
  const shift = decimal && decimal.point - decimal.digits.length + DECIMALS
  if (!decimal || shift === null || shift < 0) throw new RangeError(`${value} is not a quantity in millionths`)
  const magnitude = BigInt(decimal.digits || '0') * 10n ** BigInt(shift)
  return decimal.negative ? -magnitude : magnitude
}

/** Renders millionths, or their text, as the JSON number nearest to them: exact up to 15 significant digits. */
export function renderQuantity(millionths: bigint | string): number {
  const double = Number(millionths)
  // A quotient of two exact doubles is rounded as text is: to the nearest.
  if (Number.isSafeInteger(double)) return double / Number(MILLION)
  const exact = BigInt(millionths)
  const magnitude = exact < 0n ? -exact : exact
  const fraction = (magnitude % MILLION).toString().padStart(DECIMALS, '0')
  return Number(`${exact < 0n ? '-' : ''}${magnitude / MILLION}.${fraction}`)
}
