/** Under which anything about one (account, resource) is cached. */
export interface VersionPair {
  readonly keyVersion: number
  readonly configVersion: number
}

/**
 * How a candidate stands to what is there, 1 newer, 0 the same, -1 older. The key's version leads: what was read before
 * a change of the key is older, whatever the configuration was.
 */
export function compareVersions(candidate: VersionPair, present: VersionPair): -1 | 0 | 1 {
  return sign(candidate.keyVersion - present.keyVersion) || sign(candidate.configVersion - present.configVersion)
}

function sign(difference: number): -1 | 0 | 1 {
  return difference > 0 ? 1 : difference < 0 ? -1 : 0
}
