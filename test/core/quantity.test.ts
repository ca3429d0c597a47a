import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isExactLiteral, isQuantity, parseQuantity, renderQuantity } from '../../functions/core/quantity.ts'

/** Every quantity that the wire can carry: up to 15 significant digits, of which up to 6 are decimals. */
const wireQuantity = fc
  .tuple(fc.bigInt(-(10n ** 15n) + 1n, 10n ** 15n - 1n), fc.integer({ min: 0, max: 6 }))
  .map(([digits, decimals]) => Number(`${digits}e-${decimals}`))
const millionths = fc.bigInt(-(10n ** 15n) + 1n, 10n ** 15n - 1n)

describe('parseQuantity', () => {
  it.each([
    [0, 0n],
    [-0, 0n],
    [1, 1_000_000n],
    [0.1, 100_000n],
    [0.000001, 1n],
    [-2.5, -2_500_000n],
    [999_999_999_999_999, 999_999_999_999_999_000_000n],
    [999_999_999.999999, 999_999_999_999_999n],
    ['1.50', 1_500_000n],
    ['1e3', 1_000_000_000n],
    ['-0.0', 0n],
  ])('reads %s as %s millionths', (value, expected) => {
    expect(parseQuantity(value)).toBe(expected)
  })

  it.each([0.0000001, '1.0000001', Number.NaN, Number.POSITIVE_INFINITY, '', 'x', '1e999999'])(
    'refuses %s',
    (value) => {
      expect(() => parseQuantity(value)).toThrow(RangeError)
    },
  )
})

describe('arithmetic in millionths', () => {
  it('says that 0.1 + 0.2 is 0.3', () => {
    expect(renderQuantity(parseQuantity(0.1) + parseQuantity(0.2))).toBe(0.3)
  })

  it('renders what it parsed, to the last digit', () => {
    fc.assert(fc.property(wireQuantity, (value) => renderQuantity(parseQuantity(value)) === value + 0))
  })

  it('parses what it rendered', () => {
    fc.assert(fc.property(millionths, (value) => parseQuantity(renderQuantity(value)) === value))
  })

  it('adds exactly', () => {
    fc.assert(
      fc.property(millionths, millionths, (left, right) => {
        const sum = parseQuantity(renderQuantity(left)) + parseQuantity(renderQuantity(right))
        return sum === left + right
      }),
    )
  })
})

describe('isQuantity', () => {
  it('accepts whatever the wire can carry', () => {
    fc.assert(fc.property(wireQuantity, isQuantity))
  })

  it.each([1e15, -1e15, 0.0000001, 1.0000001, 123_456_789_012_345.67, Number.NaN, Number.POSITIVE_INFINITY])(
    'refuses %s',
    (value) => {
      expect(isQuantity(value)).toBe(false)
    },
  )
})

describe('isExactLiteral', () => {
  it.each(['0', '-0', '1.50000000000000000000', '1e2', '1E+2', '0.1', '100000000000000000000', '0e-5', '12.5e-1'])(
    'accepts %s',
    (literal) => {
      expect(isExactLiteral(literal, Number(literal))).toBe(true)
    },
  )

  it.each(['1.00000000000000000001', '9007199254740993', '1e-400', '1e400', '0.1000000000000000055', '1e99999999'])(
    'sees that %s was rounded',
    (literal) => {
      expect(isExactLiteral(literal, Number(literal))).toBe(false)
    },
  )

  it('accepts every number as it prints itself', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => isExactLiteral(String(value), value)),
    )
  })

  it('refuses every literal with one more digit than a double has', () => {
    fc.assert(
      fc.property(fc.bigInt(10n ** 17n, 10n ** 18n), (digits) => {
        const literal = `${digits}1`
        return isExactLiteral(literal, Number(literal)) === (BigInt(Number(literal)) === BigInt(literal))
      }),
    )
  })
})
