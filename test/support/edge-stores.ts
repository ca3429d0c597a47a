/** Where the stores of the edge tests are, and the secrets that the Worker under test is given. */
export type EdgeStores = {
  devKey: string
  jwtSecret: string
  /** Of the rotation that is under way. */
  jwtSecretPrevious: string
  keyPepper: string
  signingKey: string
  /** The database as the Worker's role, and where its Neon protocol is spoken: counted, and with faults on demand. */
  workerUrl: string
  neonEndpoint: string
  /** The database as its owner, at an end-point of its own. */
  ownerUrl: string
  ownerEndpoint: string
  upstashUrl: string
  upstashToken: string
}
