/** Where a hash chain is not as it was: docs/LEDGER_CHAIN.md. */
export type Fault = {
  chain: 'ledger' | 'audit'
  /** Of an audit trail, or of a head; else the account says it. */
  namespace?: string
  account_uuid: string | null
  resource: string | null
  fault: string
  seq: number | null
  through_seq: number | null
  entry_id: string | null
}

const MEANINGS: Readonly<Record<string, string>> = {
  changed: 'the entry, what it drew on, or its place is not what was recorded',
  inserted: 'the entry was not recorded by the service',
  missing: 'gone',
  details_changed: 'its personal strings are not those that were recorded',
  head_changed: 'the head is not that of the last entry',
  rewritten: 'not what was signed: it, or one of those before it, was changed and all hashes after it made anew',
  no_head: 'there are entries, but no head of them',
  forged_head: 'a signed head whose signature is wrong',
  removed_head: 'signed heads before this one were taken out',
  replaced_head: 'the database does not have this signed head',
}

/** One line that names the place and says what is wrong. */
export function describeFault(fault: Fault): string {
  const { chain, namespace, account_uuid, resource, seq, through_seq, entry_id } = fault
  const where = chain === 'ledger' ? `ledger ${account_uuid} ${resource}` : `audit ${namespace}`
  const range = seq === through_seq ? `${seq ?? 'none'}` : `${seq} to ${through_seq}`
  const entry = entry_id === null ? '' : ` entry ${entry_id}`
  return `BROKEN  ${where} seq ${range}${entry}: ${fault.fault}: ${MEANINGS[fault.fault] ?? ''}`
}
