import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CannotStart } from './cannot-start.ts'

export type Settings = {
  port: number
  /** Absolute. */
  dataDir: string
  devKey: string
  /** Random and kept in the data folder when absent. */
  jwtSecret: string | undefined
  /** Whose tokens are accepted, too. */
  jwtSecretPrevious: string | undefined
}

/** The folder of the repository, wherever the shell is. */
export const repository = fileURLToPath(new URL('../..', import.meta.url))

type Variables = Readonly<Record<string, string | undefined>>

/** What the environment asks for; an empty value counts as absent. @throws CannotStart, naming the variable */
export function parseSettings(variables: Variables): Settings {
  return {
    port: parsePort(variables['PORT'] || '8787'),
    dataDir: dataDirOf(variables),
    devKey: parseDevKey(variables['MEC_DEV_KEY'] || 'mec_sk_dev'),
    jwtSecret: parseJwtSecret(variables, 'JWT_SECRET'),
    jwtSecretPrevious: parseJwtSecret(variables, 'JWT_SECRET_PREVIOUS'),
  }
}

export function dataDirOf(variables: Variables): string {
  return resolve(variables['MEC_DATA_DIR'] || `${repository}.mec`)
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65_535) throw new CannotStart(`PORT is ${JSON.stringify(text)}: give a number from 1 to 65535`)
  return port
}

/** Without dots, by which the Worker tells a JWT; and without what a shell or a header would take for its own. */
function parseDevKey(text: string): string {
  if (/^[A-Za-z0-9_~+/=-]{1,255}$/.test(text)) return text
  throw new CannotStart('MEC_DEV_KEY must be 1 to 255 letters, digits and _ - ~ + / =')
}

function parseJwtSecret(variables: Variables, name: string): string | undefined {
  const text = variables[name] || undefined
  // It passes through a file of lines, between quotes of a kind that it does not hold.
  if (text === undefined || !(/[\r\n\0]/.test(text) || (text.includes("'") && text.includes('`')))) return text
  throw new CannotStart(`${name} must be one line that does not hold both ' and \``)
}
