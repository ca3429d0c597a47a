/** Why a command has not done what it was asked, in one line that says what to do. Shown without a stack. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
}

/** Ends the process with 1 after saying why: of a refusal its message, of anything else all that is known. */
export function end(error: unknown): void {
  console.error(error instanceof Refusal ? error.message : error)
  process.exitCode = 1
}
