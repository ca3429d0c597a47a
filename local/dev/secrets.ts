import { randomBytes } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A random secret that is made at the first start and kept, readable to its owner only. */
export async function keptSecret(folder: string, name: string): Promise<string> {
  const file = join(folder, name)
  const kept = await readFile(file, 'utf8').catch(() => '')
  if (kept !== '') return kept
  const secret = randomBytes(32).toString('base64url')
  // Renamed at the end: a run that is killed meanwhile leaves no half secret.
  await writeFile(`${file}.new`, secret, { mode: 0o600 })
  await rename(`${file}.new`, file)
  return secret
}
