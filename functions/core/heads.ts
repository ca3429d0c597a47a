/** The head of a hash chain: of the entries of an (account, resource), or of a namespace's audit trail. docs/LEDGER_CHAIN.md */
export interface Head {
  readonly namespace: string
  readonly chain: 'ledger' | 'audit'
  /** The id that the account has inside; null of an audit trail, as is the resource. */
  readonly account_uuid: string | null
  readonly resource: string | null
  readonly seq: number
  /** SHA-256, in hex. */
  readonly hash: string
}

export interface UnsignedHead extends Head {
  /** Of the namespace's signed heads, from 1 on. */
  readonly number: number
  readonly signed_at: string
  readonly key_id: string
  /** The signature of the head before it; null of the first. */
  readonly previous: string | null
}

export interface SignedHead extends UnsignedHead {
  /** HMAC-SHA-256 of `headText`, in hex. */
  readonly signature: string
}

/** Signs with a key that the database does not have. */
export interface HeadSigner {
  /** Tells keys apart, and nothing about them. */
  readonly keyId: string
  sign(text: string): Promise<string>
}

/** What is signed: all of it in a fixed order, so that it can be read in one way only. */
export function headText(head: UnsignedHead): string {
  const { namespace, number, chain, account_uuid, resource, seq, hash, signed_at, key_id, previous } = head
  return JSON.stringify([
    'mec-head-1',
    ...[namespace, number, chain, account_uuid, resource, seq, hash, signed_at, key_id, previous],
  ])
}
