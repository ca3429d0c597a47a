/** The keys of Redis, and of the memory. README.md here lists them with their times to live. */

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export function keyRecordName(hash: string): string {
  return `auth:${hash}`
}

export function epochName(namespace: string): string {
  return `ns:${namespace}`
}

/** Encoded, so that no two accounts and resources can share a name: their own colons, spaces and lines are not in it. */
export function stateName(namespace: string, account: string, resource: string): string {
  return `snap:${namespace}:${encodeURIComponent(account)}:${encodeURIComponent(resource)}`
}

/**
 * False for a UUID that is not in lower case. Where a namespace uses UUIDs as they are, it is another way to write an
 * account whose changes are stored under its canonical name.
 */
export function isCanonical(account: string): boolean {
  return !UUID.test(account) || account === account.toLowerCase()
}
