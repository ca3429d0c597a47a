/** What exists, as far as answers have told, for requests that are drawn before anything is there. */

type Value = string | number

/** Stands in a request for one of the values that will be known under a name when it is sent. */
export class Reference {
  readonly name: string
  readonly nth: number

  constructor(name: string, nth: number) {
    this.name = name
    this.nth = nth
  }
}

/** The fields of answers that requests refer to. */
export const REFERRED = [
  'entitlement_id',
  'entry_id',
  'lease_id',
  'reservation_id',
  'subscription_id',
  'rule_id',
  'key_id',
  'object_id',
  'item',
  'version',
  'cursor',
] as const
const FIELDS: ReadonlyMap<string, string> = new Map([
  ...REFERRED.map((name) => [name, name] as const),
  ['next_cursor', 'cursor'],
  ['secret', 'secret'],
])
const INSTANT = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/
/** Under this name are the cursors of one list. */
export const cursorOf = (operationId: string): string => `cursor of ${operationId}`
/** The newest of each name. */
const MAX_VALUES = 40

export class Known {
  readonly #values = new Map<string, readonly Value[]>()

  /** Learns from an answer of an operation. */
  harvest(operationId: string, answer: unknown): void {
    if (typeof answer !== 'object' || answer === null) return
    for (const [field, value] of Object.entries(answer)) {
      if (typeof value === 'object') this.harvest(operationId, value)
      else if (typeof value === 'string' || typeof value === 'number') this.#learn(operationId, field, value)
    }
  }

  #learn(operationId: string, field: string, value: Value): void {
    const name = FIELDS.get(field)
    if (name) this.#add(name, value)
    else if (typeof value === 'string' && INSTANT.test(value)) this.#add('time', value)
    if (name === 'cursor') this.#add(cursorOf(operationId), value)
  }

  #add(name: string, value: Value): void {
    const known = this.#values.get(name) ?? []
    if (!known.includes(value)) this.#values.set(name, [...known, value].slice(-MAX_VALUES))
  }

  /** The same with values in the place of references, nothing where nothing is known. */
  resolve(value: unknown): unknown {
    if (value instanceof Reference) {
      const known = this.#values.get(value.name) ?? []
      return known[value.nth % Math.max(known.length, 1)]
    }
    if (Array.isArray(value)) return value.map((each) => this.resolve(each))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, this.resolve(inner)]))
  }
}
