import { BadRequest } from './errors.ts'

export type Credentials = { user: string; password: string; database: string }

/**
 * User, password and database of the header `Neon-Connection-String`. Its host and port mean nothing here: the driver
 * drops the port, and there is one Postgres.
 * @throws BadRequest with the message of Neon's proxy
 */
export function parseConnectionString(header: string | string[] | undefined): Credentials {
  if (typeof header !== 'string') throw new BadRequest('invalid header: neon-connection-string')
  const url = URL.parse(header)
  if (url === null) throw new BadRequest('invalid connection string')
  if (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:') throw new BadRequest('incorrect scheme')
  const database = decodeURIComponent(url.pathname.slice(1))
  if (database === '') throw new BadRequest('missing database name')
  if (url.username === '') throw new BadRequest('missing username')
  if (url.password === '') throw new BadRequest('missing authentication credentials: required password')
  return { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password), database }
}
