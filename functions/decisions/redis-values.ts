import type { Epoch, Lease } from '../core/changes.ts'
import type { KeyRecord } from '../core/credential.ts'
import type { Snapshot } from '../core/snapshot.ts'
import { isHolders, isSnapshot } from '../core/untrusted.ts'
import { SCOPES } from '../core/vocabulary.ts'
import { type Aged, type KeyState, scopeKey } from './state.ts'

/**
 * How values look in Redis. Each begins with the version of its form and says what it is of, so that whatever does not
 * fit (garbage, another version's, a value in another's place) reads as absent. One that is stored by key and scope has
 * a line for each, so that a check parses only the one it needs, and the script merges without understanding them:
 *
 *     1 <key_version> <config_version> <read_at> <its own name>
 *     <encoded scope> <read_at> <snapshot as JSON>
 *     @ <read_at> <leases as JSON>
 */
const FORM = '1'
const STATE_HEADER = /^1 (\d{1,16}) (\d{1,16}) (\d{1,16}) (\S+)\n/
const LINE_START = /^(\d{1,16}) /
/** No encoded scope is this. */
const HOLDERS = '@'
const EPOCH = /^1 (\d{1,16}) (-?\d{1,16}) (\S+)$/
const KEY_RECORD = /^1 ([0-9a-f]{64}) (\d{1,16}) (\S+) (\S*) (\d{1,16}|-)$/
const UNKNOWN_KEY = /^1 ([0-9a-f]{64}) (\d{1,16})$/

export function encodeEpoch({ namespace, config_version, clock_offset_ms }: Epoch): string {
  return `${FORM} ${config_version} ${clock_offset_ms} ${namespace}`
}

export function decodeEpoch(text: string, namespace: string): Epoch | null {
  const [, version, offset, owner] = EPOCH.exec(text) ?? []
  if (owner !== namespace) return null
  return { namespace, config_version: Number(version), clock_offset_ms: Number(offset) }
}

/** `record` null: no such key. */
export function encodeKeyRecord(hash: string, { value: record, readAtMs }: Aged<KeyRecord | null>): string {
  if (!record) return `${FORM} ${hash} ${readAtMs}`
  return `${FORM} ${hash} ${readAtMs} ${record.namespace} ${record.scopes.join()} ${record.expires_at_ms ?? '-'}`
}

export function decodeKeyRecord(text: string, hash: string): Aged<KeyRecord | null> | null {
  const [, unknown, readAt] = UNKNOWN_KEY.exec(text) ?? []
  if (unknown === hash) return { value: null, readAtMs: Number(readAt) }
  const [, owner, since, namespace, scopes, expiry] = KEY_RECORD.exec(text) ?? []
  if (owner !== hash || !namespace) return null
  const held = (scopes ?? '').split(',')
  return {
    value: {
      namespace,
      scopes: SCOPES.filter((scope) => held.includes(scope)),
      expires_at_ms: expiry === '-' ? null : Number(expiry),
    },
    readAtMs: Number(since),
  }
}

export function encodeState(name: string, state: KeyState): string {
  let text = `${FORM} ${state.keyVersion} ${state.configVersion} ${state.readAtMs} ${name}\n`
  for (const [scope, { value, readAtMs }] of state.scopes) {
    text += `${encodeURIComponent(scope)} ${readAtMs} ${JSON.stringify(value)}\n`
  }
  if (state.holders) text += `${HOLDERS} ${state.holders.readAtMs} ${JSON.stringify(state.holders.value)}\n`
  return text
}

/** Reads the one scope, and the holders if they are wanted. */
export function decodeState(
  text: string,
  name: string,
  { resource, scope, holders }: { resource: string; scope: string | null; holders: boolean },
): KeyState | null {
  const [header, keyVersion, configVersion, readAt, owner] = STATE_HEADER.exec(text) ?? []
  if (header === undefined || owner !== name) return null
  const versions = { keyVersion: Number(keyVersion), configVersion: Number(configVersion) }
  const scopes = new Map<string, Aged<Snapshot>>()
  const snapshot = decodeLine(text, header.length, encodeURIComponent(scopeKey(scope)), (value) => {
    const fits =
      isSnapshot(value) &&
      name.startsWith(`snap:${value.namespace}:`) &&
      value.resource === resource &&
      value.scope === scope &&
      value.key_version === versions.keyVersion &&
      value.config_version === versions.configVersion
    return fits ? value : null
  })
  if (snapshot) scopes.set(scopeKey(scope), snapshot)
  return {
    ...versions,
    readAtMs: Number(readAt),
    scopes,
    holders: holders ? decodeLine(text, header.length, HOLDERS, leasesIn) : null,
  }
}

function leasesIn(value: unknown): readonly Lease[] | null {
  return isHolders(value) ? value : null
}

/** The line of this name, if it is there and holds what it should. A line follows the header's end, or another's. */
function decodeLine<Value>(
  text: string,
  bodyStart: number,
  lineName: string,
  read: (value: unknown) => Value | null,
): Aged<Value> | null {
  const found = text.indexOf(`\n${lineName} `, bodyStart - 1)
  if (found < 0) return null
  const start = found + lineName.length + 2
  const end = text.indexOf('\n', start)
  const line = text.slice(start, end < 0 ? undefined : end)
  const [prefix, readAt] = LINE_START.exec(line) ?? []
  if (prefix === undefined) return null
  const value = read(parse(line.slice(prefix.length)))
  return value === null ? null : { value, readAtMs: Number(readAt) }
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return null
  }
}
