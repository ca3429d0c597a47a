/** Why the local service cannot start, in one line that says what to do. Shown without a stack. */
export class CannotStart extends Error {
  override readonly name = 'CannotStart'
}

/** What went wrong, for a message of ours. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
