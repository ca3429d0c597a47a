import type { Connection, Submittable } from 'pg'
import { textToJson } from './text-to-json.ts'

/** How a client wants its rows. */
export type OutputMode = { raw: boolean; array: boolean }

/** A result over the limit. The proxy gives up on the connection, as the rest is still on its way. */
export class ResponseTooLarge extends Error {}

/** As much of pg-protocol's messages as a result is made of. */
type RowDescription = {
  fields: {
    name: string
    dataTypeID: number
    tableID: number
    columnID: number
    dataTypeSize: number
    dataTypeModifier: number
  }[]
}
type DataRow = { fields: (string | null)[] }
type CommandComplete = { text: string }
type CopyIn = { sendCopyFail(message: string): void; sync(): void }

/**
 * One statement in the extended protocol with untyped parameters, whose result becomes the JSON of Neon's answer while
 * its rows arrive. It is a pg `Submittable` rather than a pg `Query`: no row is parsed, held, and rendered a second
 * time, and a result that outgrows the limit is noticed at once.
 */
export class Statement implements Submittable {
  /** The JSON of the result, or the error. */
  readonly result: Promise<string>
  #resolve: (json: string) => void = () => {}
  #reject: (error: Error) => void = () => {}
  readonly #text: string
  readonly #values: (string | null)[]
  readonly #mode: OutputMode
  #bytesLeft: number
  #fields: RowDescription['fields'] = []
  #rows = ''
  #command = ''

  /** @param maxBytes of rows as JSON; over it the result is a {@link ResponseTooLarge} */
  constructor(text: string, values: (string | null)[], mode: OutputMode, maxBytes: number) {
    this.#text = text
    this.#values = values
    this.#mode = mode
    this.#bytesLeft = maxBytes
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  get bytesLeft(): number {
    return this.#bytesLeft
  }

  submit(connection: Connection): void {
    // One packet for the five messages.
    connection.stream.cork()
    connection.parse({ name: '', text: this.#text, types: [] }, true)
    connection.bind({ values: this.#values }, true)
    connection.describe({ type: 'P', name: '' }, true)
    connection.execute({}, true)
    connection.sync()
    connection.stream.uncork()
  }

  handleRowDescription({ fields }: RowDescription): void {
    this.#fields = fields
  }

  handleDataRow({ fields: values }: DataRow): void {
    if (this.#bytesLeft < 0) return
    const row = this.#row(values)
    this.#bytesLeft -= Buffer.byteLength(row) + 1
    if (this.#bytesLeft < 0) {
      this.#rows = ''
      this.#reject(new ResponseTooLarge())
      return
    }
    this.#rows += this.#rows === '' ? row : `,${row}`
  }

  handleCommandComplete({ text }: CommandComplete): void {
    this.#command = text
  }

  handleEmptyQuery(): void {}

  handleCopyInResponse(connection: CopyIn): void {
    connection.sendCopyFail('COPY FROM STDIN is not possible over HTTP')
    // Postgres ignored the one already sent, as it does while it waits for the data.
    connection.sync()
  }

  handleCopyData(): void {}

  handleError(error: Error): void {
    this.#reject(error)
  }

  handleReadyForQuery(): void {
    const [command, count] = parseCommandTag(this.#command)
    const fields = this.#fields.map(({ name, dataTypeID, tableID, columnID, dataTypeSize, dataTypeModifier }) => {
      return { name, dataTypeID, tableID, columnID, dataTypeSize, dataTypeModifier, format: 'text' }
    })
    this.#resolve(
      `{"fields":${JSON.stringify(fields)},"rows":[${this.#rows}],"command":${JSON.stringify(command)},` +
        `"rowCount":${count},"rowAsArray":${this.#mode.array}}`,
    )
  }

  #row(values: (string | null)[]): string {
    const { raw, array } = this.#mode
    if (raw && array) return JSON.stringify(values)
    const items = this.#fields.map(({ name, dataTypeID }, index) => {
      const text = values[index] ?? null
      const value = raw ? JSON.stringify(text) : textToJson(text, dataTypeID)
      return array ? value : `${JSON.stringify(name)}:${value}`
    })
    return array ? `[${items.join(',')}]` : `{${items.join(',')}}`
  }
}

/** `INSERT 0 5` → INSERT, 5; `CREATE TABLE` → CREATE, null: the first word and the last number, as in Neon's proxy. */
function parseCommandTag(tag: string): [string, number | null] {
  const [command = '', ...rest] = tag.split(' ')
  const count = command === 'INSERT' ? rest[1] : rest.join(' ')
  return [command, count !== undefined && /^\d+$/.test(count) ? Number(count) : null]
}
