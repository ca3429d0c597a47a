import type { Connection, Submittable } from 'pg'

/**
 * What Neon's proxy sends behind every answer so that no session state reaches the next request. Unlike DISCARD ALL it
 * keeps the plans that the session's functions have cached, on which the speed of the next request rests.
 */
const RESET_SESSION = [
  'CLOSE ALL',
  'SET SESSION AUTHORIZATION DEFAULT',
  'RESET ALL',
  'DEALLOCATE ALL',
  'UNLISTEN *',
  'SELECT pg_advisory_unlock_all()',
  'DISCARD TEMP',
  'DISCARD SEQUENCES',
].join(';')

/** The reset as one message of the simple protocol; `done` says whether it worked. */
export class Reset implements Submittable {
  readonly done: Promise<boolean>
  #settle: (worked: boolean) => void = () => {}

  constructor() {
    this.done = new Promise((resolve) => {
      this.#settle = resolve
    })
  }

  submit(connection: Connection): void {
    connection.query(RESET_SESSION)
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleCommandComplete(): void {}

  handleError(): void {
    this.#settle(false)
  }

  handleReadyForQuery(): void {
    this.#settle(true)
  }
}
